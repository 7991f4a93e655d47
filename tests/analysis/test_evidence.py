"""Evidence is the stored answers of all blocks, in order, over the joints that the models share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk, TaskAsk, UniversalAsk, cells_of
from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job, key_of
from robustpose.jobs.results import CellResult
from robustpose.jobs.run import run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import PCK
from robustpose.models import OpenedModel
from robustpose.skeletons import Skeleton
from robustpose.study.definition import CLEAN, Learn, View
from robustpose.study.plan import Plan, workbench
from robustpose.types import HasTaskLabels
from tests.conftest import TinyHeatmaps
from tests.study.study_fakes import TASKS, Flags, NoisePeople, plan, tiny_models

IGSM3 = Setting("igsm", 8 / 255, steps=3)
TARGETED = Setting("igsm", 8 / 255, steps=2, targeted=True)
LEARN = Learn(eps=8 / 255)
TRAINING = NoisePeople(people=40, name="training", fingerprint="training-1")


class Tailed(TinyHeatmaps):
    """A model that knows no nose."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.skeleton = Skeleton(name="other", keypoints=("left_hand", "right_hand", "tail"), limbs=())


def study(*, broken: tuple[int, ...] = (3, 27)) -> Plan:
    three = (*tiny_models(), OpenedModel(name="tailed", module=Tailed().eval(), fingerprint="tailed-1"))
    return plan(people=NoisePeople(broken=broken), models=three, training=TRAINING)


def evidence(tiny: Plan, folder: Path, *asks: Ask) -> Evidence:
    store = Store(folder)
    run_all(cells_of(tiny, asks), workbench(tiny), store)
    return Evidence(tiny, store)


def stored(of: Evidence, model: str, view: View) -> list[CellResult]:
    return [of.store.read(cell) for cell in of.plan.seen_cells(model, view)]


