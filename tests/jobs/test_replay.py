"""Models shown pictures that were made elsewhere, or changed on their way; universal perturbations as cells."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from robustpose.attacks import Universal, apply_universal, learn_universal
from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.results import CellResult
from robustpose.jobs.run import run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import MIRRORED, Replay, mirrored_perturbation
from robustpose.jobs.universal import UniversalCell, UniversalResult, training_batches
from robustpose.models import OpenedModel
from robustpose.models.heads import CoordinateHead
from robustpose.objectives import OBJECTIVES
from robustpose.study.definition import Learn
from robustpose.study.plan import Plan, workbench
from robustpose.types import PoseOutput
from tests.conftest import LinearPose
from tests.study.study_fakes import NoisePeople, plan, tiny_models

IGSM3 = Setting("igsm", 8 / 255, steps=3)
TRAINING = NoisePeople(people=40, name="training", fingerprint="training-1")


def kept(tiny: Plan, model: int, setting: Setting, *, block: int = 0) -> Cell:
    """An attack's cell that keeps everyone's picture."""
    cell = tiny.cells(tiny.models[model], setting)[block]
    return replace(cell, keep_images=cell.stop - cell.start)


def clean(tiny: Plan, model: int, *, block: int = 0) -> Cell:
    return tiny.cells(tiny.models[model], None)[block]


def answers(tiny: Plan, folder: Path, *cells: Cell | Replay) -> list[CellResult]:
    store = Store(folder)
    run_all(cells, workbench(tiny), store)
    return [store.read(cell) for cell in cells]


def assert_same_answer(ours: CellResult, theirs: CellResult) -> None:
    assert ours.table.ids == theirs.table.ids
    for name in ("predicted", "keypoints", "visible", "head_size", "box_side"):
        np.testing.assert_array_equal(getattr(ours.table, name), getattr(theirs.table, name))
    assert ours.signals.keys() == theirs.signals.keys()
    for name, values in ours.signals.items():
        np.testing.assert_array_equal(values, theirs.signals[name])
    assert ours.unreadable == theirs.unreadable


def predicted(model: OpenedModel, images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with torch.no_grad():
        found = model.module(images).keypoints.double().numpy()
    return np.asarray(found)


def pictures(store: Store, cell: Cell) -> tuple[Tensor, Tensor]:
    """A cell's pictures as a model takes them, clean and adversarial."""
    held = store.pictures(cell)
    before, after = (
        torch.from_numpy(each).permute(0, 3, 1, 2).float() / 255 for each in (held.clean, held.adversarial)
    )
    return before, after


@pytest.mark.parametrize("model", [0, 1])
def test_clean_pictures_unchanged_are_the_clean_cell(tmp_path: Path, model: int) -> None:
    tiny = plan(people=NoisePeople(broken=(3,)))
    cell = clean(tiny, model)
    ours, theirs = answers(tiny, tmp_path, Replay(people=cell), cell)
    assert_same_answer(ours, theirs)
    assert ours.unreadable == ("p3: broken",)


@pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize("model", [0, 1])
def test_a_models_own_attack_shown_again_is_that_attacks_cell(
    tmp_path: Path, model: int, block: int, targeted: bool
) -> None:
    tiny = plan(people=NoisePeople(broken=(3, 27)))
    source = kept(tiny, model, replace(IGSM3, targeted=targeted), block=block)
    ours, theirs = answers(tiny, tmp_path, Replay(people=clean(tiny, model, block=block), source=source), source)
    assert_same_answer(ours, theirs)
    assert ours.table.target is None
    assert (ours.forwards, ours.backwards) == (0, 0)


def test_pictures_under_one_level_cannot_be_kept_and_so_not_be_shown_again() -> None:
    tiny = plan(n=5)
    source = kept(tiny, 0, Setting("igsm", 0.5 / 255, steps=3))
    with pytest.raises(RobustPoseError, match="below one 8-bit level"):
        Replay(people=clean(tiny, 0), source=source)


def test_pictures_of_another_model_are_what_the_model_is_shown(tmp_path: Path) -> None:
    tiny, store = plan(), Store(tmp_path)
    source = kept(tiny, 1, IGSM3)
    replay = Replay(people=clean(tiny, 0), source=source)
    assert run_all([replay], workbench(tiny), store) == 2, (
        "the source is computed first, the clean cell not at all"
    )
    before, after = pictures(store, source)
    found = store.read(replay).table
    np.testing.assert_array_equal(found.predicted, predicted(tiny.models[0], after))
    assert np.abs(found.predicted - predicted(tiny.models[0], before)).max() > 1e-3
    assert found.ids == tuple(f"p{row}" for row in range(25))


