import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.data.detections import open_detected, overlap
from robustpose.errors import RobustPoseError

from .files import coco_annotation, coco_content, noise, write_json, write_photo


def detection(box: list[float], score: float, *, image: int = 7, **changes: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": 1, "bbox": box, "score": score} | changes


def files(folder: Path, *detections: dict[str, Any]) -> tuple[Path, Path]:
    """Write two people in 000007.png, at (4, 2, 20, 40) and (30, 2, 20, 40), and a crowd; and detections."""
    for name in ("000007.png", "000003.png"):
        write_photo(folder / "images" / name, noise())
    people = [
        coco_annotation(1, 7),
        coco_annotation(2, 7, bbox=[30.0, 2.0, 20.0, 40.0], area=700.0),
        coco_annotation(3, 3, iscrowd=1),
    ]
    return write_json(folder / "people.json", coco_content(people)), write_json(
        folder / "det.json", list(detections)
    )


def test_overlap_by_hand() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0
    assert overlap((0, 0, 10, 10), (2, 2, 5, 5)) == 0.25


def test_the_model_sees_the_detected_box_and_the_truth_of_whom_it_fits(tmp_path: Path) -> None:
    path, found = files(tmp_path, detection([5, 2, 20, 40], 0.9), detection([100, 100, 5, 5], 0.4))
    people = open_detected(path, found)
    assert (people.name, len(people)) == ("coco-detections", 2)
    batch = people.load([0, 1], input_size=(50, 50))
    assert batch.ids == ("coco:000007:detection0", "coco:000007:detection1")
    assert batch.visible.sum(dim=1).tolist() == [2, 0]
    # the crop's centre is the detected box's, (14.5, 21.5) from pixel centres; the nose is at (10, 12)
    assert batch.keypoints[0, 0].tolist() == pytest.approx([24.5 + 10 - 14.5, 24.5 + 12 - 21.5])
    assert batch.area is not None
    assert batch.area.tolist() == pytest.approx([500.0, np.nan], nan_ok=True)
    assert people.left_out == ("detections of nobody, asked all the same: 1",)


def test_the_surest_detection_has_the_person_and_others_have_none(tmp_path: Path) -> None:
    path, found = files(
        tmp_path, detection([4, 2, 20, 40], 0.5), detection([6, 2, 20, 40], 0.8), detection([31, 2, 20, 40], 0.1)
    )
    people = open_detected(path, found)
    assert [person.visible.any() for person in people.people] == [False, True, True]
    assert [person.area for person in people.people[1:]] == [500.0, 700.0]


def test_a_box_that_overlaps_less_than_half_fits_nobody(tmp_path: Path) -> None:
    path, found = files(tmp_path, detection([4, 2, 20, 20], 0.5), detection([30, 2, 20, 19.9], 0.5))
    assert [person.visible.any() for person in open_detected(path, found).people] == [True, False]


def test_detections_of_other_things_and_photos_are_counted(tmp_path: Path) -> None:
    path, found = files(
        tmp_path,
        detection([4, 2, 20, 40], 0.5),
        detection([4, 2, 20, 40], 0.5, category_id=3),
        detection([4, 2, 20, 40], 0.5, image=99),
        detection([4, 2, 0, 40], 0.5),
    )
    people = open_detected(path, found)
    assert len(people) == 1
    assert people.left_out == (
        "detections in photos that the annotations lack: 1",
        "detections of something else: 1",
        "detections with an empty box: 1",
    )


def test_what_the_official_scores_need_is_kept(tmp_path: Path) -> None:
    path, found = files(tmp_path, detection([4, 2, 20, 40], 0.5), detection([9, 9, 9, 9], 0.25, image=3))
    detected = open_detected(path, found).detected
    assert detected is not None
    assert {name: [each["id"] for each in there] for name, there in detected.annotations.items()} == {
        "000007.png": [1, 2],
        "000003.png": [3],  # the crowd is ignored by the evaluation, so it has to be there
    }
    assert detected.scores == {"coco:000007:detection0": 0.5, "coco:000003:detection1": 0.25}
    assert detected.rows == {"000007.png": 1, "000003.png": 1}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"images": []}, "expected a list of detections, got {'images': []}"),
        ([3], "detection 0: expected an object, got 3"),
        ([{"score": 1}], "detection 0: bbox must be 4 numbers, got None"),
        ([{"bbox": [1, 2, 3, 4]}], "detection 0: score must be a number, got None"),
        ([], "has no detection of a person in the photos of"),
    ],
)
def test_what_is_wrong_with_a_results_file_is_named(tmp_path: Path, content: Any, line: str) -> None:
    path, found = files(tmp_path)
    found.write_text(json.dumps(content))
    with pytest.raises(RobustPoseError) as caught:
        open_dataset(f"coco:{path}", detections=found)
    assert line in str(caught.value)
    assert str(found) in str(caught.value)


def test_detections_are_for_coco_and_need_no_choice_by_labels(tmp_path: Path) -> None:
    path, found = files(tmp_path, detection([4, 2, 20, 40], 0.5))
    with pytest.raises(RobustPoseError, match="works with coco:PATH only, got mpii"):
        open_dataset(f"mpii:{path}", detections=found)
    with pytest.raises(RobustPoseError, match="select annotated people, not detections"):
        open_dataset(f"coco:{path}", detections=found, min_keypoints=2)
    with pytest.raises(RobustPoseError, match=r"none\.json: no such file"):
        open_dataset(f"coco:{path}", detections=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"area": None}, "annotation 1: with detections area must be a number, got None"),
        ({"keypoints": [1, 2]}, "annotation 1: with detections keypoints must be 51 numbers"),
        ({"bbox": None}, "annotation 1: with detections bbox must be 4 numbers, got None"),
    ],
)
def test_what_the_official_evaluation_lacks_is_said_before_anything_is_attacked(
    tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    path, found = files(tmp_path, detection([4, 2, 20, 40], 0.5))
    content = json.loads(path.read_text())
    # A crowd's, which the data set itself does not read.
    content["annotations"][0] |= {"iscrowd": 1, **change}
    path.write_text(json.dumps(content))
    with pytest.raises(RobustPoseError, match=line):
        open_detected(path, found)


def test_a_crowd_without_keypoints_has_none(tmp_path: Path) -> None:
    path, found = files(tmp_path, detection([31, 2, 20, 40], 0.5))
    content = json.loads(path.read_text())
    content["annotations"][0]["iscrowd"] = 1
    del content["annotations"][0]["keypoints"]
    path.write_text(json.dumps(content))
    detected = open_detected(path, found).detected
    assert detected is not None
    assert detected.annotations["000007.png"][0]["keypoints"] == [0] * 51


@pytest.mark.parametrize(("photo", "shown"), [([7], r"\[7\]"), (True, "true|True")])
def test_a_detection_in_no_one_photo_is_named(tmp_path: Path, photo: object, shown: str) -> None:
    path, found = files(tmp_path, detection([4, 2, 20, 40], 0.5) | {"image_id": photo})
    with pytest.raises(RobustPoseError, match=rf"detection 0: image_id must be a whole number, got ({shown})"):
        open_detected(path, found)
