from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from robustpose.data import synthpose
from robustpose.data.export import export_people
from robustpose.data.rendered import PEOPLE, RenderedPeople, open_rendered
from robustpose.data.synthpose.splits import split_named
from robustpose.errors import RobustPoseError
from robustpose.geometry import cells_to_pixels, inside
from robustpose.skeletons import MPII_16
from robustpose.types import PoseDataset


class StubRenderer:
    """Images whose level is the row, with joint k at (row, k), and a record of the requested rows."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int, int, float]] = []

    def rendered_set(self, split: str, start: int, stop: int, *, size: int, padding: float, **_: Any) -> Any:
        self.asked.append((split, start, stop, size, padding))
        rows = np.arange(start, stop)
        visibility = np.full((len(rows), 16), 2, np.uint8)
        visibility[:, 3], visibility[:, 9] = 1, 0  # occluded, outside the image
        return SimpleNamespace(
            images=np.broadcast_to((rows % 256)[:, None, None, None], (len(rows), size, size, 3)).astype(np.uint8),
            mpii=np.stack(np.broadcast_arrays(rows[:, None], np.arange(16)), axis=-1).astype(np.float32),
            mpii_visibility=visibility,
            head_size=rows / 10,
            box=np.stack([rows, rows, 2 * rows, 3 * rows], axis=1).astype(np.float32),
        )


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> StubRenderer:
    stub = StubRenderer()
    monkeypatch.setattr(synthpose, "rendered_set", stub.rendered_set)
    monkeypatch.setattr(synthpose, "RENDERER_VERSION", "f00d")
    return stub


def test_people_come_in_the_order_asked_for_with_their_truth(renderer: StubRenderer) -> None:
    people: PoseDataset = open_rendered("test")
    rows = [205, 3, 204, 3]
    batch = people.load(rows, input_size=(32, 32))
    assert batch.ids == (
        "synthpose:test:000205",
        "synthpose:test:000003",
        "synthpose:test:000204",
        "synthpose:test:000003",
    )
    assert batch.images.dtype == torch.float32
    assert tuple(batch.images.shape) == (4, 3, 32, 32)
    assert (batch.images * 255).round()[:, 0, 0, 0].tolist() == rows
    assert batch.keypoints[0, 15].tolist() == [205, 15]
    assert batch.visible[0].logical_not().nonzero().flatten().tolist() == [9]  # occluded counts, outside does not
    assert not batch.keypoints[:, 9].any()
    assert batch.head_size.tolist() == pytest.approx([20.5, 0.3, 20.4, 0.3])
    assert batch.box_side.tolist() == [615, 9, 612, 9]
    assert torch.equal(batch.crops[2], torch.eye(2, 3, dtype=torch.float64))
    assert (batch.skeleton, people.left_out, batch.unreadable) == (MPII_16, (), ())


def test_only_the_shards_that_hold_the_rows_are_rendered(renderer: StubRenderer) -> None:
    open_rendered("val").load([999, 51, 30, 7], input_size=(16, 16), padding=1.5)
    assert renderer.asked == [("val", 0, 50, 16, 1.5), ("val", 50, 100, 16, 1.5), ("val", 950, 1000, 16, 1.5)]


def test_nobody_is_an_empty_batch(renderer: StubRenderer) -> None:
    batch = open_rendered("val").load([], input_size=(8, 8))
    assert (len(batch), batch.input_size, renderer.asked) == (0, (8, 8), [])


def test_splits_are_named_and_numbered(renderer: StubRenderer) -> None:
    assert open_rendered() == open_rendered("val") == RenderedPeople("val")
    for split in ("val", "test"):
        people = open_rendered(split)
        assert (people.name, len(people)) == (f"synthpose:{split}", 1000)
        assert split_named(split).people == PEOPLE[split]
    assert open_rendered("val").fingerprint == "synthpose:val:f00d"
    assert open_rendered("test").fingerprint != open_rendered("val").fingerprint


def test_what_cannot_be_rendered_is_an_error(renderer: StubRenderer) -> None:
    people = open_rendered("val")
    with pytest.raises(RobustPoseError, match=r"synthpose:val: input_size must be square, got 256 x 192"):
        people.load([0], input_size=(256, 192))
    for row in (1000, -1):
        with pytest.raises(RobustPoseError, match=f"synthpose:val: rows are 0 to 999, got {row}"):
            people.load([row], input_size=(8, 8))
    assert renderer.asked == []


@pytest.mark.slow
def test_real_images_are_of_the_same_person_however_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustpose.data.rendered._SHARD", 2)
    monkeypatch.setattr("robustpose.data.synthpose.cache.PEOPLE_PER_SHARD", 2)
    monkeypatch.setenv("ROBUSTPOSE_CACHE", str(tmp_path))
    people = open_rendered("val")
    small, large = (people.load([1, 0], input_size=(size, size)) for size in (32, 64))
    assert torch.equal(small.visible, large.visible)
    assert small.visible.sum(dim=1).min() >= 6
    assert inside(large.keypoints.double().numpy(), (64, 64))[large.visible.numpy()].all()
    near = cells_to_pixels(small.keypoints, heatmap_size=(32, 32), input_size=(64, 64))
    assert (near - large.keypoints)[large.visible].abs().max() < 0.01
    assert torch.allclose(2 * small.head_size, large.head_size, rtol=1e-3)
    assert torch.allclose(2 * small.box_side, large.box_side, rtol=1e-3)
    reduced = torch.nn.functional.avg_pool2d(large.images, 2)
    assert (reduced - small.images).abs().mean() < (reduced.flip(0) - small.images).abs().mean() / 2


def test_writing_people_removes_only_what_a_killed_rendering_left(renderer: StubRenderer, tmp_path: Path) -> None:
    for name in ("shards-2024", "shards-", ".robustpose-shards-mine", ".robustpose-shards-left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept").write_text("mine")
    (tmp_path / ".robustpose-shards-left" / ".made-by-robustpose").touch()
    (tmp_path / ".robustpose-shards-link").symlink_to(tmp_path / ".robustpose-shards-left")
    export_people(open_rendered("test"), tmp_path, n=2, size=32)
    assert {path.parent.name for path in tmp_path.glob("*/kept")} == {
        "shards-2024",
        "shards-",
        ".robustpose-shards-mine",
    }
    assert (tmp_path / "annotations.json").exists()