def test_with_flip_the_perturbation_is_mirrored_before_the_model_sees_it(tmp_path: Path) -> None:
    tiny, store = plan(), Store(tmp_path)
    source = kept(tiny, 0, IGSM3)
    replay = Replay(people=clean(tiny, 0), source=source, change=MIRRORED)
    run_all([replay], workbench(tiny), store)
    before, after = pictures(store, source)
    mirrored = (before + torch.flip(after - before, dims=(3,))).clamp(0, 1)
    np.testing.assert_allclose(store.read(replay).table.predicted, predicted(tiny.models[0], mirrored), atol=1e-5)
    assert np.abs(store.read(replay).table.predicted - predicted(tiny.models[0], after)).max() > 1e-3


@pytest.mark.parametrize("model", [0, 1])
def test_flip_of_clean_pictures_is_the_clean_cell(tmp_path: Path, model: int) -> None:
    tiny = plan(n=5)
    cell = clean(tiny, model)
    assert_same_answer(*answers(tiny, tmp_path, Replay(people=cell, change=MIRRORED), cell))


def test_a_filter_changes_clean_pictures_too(tmp_path: Path) -> None:
    tiny, cell = plan(n=5), clean(plan(n=5), 0)
    (found,) = answers(tiny, tmp_path, Replay(people=cell, change="median3"))
    images = tiny.dataset.load(range(5), input_size=(8, 12)).images
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
    windows = torch.stack([padded[..., r : r + 8, c : c + 12] for r in range(3) for c in range(3)])
    np.testing.assert_allclose(
        found.table.predicted, predicted(tiny.models[0], windows.median(dim=0).values), atol=1e-5
    )


def test_a_source_that_keeps_too_few_pictures_is_named(tmp_path: Path) -> None:
    tiny, store = plan(), Store(tmp_path)
    for keep in (0, 24):
        source = replace(kept(tiny, 0, IGSM3), keep_images=keep)
        with pytest.raises(RobustPoseError, match=f"IGSM-U-3 at 8/255: {keep} images are stored for 25 people"):
            run_all([Replay(people=clean(tiny, 1), source=source)], workbench(tiny), store)


def test_a_source_stored_with_fewer_pictures_is_computed_again_for_a_replay(tmp_path: Path) -> None:
    tiny, store = plan(), Store(tmp_path)
    source = kept(tiny, 1, IGSM3)
    run_all([replace(source, keep_images=2)], workbench(tiny), store)
    assert run_all([Replay(people=clean(tiny, 0), source=source)], workbench(tiny), store) == 2
    assert len(store.pictures(source).adversarial) == 25


def test_nobody_readable_is_replayed_to_nobody(tmp_path: Path) -> None:
    tiny = plan(people=NoisePeople(broken=tuple(range(25, 30))))
    source = kept(tiny, 1, IGSM3, block=1)
    (found,) = answers(tiny, tmp_path, Replay(people=clean(tiny, 0, block=1), source=source))
    assert len(found.table) == 0
    assert found.unreadable == tuple(f"p{row}: broken" for row in range(25, 30))


