from typing import Any

import pytest
import torch

from robustpose.skeletons import COCO_17, EFFICIENTPOSE_16, MPII_16
from robustpose.types import Batch


def _coco(**changes: Any) -> Batch:
    """Two people; keypoint k of person n at (k, 100 * n + k); the left ankle (15) is not visible."""
    keypoints = torch.stack(
        [torch.stack([torch.arange(17.0), 100.0 * n + torch.arange(17.0)], dim=-1) for n in range(2)]
    )
    visible = torch.ones(2, 17, dtype=torch.bool)
    visible[:, 15] = False
    fields: dict[str, Any] = {
        "images": torch.rand(2, 3, 6, 4),
        "keypoints": keypoints,
        "visible": visible,
        "head_size": torch.tensor([1.0, 2.0]),
        "box_side": torch.tensor([3.0, 4.0]),
        "crops": torch.eye(2, 3, dtype=torch.float64).repeat(2, 1, 1),
        "ids": ("a", "b"),
        "skeleton": COCO_17,
        "unreadable": ("c: missing",),
    }
    return Batch(**(fields | changes))


def test_a_batch_knows_its_number_and_size() -> None:
    batch = _coco()
    assert (len(batch), batch.input_size) == (2, (6, 4))


@pytest.mark.parametrize(
    ("field", "shape", "expected"),
    [
        ("keypoints", (2, 16, 2), r"\(2, 17, 2\), got \(2, 16, 2\)"),
        ("visible", (1, 17), r"\(2, 17\), got \(1, 17\)"),
        ("head_size", (2, 1), r"\(2,\), got \(2, 1\)"),
        ("box_side", (3,), r"\(2,\), got \(3,\)"),
        ("crops", (2, 3, 3), r"\(2, 2, 3\), got \(2, 3, 3\)"),
        ("images", (2, 6, 4, 3), r"\(2, 3, H, W\), got \(2, 6, 4, 3\)"),
        ("images", (3, 6, 4), r"\(2, 3, H, W\), got \(3, 6, 4\)"),
    ],
)
def test_a_wrong_shape_is_named(field: str, shape: tuple[int, ...], expected: str) -> None:
    with pytest.raises(ValueError, match=rf"batch: {field} must have shape {expected}"):
        _coco(**{field: torch.zeros(shape)})


def test_areas_and_photos_are_of_everyone_or_of_nobody() -> None:
    batch = _coco(area=torch.tensor([5.0, 6.0]), photos=("x.jpg", "x.jpg"))
    assert batch.in_skeleton(MPII_16).photos == batch.to("meta").photos == ("x.jpg", "x.jpg")
    assert _coco().area is None
    with pytest.raises(ValueError, match=r"batch: area must have shape \(2,\), got \(3,\)"):
        _coco(area=torch.zeros(3))
    with pytest.raises(ValueError, match="batch: photos must be 2 names or none, got 1"):
        _coco(photos=("x.jpg",))


def test_in_another_skeleton_shared_keypoints_move_and_the_rest_is_not_visible() -> None:
    batch = _coco()
    mpii = batch.in_skeleton(MPII_16)
    assert mpii.skeleton == MPII_16
    assert mpii.keypoints[1, MPII_16.index("right_ankle")].tolist() == [16, 116]
    assert mpii.keypoints[0, MPII_16.index("left_shoulder")].tolist() == [5, 5]
    # left ankle: not visible in the data; pelvis, thorax, upper neck, head top: COCO has none
    assert (~mpii.visible[0]).nonzero().flatten().tolist() == [5, 6, 7, 8, 9]
    assert not mpii.keypoints[:, 6:10].any()
    assert (mpii.ids, mpii.unreadable) == (batch.ids, batch.unreadable)
    assert torch.equal(mpii.images, batch.images)


def test_in_its_own_skeleton_nothing_changes_and_a_reorder_can_be_undone() -> None:
    batch = _coco()
    assert batch.in_skeleton(COCO_17) is batch
    mpii = batch.in_skeleton(MPII_16)
    there_and_back = mpii.in_skeleton(EFFICIENTPOSE_16).in_skeleton(MPII_16)
    assert torch.equal(there_and_back.keypoints, mpii.keypoints)
    assert torch.equal(there_and_back.visible, mpii.visible)


def test_on_another_device_the_crops_stay() -> None:
    moved = _coco().to("meta")
    for field in ("images", "keypoints", "visible", "head_size", "box_side"):
        assert getattr(moved, field).device.type == "meta"
    assert moved.crops.device.type == "cpu"
    assert (moved.ids, moved.unreadable) == (("a", "b"), ("c: missing",))
