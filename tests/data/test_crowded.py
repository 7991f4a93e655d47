"""CrowdPose and OCHuman: files in the published formats."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.errors import RobustPoseError
from robustpose.metrics.coco import oks, sigmas_of
from robustpose.skeletons import COCO_17, CROWDPOSE_14, OCHUMAN_19

from .files import coco_annotation, noise, write_json, write_photo

CROWD_NAMES = [
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck"),
]
HIDDEN_NAMES = [
    *("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "head", "neck"),
    *("right_ear", "left_ear", "nose", "right_eye", "left_eye"),
]


def crowd(folder: Path, *people: dict[str, Any], names: list[str] = CROWD_NAMES) -> Path:
    """Write a crowdpose_val.json of one photo in the published tree: json/ beside images/."""
    write_photo(folder / "images" / "100007.png", noise())
    content = {
        "images": [{"file_name": "100007.png", "id": 100007, "height": 48, "width": 64, "crowdIndex": 0.4}],
        "annotations": list(people),
        "categories": [{"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": []}],
    }
    return write_json(folder / "json" / "crowdpose_val.json", content)


def of_crowd(number: int, **changes: Any) -> dict[str, Any]:
    """Return a person without area, as CrowdPose has them: left shoulder (10, 12), head (14, 9) occluded."""
    keypoints = [10, 12, 2] + [0, 0, 0] * 11 + [14, 9, 1] + [0, 0, 0]
    return {
        "num_keypoints": 2,
        "iscrowd": 0,
        "keypoints": keypoints,
        "image_id": 100007,
        "bbox": [4, 2, 20, 40],
        "category_id": 1,
        "id": number,
    } | changes


def test_crowdpose_is_read_with_its_14_keypoints_and_its_area(tmp_path: Path) -> None:
    people = open_dataset(
        f"crowdpose:{crowd(tmp_path, of_crowd(3), of_crowd(2, iscrowd=1), of_crowd(1, num_keypoints=0))}"
    )
    assert (people.name, people.skeleton, len(people)) == ("crowdpose", CROWDPOSE_14, 1)
    assert people.left_out == ("a crowd: 1", "no labelled keypoint: 1")
    batch = people.load([0], input_size=(50, 50))  # 1.25 x 40 photo pixels: one to one
    assert batch.ids == ("crowdpose:100007:3",)
    assert batch.visible[0].nonzero().flatten().tolist() == [0, CROWDPOSE_14.index("head_top")]
    # the box's centre, (13.5, 21.5) from pixel centres, is the crop's 24.5, 24.5
    assert batch.keypoints[0, 0].tolist() == pytest.approx([24.5 + 10 - 13.5, 24.5 + 12 - 21.5])
    assert batch.area is not None
    assert batch.area.tolist() == pytest.approx([0.53 * 20 * 40])


def test_crowdposes_oks_is_that_of_its_evaluation_code(tmp_path: Path) -> None:
    """Typed from its formula: exp(-d^2 / (2 s^2 (2 sigma)^2)), s^2 = 0.53 w h, sigmas .79 of shoulder and head."""
    people = open_dataset(f"crowdpose:{crowd(tmp_path, of_crowd(1))}")
    batch = people.load([0], input_size=(50, 50))
    assert batch.area is not None
    predicted = batch.keypoints.double().numpy().copy()
    predicted[0, 0, 0] += 3.0
    value = oks(
        predicted,
        batch.keypoints.double().numpy(),
        batch.visible.numpy(),
        area=batch.area.numpy(),
        sigmas=sigmas_of(CROWDPOSE_14),
    )
    expected = (math.exp(-9 / (2 * 0.53 * 800 * (2 * 0.079) ** 2)) + 1) / 2
    assert value.tolist() == pytest.approx([expected])


def test_a_crowdpose_file_of_other_keypoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RobustPoseError, match=r"category 'person' must have the keypoints left_shoulder, .*; got nose"
    ):
        open_dataset(f"crowdpose:{crowd(tmp_path, of_crowd(1), names=['nose', 'neck'])}")
    with pytest.raises(RobustPoseError, match=r"annotation 1: keypoints must be 42 numbers .* got 3 values"):
        open_dataset(f"crowdpose:{crowd(tmp_path, of_crowd(1, keypoints=[1, 2, 2]))}")


def hidden(folder: Path, *people: dict[str, Any], names: list[str] = HIDDEN_NAMES) -> Path:
    """Write an ochuman.json of one photo."""
    write_photo(folder / "images" / "000007.png", noise())
    content = {
        "keypoint_names": names,
        "keypoint_visible": {"missing": 0, "vis": 1, "self_occluded": 2, "others_occluded": 3},
        "images": [
            {"image_id": "1", "file_name": "000007.png", "width": 64, "height": 48, "annotations": list(people)}
        ],
    }
    return write_json(folder / "ochuman.json", content)


def of_hidden(**changes: Any) -> dict[str, Any]:
    """Return a person as ochuman.json writes it: shoulder seen, elbow self-occluded, nose hidden by others."""
    keypoints = [30, 12, 1, 28, 20, 2] + [0, 0, 0] * 14 + [20, 9, 3] + [0, 0, 0] * 2
    return {"bbox": [4, 2, 24, 42], "keypoints": keypoints, "segms": None, "max_iou": 0.6} | changes


def test_ochuman_is_read_with_its_19_keypoints(tmp_path: Path) -> None:
    path = hidden(tmp_path, of_hidden(keypoints=None), of_hidden(), of_hidden(keypoints=[0] * 57))
    people = open_dataset(f"ochuman:{path}")
    assert (people.name, people.skeleton, len(people)) == ("ochuman", OCHUMAN_19, 1)
    assert people.left_out == ("no labelled keypoint: 1", "without keypoints: 1")
    batch = people.load([0], input_size=(50, 50))
    assert batch.ids == ("ochuman:000007:1",)
    assert batch.visible[0].nonzero().flatten().tolist() == [0, 1, OCHUMAN_19.index("nose")]
    assert batch.keypoints[0, 0].tolist() == pytest.approx([24.5 + 30 - 13.5, 24.5 + 12 - 21.5])
    assert batch.box_side.tolist() == pytest.approx([40.0])
    assert batch.area is not None
    assert batch.area.tolist() == [20 * 40]


def test_the_order_of_ochumans_keypoints_is_the_files(tmp_path: Path) -> None:
    flags = np.zeros((19, 3))
    flags[3] = [20, 9, 1]
    names = ["head", *reversed([name for name in HIDDEN_NAMES if name != "head"])]
    path = hidden(tmp_path, of_hidden(keypoints=flags.ravel().tolist()), names=names)
    batch = open_dataset(f"ochuman:{path}").load([0], input_size=(50, 50))
    assert [OCHUMAN_19.keypoints[row] for row in batch.visible[0].nonzero().flatten()] == ["nose"]


def test_ochumans_coco_form_has_cocos_keypoints(tmp_path: Path) -> None:
    write_photo(tmp_path / "images" / "000007.png", noise())
    content = {
        "images": [{"id": 1, "file_name": "000007.png", "height": 48, "width": 64}],
        "annotations": [coco_annotation(1, 1, area=800.0)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }
    path = write_json(tmp_path / "ochuman_coco_format_val_range_0.00_1.00.json", content)
    people = open_dataset(f"ochuman:{path}")
    assert (people.name, people.skeleton, len(people)) == ("ochuman", COCO_17, 1)
    assert people.load([0], input_size=(50, 50)).ids == ("ochuman:000007:1",)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"keypoints": [1, 2]}, "person 0: keypoints must be 57 numbers, got [1, 2]"),
        ({"bbox": [1, 2]}, "person 0: bbox must be 4 numbers (x1, y1, x2, y2), got [1, 2]"),
        ({"keypoints": [1, 1, 4] + [0] * 54}, "person 0: v of right_shoulder must be 0 to 3, got 4"),
        ({"bbox": [9, 9, 9, 9]}, "no person can be used: an empty box: 1"),
    ],
)
def test_what_is_wrong_with_an_ochuman_file_is_named(tmp_path: Path, change: dict[str, Any], line: str) -> None:
    path = hidden(tmp_path, of_hidden(**change))
    with pytest.raises(RobustPoseError) as caught:
        open_dataset(f"ochuman:{path}")
    assert line in str(caught.value)
    assert str(path) in str(caught.value)


def test_other_keypoint_names_than_ochumans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RobustPoseError, match=r"keypoint_names must be right_shoulder, .* in any order, got a list of 18"
    ):
        open_dataset(f"ochuman:{hidden(tmp_path, of_hidden(), names=HIDDEN_NAMES[1:])}")
