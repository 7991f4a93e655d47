from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.analysis.scores import outcome
from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import key_of
from robustpose.jobs.store import Store
from robustpose.metrics import PCK
from robustpose.models import OpenedModel
from robustpose.skeletons import Skeleton
from robustpose.study.definition import Study, View
from robustpose.study.plan import Plan, make_plan, open_plan, run_cells
from tests.conftest import TinyHeatmaps
from tests.study.study_fakes import NoisePeople, plan, tiny_models


@dataclass(frozen=True)
class Photographed(NoisePeople):
    """People whose pictures are known by a hash."""

    pictures: str = "first"

    def content(self, rows: object) -> str:
        return self.pictures


def keys(of: Plan) -> set[str]:
    return {key_of(cell) for cell in of.all_cells()}


def test_other_pictures_are_other_cells() -> None:
    first = plan(people=Photographed(pictures="first"))
    second = plan(people=Photographed(pictures="second"))
    assert keys(first).isdisjoint(keys(second))
    assert keys(first) == keys(plan(people=Photographed(pictures="first")))


@dataclass(frozen=True)
class OnePictureChanged(NoisePeople):
    """People the last of whom has another picture; a hash says of which rows the pictures are."""

    last: str = "first"

    def content(self, rows: Sequence[int]) -> str:
        return f"{rows} " + (self.last if self.people - 1 in rows else "")


def test_targets_are_drawn_from_everyone_so_anybody_s_picture_is_part_of_a_targeted_cell() -> None:
    """The last person lies outside of the first block: only what draws target poses depends on them."""
    first, second = (plan(people=OnePictureChanged(last=last)) for last in ("first", "second"))
    for setting in (None, *first.study.settings):
        (mine, *_), (theirs, *_) = (each.cells(each.models[0], setting) for each in (first, second))
        assert mine.stop < len(first.dataset)
        targeted = setting is not None and setting.targeted
        assert (key_of(mine) != key_of(theirs)) == targeted, setting


def test_target_poses_are_drawn_by_the_seed(tmp_path: Path) -> None:
    targeted = tuple(setting for setting in plan().study.settings if setting.targeted)
    drawn = {}
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        made = plan(settings=targeted, seed=seed)
        store = Store(tmp_path / name)
        run_cells(made, store)
        target = outcome(made, store, made.models[0], targeted[0]).table.target
        assert target is not None
        drawn[name] = target
    np.testing.assert_array_equal(drawn["first"], drawn["again"])
    assert not np.array_equal(drawn["first"], drawn["other"])


def test_clean_cells_do_not_depend_on_the_seed() -> None:
    shared = keys(plan(seed=0)) & keys(plan(seed=1))
    assert shared == {key_of(cell) for cell in plan().all_cells() if cell.setting is None}


def test_of_a_smaller_training_set_everyone_is_shown_and_no_more() -> None:
    training = NoisePeople(people=27, name="training", fingerprint="training-1")
    for n, shown in ((30, [(0, 25), (25, 27)]), (10, [(0, 10)])):
        cells = plan(n=n, training=training).seen_cells("linear", View(on="training"))
        assert [(cell.start, cell.stop) for cell in cells if isinstance(cell, Cell)] == shown
        assert {cell.data for cell in cells if isinstance(cell, Cell)} == {"training"}


class HandsOnly(TinyHeatmaps):
    """A model that knows a keypoint less than the data."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.skeleton = Skeleton(name="other", keypoints=("left_hand", "right_hand", "tail"), limbs=())


def test_all_models_of_a_study_are_scored_on_the_keypoints_they_share(tmp_path: object) -> None:
    three = (*tiny_models(), OpenedModel(name="hands", module=HandsOnly().eval(), fingerprint="hands-1"))
    study = replace(plan().study, settings=())
    together = make_plan(study, models=three, dataset=NoisePeople())
    assert together.joints == {"left_hand", "right_hand"}
    assert together.metric == "pck"
    store = Store(Path(str(tmp_path)))
    run_cells(together, store)
    counted = [PCK.hits(outcome(together, store, model, None).table) for model in three]
    for hits in counted:
        np.testing.assert_array_equal(np.isfinite(hits), np.isfinite(counted[0]))
        assert np.isnan(hits[:, 2]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ("shg2",), "spec": "spec.toml"}, "--spec needs a third-party model"),
        ({"n": 0}, "--n must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_planned_is_refused(change: dict[str, object], message: str) -> None:
    study = Study(name="a", title="A", models=("deeppose",), data="synthpose", settings=(), n=1)
    with pytest.raises(RobustPoseError, match=message):
        open_plan(replace(study, **change))  # type: ignore[arg-type]


def test_two_models_of_one_name_are_refused() -> None:
    model = tiny_models()[0]
    with pytest.raises(RobustPoseError, match="model names must be unique in a study"):
        make_plan(plan().study, models=(model, replace(model, fingerprint="other")), dataset=NoisePeople())