VIEWS = {
    "clean": CLEAN,
    "attacked": View(setting=IGSM3),
    "targeted": View(setting=TARGETED),
    "of another model": View(setting=IGSM3, source="heatmaps"),
    "filtered": View(setting=IGSM3, change="box3"),
    "clean and filtered": View(change="median3"),
    "universal": View(universal=LEARN),
    "another model's universal": View(universal=LEARN, source="heatmaps"),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
@pytest.mark.parametrize("model", ["linear", "heatmaps"])
def test_tables_and_signals_are_joined_in_order_over_the_shared_joints(
    tmp_path: Path, model: str, view: View
) -> None:
    found = evidence(study(), tmp_path, ModelAsk(model, view))
    table, signals, blocks = found.table(model, view), found.signals(model, view), stored(found, model, view)
    assert len(blocks) == 2
    assert table.ids == tuple(f"p{row}" for row in range(30) if row not in (3, 27))
    for name in ("predicted", "keypoints", "head_size", "box_side"):
        expected = np.concatenate([getattr(block.table, name) for block in blocks])
        np.testing.assert_array_equal(getattr(table, name), expected)
    hands = np.array([True, True, False])  # not the nose, for one model has none
    np.testing.assert_array_equal(table.visible, np.concatenate([b.table.visible for b in blocks]) & hands)
    assert table.visible[:, :2].any()
    if view.setting == TARGETED:
        assert table.target_visible is not None
        assert not table.target_visible[:, 2].any()
    assert set(signals) == ({"score"} if model == "linear" else {"score", "divergence"})
    for name, values in signals.items():
        np.testing.assert_array_equal(values, np.concatenate([block.signals[name] for block in blocks]))
        assert values.shape == (28, 3)


def test_a_study_says_its_models_its_metric_and_its_tasks(tmp_path: Path) -> None:
    found = Evidence(study(), Store(tmp_path))
    assert found.models == ("linear", "heatmaps", "tailed")
    assert found.metric == PCK
    assert found.tasks == ()
    assert Evidence(plan(n=1, tasks=TASKS), Store(tmp_path)).tasks == ("action", "parts")


def test_what_has_not_been_computed_is_said(tmp_path: Path) -> None:
    found = Evidence(study(), Store(tmp_path))
    with pytest.raises(RobustPoseError, match="has not been computed"):
        found.table("linear", CLEAN)
    with pytest.raises(RobustPoseError, match="has not been computed"):
        found.universal("linear", LEARN)


def test_a_block_without_a_readable_photo_is_left_out(tmp_path: Path) -> None:
    broken = tuple(range(25, 30))
    found = evidence(study(broken=broken), tmp_path, ModelAsk("heatmaps", CLEAN))
    assert len(found.table("heatmaps", CLEAN)) == 25
    assert found.signals("heatmaps", CLEAN)["divergence"].shape == (25, 3)


def test_without_a_readable_photo_there_is_no_evidence(tmp_path: Path) -> None:
    found = evidence(study(broken=tuple(range(30))), tmp_path, ModelAsk("linear", CLEAN))
    with pytest.raises(RobustPoseError, match="none of the photos could be read"):
        found.table("linear", CLEAN)


def test_pictures_are_those_of_all_blocks(tmp_path: Path) -> None:
    view = View(setting=IGSM3, pictures=30)
    found = evidence(study(), tmp_path, ModelAsk("heatmaps", view))
    pictures = found.pictures("heatmaps", view)
    assert pictures.clean.shape == pictures.adversarial.shape == (28, 8, 12, 3)
    rows = [row for row in range(30) if row not in (3, 27)]
    shown = found.plan.dataset.load(rows, input_size=(8, 12)).images
    np.testing.assert_array_equal(pictures.clean, (shown.permute(0, 2, 3, 1) * 255).round().byte().numpy())
    change = np.abs(pictures.adversarial.astype(int) - pictures.clean.astype(int)).max(axis=(1, 2, 3))
    assert change.tolist() == [8] * 28
    assert found.table("heatmaps", view).ids == tuple(f"p{row}" for row in rows)


def test_asking_for_pictures_asks_for_the_same_cells(tmp_path: Path) -> None:
    tiny = study()
    plain, kept = (tiny.seen_cells("linear", View(setting=IGSM3, pictures=keep)) for keep in (False, True))
    assert [key_of(cell) for cell in plain] == [key_of(cell) for cell in kept]
    found = evidence(tiny, tmp_path, ModelAsk("linear", View(IGSM3)), ModelAsk("linear", View(IGSM3, pictures=30)))
    assert len(found.pictures("linear", View(IGSM3, pictures=30)).clean) == 28


def test_pictures_leave_out_a_block_without_a_readable_photo(tmp_path: Path) -> None:
    view = View(setting=IGSM3, pictures=30)
    found = evidence(study(broken=tuple(range(25, 30))), tmp_path, ModelAsk("linear", view))
    assert found.pictures("linear", view).clean.shape == (25, 8, 12, 3)


def test_a_model_is_shown_the_training_people(tmp_path: Path) -> None:
    trained = View(on="training")
    universal = View(on="training", universal=LEARN)
    found = evidence(study(), tmp_path, ModelAsk("linear", trained), ModelAsk("linear", universal))
    table = found.table("linear", trained)
    assert table.ids == tuple(f"p{row}" for row in range(30)), "as many as take part of the study's data"
    shown = TRAINING.load(range(30), input_size=(8, 12))
    np.testing.assert_array_equal(table.keypoints, shown.keypoints.double().numpy())
    assert np.abs(found.table("linear", universal).predicted - table.predicted).max() > 1e-3


def test_an_attack_on_training_people_is_not_their_clean_pictures() -> None:
    with pytest.raises(ValueError, match="training people are shown clean or with a universal perturbation"):
        View(setting=IGSM3, on="training")


def test_another_models_pictures_of_validation_people_are_not_shown_as_training_people() -> None:
    with pytest.raises(ValueError, match="training people are shown clean or with a universal perturbation"):
        View(setting=IGSM3, source="heatmaps", on="training")


def test_a_universal_perturbation_is_the_stored_one(tmp_path: Path) -> None:
    found = evidence(study(), tmp_path, UniversalAsk("linear", LEARN))
    held = found.store.read(found.plan.universal_cell("linear", LEARN))
    learned = found.universal("linear", LEARN)
    np.testing.assert_array_equal(learned, held.perturbation)
    assert float(np.abs(learned).max()) == pytest.approx(8 / 255)


@pytest.mark.parametrize("setting", [None, Setting("igsm", 8 / 255, steps=2)], ids=["clean", "attacked"])
def test_tasks_are_joined_in_order(tmp_path: Path, setting: Setting | None) -> None:
    many = Flags(people=30)
    tiny = plan(people=many, settings=(), tasks=TASKS)
    assert isinstance(many, HasTaskLabels)
    found = evidence(tiny, tmp_path, TaskAsk("action", setting), TaskAsk("parts", setting))
    action, parts = found.task("action", setting), found.task("parts", setting)
    assert action.ids == parts.ids == tuple(f"p{row}" for row in range(30))
    assert action.correct is not None
    # Margins of -2, 4, 10, 15 and 20 levels by turns; two steps take 14.
    right = [False, True, True, True, True] if setting is None else [False, False, False, True, True]
    assert action.correct.tolist() == right * 6
    assert action.intersections is None
    assert parts.correct is None
    assert parts.intersections is not None
    assert parts.unions is not None
    assert parts.intersections.shape == parts.unions.shape == (30, 3)
    assert (parts.intersections[:, 0] > 0).tolist() == right * 6
    assert action.forwards == action.backwards == (0 if setting is None else 60)


def test_the_cells_of_an_ask() -> None:
    tiny = plan(people=Flags(people=30), settings=(), tasks=TASKS, training=TRAINING)
    asks: list[Ask] = [ModelAsk("linear", CLEAN), TaskAsk("parts", IGSM3), UniversalAsk("heatmaps", LEARN)]
    expected: list[Job[Any]] = [
        *tiny.cells(tiny.models[0], None),
        *tiny.task_cells("parts", IGSM3),
        tiny.universal_cell("heatmaps", LEARN),
    ]
    assert cells_of(tiny, asks) == expected
