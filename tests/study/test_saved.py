"""A study's definition beside its cells; cells of several versions of the code in one store."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from robustpose.analysis.scores import all_rows
from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job, identity_of, key_of
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import Replay
from robustpose.study.plan import Plan, run_cells, workbench
from robustpose.study.saved import legacy_versions, load_study, open_store, refuse_other, save_study
from tests.study.study_fakes import SETTINGS, plan

ELSEWHERE = "1.0"
OLD = "0.0.9+0123456789ab+torch1.0"


def test_a_definition_is_read_back_and_versions_of_old_results_stay(tmp_path: Path) -> None:
    study = plan(n=4).study
    save_study(study, tmp_path)
    assert load_study(tmp_path) == study
    assert legacy_versions(tmp_path) == ()
    held = json.loads((tmp_path / "study.json").read_text())
    (tmp_path / "study.json").write_text(json.dumps({"versions": [OLD], **held}))
    for _ in range(2):
        save_study(study, tmp_path)
        assert legacy_versions(tmp_path) == (OLD,)
    assert load_study(tmp_path) == study
    assert open_store(tmp_path).legacy == (OLD,)


def computed_elsewhere(jobs: list[Job[Any]], made: Plan, folder: Path) -> None:
    """Compute jobs with another version of torch, as far as keys can tell."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("torch.__version__", ELSEWHERE)
        run_all(jobs, workbench(made), Store(folder))


def test_the_older_name_of_the_model_spec_is_read(tmp_path: Path) -> None:
    study = replace(plan().study, spec="pose.toml")
    save_study(study, tmp_path)
    path = tmp_path / "study.json"
    content = json.loads(path.read_text())
    content["card"] = content.pop("spec")
    path.write_text(json.dumps(content))
    assert load_study(tmp_path) == study


def test_what_another_version_computed_is_taken_only_where_that_is_asked_for(tmp_path: Path) -> None:
    made = plan(n=4, settings=SETTINGS[:2])
    clean, fgsm, igsm = (made.cells(made.models[0], setting)[0] for setting in (None, *SETTINGS[:2]))
    bench = workbench(made)
    computed_elsewhere([clean, fgsm], made, tmp_path)
    assert clean not in Store(tmp_path)
    both = Store(tmp_path, any_version=True)
    assert clean in both
    assert igsm not in both
    assert both.name(clean) != key_of(clean)
    assert both.name(clean).startswith(identity_of(clean))
    assert both.taken_over([clean, fgsm, igsm]) == [f"torch {ELSEWHERE}, now {torch.__version__} (2 jobs)"]
    assert run_all([clean, fgsm, igsm], bench, both) == 1
    assert both.name(igsm) == key_of(igsm)
    assert run_all([clean], bench, Store(tmp_path)) == 1
    assert both.name(clean) == key_of(clean), "what this version computed comes first"


def test_another_job_is_never_taken(tmp_path: Path) -> None:
    made = plan(n=4, settings=SETTINGS[:1])
    fgsm = made.cells(made.models[0], SETTINGS[0])[0]
    computed_elsewhere([fgsm], made, tmp_path)
    both = Store(tmp_path, any_version=True)
    assert fgsm in both
    others = [replace(fgsm, seed=1), replace(fgsm, model_fingerprint="other"), replace(fgsm, photos="other")]
    assert not [other for other in others if other in both]


def test_a_cell_with_too_few_pictures_elsewhere_is_computed_here(tmp_path: Path) -> None:
    made = plan(n=4, settings=SETTINGS[:1])
    cell = replace(made.cells(made.models[0], SETTINGS[0])[0], keep_images=0)
    computed_elsewhere([cell], made, tmp_path)
    both = Store(tmp_path, any_version=True)
    assert cell in both
    assert replace(cell, keep_images=4) not in both
    clean = made.cells(made.models[0], None)[0]
    shown = Replay(people=clean, source=replace(cell, keep_images=4), change="box3")
    assert run_all([shown], workbench(made), both) == 2
    assert len(both.pictures(cell).adversarial) == 4


@pytest.mark.slow
@pytest.mark.parametrize("per_cell", [1, 7, 100])
def test_scores_do_not_depend_on_how_many_people_are_attacked_together(tmp_path: Path, per_cell: int) -> None:
    made = plan(n=30)
    cut = replace(made, study=replace(made.study, per_cell=per_cell))
    assert {cell.stop - cell.start for cell in cut.all_cells()} <= {per_cell, 30 % per_cell, 30}
    for each, folder in ((made, tmp_path / "25"), (cut, tmp_path / "cut")):
        run_cells(each, Store(folder))
    scores = repr(all_rows(cut, Store(tmp_path / "cut")))  # NaN is not itself
    assert scores == repr(all_rows(made, Store(tmp_path / "25")))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"n": "5"}, "n is '5', expected int | None"),
        ({"models": 5}, "models is 5"),
        ({"per_cell": None}, "per_cell is None, expected int"),
        ({"data": 3}, "data is 3, expected str"),
        ({"findings": [1]}, r"findings is \(1,\)"),
    ],
)
def test_a_definition_of_other_types_is_none_of_this_version(
    tmp_path: Path, change: dict[str, object], line: str
) -> None:
    save_study(plan(n=4).study, tmp_path)
    path = tmp_path / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RobustPoseError, match=f"not a study definition of this version .{line}"):
        load_study(tmp_path)


def test_another_study_in_a_folder_is_refused_with_what_lies_there(tmp_path: Path) -> None:
    study = plan(n=4).study
    described = {"models": [{"fingerprint": "a"}]}
    refuse_other(study, tmp_path, described=described)  # nothing lies there
    save_study(study, tmp_path, described=described)
    refuse_other(replace(study, title="another title"), tmp_path, described=described)
    with pytest.raises(RobustPoseError, match=r"another study \(n 4\); take another --out, or .* --force"):
        refuse_other(replace(study, n=3), tmp_path, described=described)
    with pytest.raises(RobustPoseError, match="the same study of other weights"):
        refuse_other(study, tmp_path, described={"models": [{"fingerprint": "b"}]})