class Larger(LinearPose):
    """Takes crops of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size = (6, 16)
        self.head = CoordinateHead(input_size=self.input_size)

    def forward(self, images: Tensor) -> PoseOutput:
        assert images.shape[2:] == (8, 12)  # NoisePeople knows no other size; as many pixels, so the model answers
        return super().forward(images)


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    larger = OpenedModel(name="larger", module=Larger().eval(), fingerprint="larger-1")
    tiny, store = plan(n=5, models=(*tiny_models(), larger)), Store(tmp_path)
    with pytest.raises(RobustPoseError, match=r"takes crops of \(6, 16\)"):
        run_all([Replay(people=clean(tiny, 2), source=kept(tiny, 0, IGSM3))], workbench(tiny), store)


def universal(tiny: Plan, model: str = "heatmaps") -> UniversalCell:
    return tiny.universal_cell(model, Learn(eps=8 / 255))


def test_a_universal_cell_is_what_the_plans_grid_says() -> None:
    tiny = plan(training=TRAINING, seed=3)
    cell = universal(tiny)
    assert (cell.data, cell.data_fingerprint) == ("training", "training-1")
    assert (cell.start, cell.stop, cell.samples, cell.batch) == (0, 10, 12, 4)
    assert (cell.eps, cell.objective, cell.seed) == (8 / 255, "training_loss", 3)
    shared = tiny.universal_cell("heatmaps", Learn(eps=8 / 255, share=0.5))
    assert shared.stop == 5
    assert tiny.universal_cell("heatmaps", Learn(eps=8 / 255, share=0.01)).stop == 4, "at least a batch"
    with pytest.raises(ValueError, match="no training set"):
        universal(plan())


def test_lessons_show_everyone_once_a_pass_in_a_new_order() -> None:
    tiny = plan(training=TRAINING)
    cell = replace(universal(tiny), start=20, stop=30, batch=5)
    lessons = [batch.ids for batch in training_batches(cell, workbench(tiny), steps=6)]
    assert [len(ids) for ids in lessons] == [5] * 6
    everyone = Counter(f"p{row}" for row in range(20, 30))
    passed = [lessons[0] + lessons[1], lessons[2] + lessons[3], lessons[4] + lessons[5]]
    assert [Counter(ids) for ids in passed] == [everyone] * 3
    assert len(set(passed)) == 3
    assert [batch.ids for batch in training_batches(cell, workbench(tiny), steps=6)] == lessons
    other = [batch.ids for batch in training_batches(replace(cell, seed=1), workbench(tiny), steps=6)]
    assert other != lessons


def test_a_universal_cell_holds_what_is_learned_of_its_lessons(tmp_path: Path) -> None:
    tiny, store = plan(training=TRAINING), Store(tmp_path)
    cell, bench = universal(tiny), workbench(plan(training=TRAINING))
    assert run_all([cell], bench, store) == 1
    held = store.read(cell)
    learned = learn_universal(
        Universal(eps=8 / 255, samples=12, batch=4),
        tiny.models[1].module,
        list(training_batches(cell, bench, steps=3)),
        objective=OBJECTIVES["training_loss"],
    )
    np.testing.assert_array_equal(held.perturbation, learned.perturbation.numpy())
    np.testing.assert_array_equal(held.losses, learned.losses)
    assert held.perturbation.shape == (3, 8, 12)
    assert run_all([cell], bench, store) == 0


@pytest.mark.parametrize("model", [0, 1])
def test_a_universal_perturbation_is_laid_on_every_picture(tmp_path: Path, model: int) -> None:
    tiny, store = plan(training=TRAINING, people=NoisePeople(broken=(1,))), Store(tmp_path)
    cell = universal(tiny)
    replays = [Replay(people=clean(tiny, model, block=block), source=cell) for block in (0, 1)]
    assert run_all(replays, workbench(tiny), store) == 3, "learned once for both blocks"
    learned = torch.from_numpy(store.read(cell).perturbation)
    for replay in replays:
        rows = range(replay.people.start, replay.people.stop)
        images = tiny.dataset.load(rows, input_size=(8, 12)).images
        expected = predicted(tiny.models[model], apply_universal(images, learned))
        np.testing.assert_array_equal(store.read(replay).table.predicted, expected)
    bare = Replay(people=clean(tiny, model))
    run_all([bare], workbench(tiny), store)
    shown, unshown = store.read(replays[0]), store.read(bare)
    moved = np.abs(shown.table.predicted - unshown.table.predicted).max()
    assert max(moved, np.abs(shown.signals["score"] - unshown.signals["score"]).max()) > 1e-3


def test_with_flip_a_universal_perturbation_is_mirrored_whole(tmp_path: Path) -> None:
    """Also where a pixel near 0 or 1 could not hold all of it: mirrored it lies on another pixel."""
    tiny, store = plan(training=TRAINING), Store(tmp_path)
    cell = universal(tiny)
    learned = torch.full((3, 8, 12), -16 / 255)
    learned[:, :, :4] = 16 / 255
    store.put(cell, UniversalResult(perturbation=learned.numpy(), losses=np.zeros(3)))
    replay = Replay(people=clean(tiny, 0), source=cell, change=MIRRORED)
    run_all([replay], workbench(tiny), store)
    images = tiny.dataset.load(range(replay.people.start, replay.people.stop), input_size=(8, 12)).images
    assert (images < 8 / 255).any() and (images > 247 / 255).any()
    whole = predicted(tiny.models[0], apply_universal(images, learned.flip(-1)))
    np.testing.assert_array_equal(store.read(replay).table.predicted, whole)
    clipped = mirrored_perturbation(images, apply_universal(images, learned))
    assert np.abs(predicted(tiny.models[0], clipped) - whole).max() > 1e-3


def test_a_universal_perturbation_of_another_size_is_refused(tmp_path: Path) -> None:
    tiny, store = plan(training=TRAINING), Store(tmp_path)
    cell = universal(tiny)
    store.put(cell, UniversalResult(perturbation=np.zeros((3, 12, 8), np.float32), losses=np.zeros(3)))
    with pytest.raises(RobustPoseError, match=r"is of size \(12, 8\), linear takes crops of \(8, 12\)"):
        run_all([Replay(people=clean(tiny, 0), source=cell)], workbench(tiny), store)
