"""A study's definition beside its cells; cells of several versions of the code in one store."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.analysis.official import all_rows
from robustpose.errors import RobustPoseError
from robustpose.jobs.job import code_version
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import Replay
from robustpose.study.plan import run_cells, workbench
from robustpose.study.saved import load_study, open_store, save_study, versions_of
from tests.study.study_fakes import SETTINGS, plan

ELSEWHERE = "0.0.9+0123456789ab+torch1.0"


def test_versions_that_computed_here_are_remembered_the_last_first(tmp_path: Path) -> None:
    study = plan(n=4).study
    save_study(study, tmp_path)
    assert versions_of(tmp_path) == (code_version(),)
    held = json.loads((tmp_path / "study.json").read_text())
    (tmp_path / "study.json").write_text(json.dumps({**held, "versions": [ELSEWHERE]}))
    for _ in range(2):
        save_study(study, tmp_path)
        assert versions_of(tmp_path) == (code_version(), ELSEWHERE)
    assert load_study(tmp_path) == study
    assert open_store(tmp_path).versions == (code_version(), ELSEWHERE)


def test_what_another_version_computed_is_taken_only_where_that_is_asked_for(tmp_path: Path) -> None:
    made = plan(n=4, settings=SETTINGS[:2])
    clean, fgsm, igsm = (made.cells(made.models[0], setting)[0] for setting in (None, *SETTINGS[:2]))
    bench = workbench(made)
    run_all([clean.of_version(ELSEWHERE), fgsm.of_version(ELSEWHERE)], bench, Store(tmp_path))
    assert clean not in Store(tmp_path)
    both = Store(tmp_path, versions=(ELSEWHERE,))
    assert clean in both
    assert igsm not in both
    assert both.held(clean).key == clean.of_version(ELSEWHERE).key
    assert run_all([clean, fgsm, igsm], bench, both) == 1
    assert both.held(igsm).key == igsm.key
    assert run_all([clean], bench, Store(tmp_path)) == 1
    assert both.held(clean).key == clean.key, "what this version computed comes first"


def test_a_cell_with_too_few_pictures_elsewhere_is_computed_here(tmp_path: Path) -> None:
    made = plan(n=4, settings=SETTINGS[:1])
    cell = replace(made.cells(made.models[0], SETTINGS[0])[0], keep_images=0)
    run_all([cell.of_version(ELSEWHERE)], workbench(made), Store(tmp_path))
    both = Store(tmp_path, versions=(ELSEWHERE,))
    assert cell in both
    assert replace(cell, keep_images=4) not in both
    clean = made.cells(made.models[0], None)[0]
    shown = Replay(people=clean, source=replace(cell, keep_images=4), change="box3")
    assert run_all([shown], workbench(made), both) == 2
    assert len(both.pictures(cell).adversarial) == 4


def test_a_folder_without_versions_is_one_line(tmp_path: Path) -> None:
    save_study(plan(n=4).study, tmp_path)
    path = tmp_path / "study.json"
    path.write_text(path.read_text().replace('"versions"', '"verisons"'))
    with pytest.raises(RobustPoseError, match="versions"):
        load_study(tmp_path)


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
    with pytest.raises(RobustPoseError, match=f"no study definition of this version .{line}"):
        load_study(tmp_path)
