"""Both sides beside each other, on tiny models and people of noise: every number found again another way."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robustpose.analysis.scores import outcome
from robustpose.errors import RobustPoseError
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, PCK, relative, score
from robustpose.skeletons import MPII_16
from robustpose.studies.real import REAL
from robustpose.studies.validity.comparison import Comparison, compare, write_comparison
from robustpose.studies.validity.offsets import distances
from robustpose.studies.validity.sides import PHOTOS, RENDERED, Validity, open_sides, shared_joints, studies_of
from robustpose.study.plan import Plan
from tests.studies.validity.fakes import FGSM, ON_NOISE, ON_OTHERS, computed, models, sides
from tests.study.study_fakes import files


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Plan], dict[str, Store], Comparison]:
    plans = sides()
    found, stores = computed(plans, tmp_path_factory.mktemp("validity"))
    return plans, stores, found


Run = tuple[dict[str, Plan], dict[str, Store], Comparison]


def test_every_row_is_what_the_side_alone_would_say(run: Run) -> None:
    plans, stores, found = run
    assert (found.models, found.parts, found.joints) == (tuple(f"net-{i}" for i in range(5)), ("hand", "nose"), 3)
    assert found.people == {RENDERED: 30, PHOTOS: 19}
    for side, each in plans.items():
        for slot, model in enumerate(each.models):
            clean = outcome(each, stores[side], model, None).table
            attacked = outcome(each, stores[side], model, FGSM).table
            pck = PCK
            for measure, setting, expected in (
                ("clean", None, score(clean, pck)),
                ("attacked", FGSM, score(attacked, pck)),
                ("relative", FGSM, relative(clean, attacked, pck)),
            ):
                for part in (ALL, *found.parts):
                    row = found.rows[side][measure, setting, part][slot]
                    numbers = (expected[part].value, expected[part].low, expected[part].high, expected[part].n)
                    np.testing.assert_allclose((row.value, row.low, row.high, row.n), numbers)
                    assert (row.model, row.data, row.measure) == (model.name, each.dataset.name, measure)


def test_the_same_people_on_both_sides_agree(tmp_path: Path) -> None:
    found, _ = computed(sides(photos=ON_NOISE), tmp_path)
    for line in found.lines:
        if math.isfinite(line.found.tau.value):
            assert line.found.tau.value == pytest.approx(1)
        assert line.found.rendered == line.found.photos == line.found.both == line.found.agree
        assert line.found.misleading == ()
    assert found.misleading() == []
    clean = found.line("clean", None).found
    assert clean.tau.value == pytest.approx(1)
    assert clean.tau.low < 1  # the sides are redrawn apart, whoever they are
    assert all(each.change.value == 0 for each in found.offsets if math.isfinite(each.change.value))


def test_a_side_whose_models_change_places_misleads(run: Run, tmp_path: Path) -> None:
    """In photos every model answers as its counterpart from the other end of the order does on rendered people."""
    plans, _, found = run
    order = np.argsort([row.value for row in found.rows[RENDERED]["clean", None, ALL]])
    models = plans[RENDERED].models
    answers = dict(zip(order, order[::-1], strict=True))
    renamed = tuple(
        replace(models[answers[slot]], name=model.name, fingerprint=f"as-{slot}")
        for slot, model in enumerate(models)
    )
    found, _ = computed({**plans, PHOTOS: replace(plans[RENDERED], models=renamed)}, tmp_path)
    line = found.line("clean", None).found
    assert line.tau.value < 0
    assert len(line.misleading) == line.both > 0
    best, worst = (models[order[place]].name for place in (-1, 0))
    assert (worst, best) in {(pair.in_photos, pair.in_rendered) for pair, _ in found.misleading()}


def test_offsets_are_medians_of_the_clean_tables(run: Run) -> None:
    plans, stores, found = run
    model = plans[PHOTOS].models[1]
    table = outcome(plans[PHOTOS], stores[PHOTOS], model, None).table
    hands = distances(table, "down")[:, :2]
    hands = np.sort(hands[np.isfinite(hands)])
    [each] = [o for o in found.offsets if (o.model, o.part, o.way) == ("net-1", "hand", "down")]
    assert each.photos.value == hands[(len(hands) - 1) // 2]
    assert each.change.value == pytest.approx(each.rendered.value - each.photos.value)
    assert (each.rendered.n, each.photos.n) == (30, 19)
    assert {o.part for o in found.offsets if o.way == "outward"} == {"hand"}  # a nose has no other side
    [hits] = [o for o in found.offsets if (o.model, o.part, o.way) == ("net-1", "hand", "found")]
    row = found.rows[PHOTOS]["clean", None, "hand"][1]
    assert (hits.photos.value, hits.photos.low, hits.photos.high, hits.photos.n) == (
        row.value,
        row.low,
        row.high,
        19,
    )


def test_files_hold_every_line_and_are_the_same_twice(run: Run, tmp_path: Path) -> None:
    plans, stores, found = run
    write_comparison(found, tmp_path / "once")
    write_comparison(compare(plans, stores), tmp_path / "twice")
    assert files(tmp_path / "once") == files(tmp_path / "twice")
    lines = {
        name: list(csv.DictReader(content.decode().splitlines()))
        for name, content in files(tmp_path / "once").items()
    }
    assert (
        len(lines["validity.csv"]) == 2 * 5 * 5 * 3
    )  # sides, models, clean and two settings twice, all and parts
    assert len(lines["agreement.csv"]) == 5 * 3
    first = lines["agreement.csv"][0]
    line = found.line("clean", None).found
    assert (first["measure"], first["attack"], first["part"]) == ("clean", "clean", "all")
    assert float(first["tau"]) == pytest.approx(line.tau.value, abs=5e-4)
    assert (int(first["pairs"]), int(first["decided_both"])) == (10, line.both)
    assert (first["people_rendered"], first["people_photos"]) == ("30", "19")


def test_a_missing_cell_is_named(run: Run, tmp_path: Path) -> None:
    plans, stores, _ = run
    with pytest.raises(RobustPoseError, match="this cell has not been computed"):
        compare(plans, {**stores, PHOTOS: Store(tmp_path)})


def test_joints_that_anyone_leaves_out_do_not_count(run: Run) -> None:
    plans, _, _ = run
    assert shared_joints(plans) == {"left_hand", "right_hand", "nose"}
    skeleton = replace(plans[RENDERED].dataset.skeleton, uncounted=("nose",))
    noseless = replace(plans[PHOTOS], dataset=replace(ON_OTHERS, skeleton=skeleton))
    assert shared_joints({**plans, PHOTOS: noseless}) == {"left_hand", "right_hand"}
    other = replace(plans[PHOTOS], dataset=replace(ON_OTHERS, skeleton=MPII_16))
    assert shared_joints({**plans, PHOTOS: other}) == frozenset()


@pytest.mark.parametrize(("names", "said"), [(("nose",), "nose"), (("x", "y"), "none")])
def test_two_shared_joints_are_the_least(
    names: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = sides()
    few = replace(plans[PHOTOS].dataset.skeleton, keypoints=names)
    plans[PHOTOS] = replace(plans[PHOTOS], dataset=replace(ON_OTHERS, skeleton=few))
    opened = iter(plans.values())
    monkeypatch.setattr("robustpose.studies.validity.sides.open_plan", lambda study, **options: next(opened))
    told = f"needs at least two keypoints that noise, others and all models share; they share {said}"
    with pytest.raises(RobustPoseError, match=told):
        open_sides(Validity(photos="coco:x.json"))


def test_each_side_is_the_real_study_of_its_data() -> None:
    asked = Validity(models=("a", "b"), photos="coco:x.json", n=7, min_keypoints=3, min_box=9, images="there")
    found = studies_of(asked)
    real = replace(REAL, models=("a", "b"), n=7, metric="pck")
    assert found[RENDERED] == replace(real, data="synthpose:val")
    assert found[PHOTOS] == replace(real, data="coco:x.json", min_keypoints=3, min_box=9, images="there")
    assert {round(255 * setting.eps) for setting in found[PHOTOS].settings} == {1, 2, 4, 8}


def test_models_come_back_as_they_were(run: Run) -> None:
    before, after = models(), run[0][RENDERED].models
    for old, new in zip(before, after, strict=True):
        for a, b in zip(old.module.parameters(), new.module.parameters(), strict=True):  # type: ignore[attr-defined]
            assert torch.equal(a, b) and b.grad is None
