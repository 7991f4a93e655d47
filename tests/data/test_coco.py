import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustpose.data.coco import open_coco
from robustpose.data.people import PhotoPeople
from robustpose.data.photos import UnreadablePhoto, read_photo
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels, inside
from robustpose.skeletons import COCO_17, MPII_16
from robustpose.types import PoseDataset

from .files import coco_annotation, coco_content, noise, real_file, write_json, write_photo


def _written(folder: Path, content: dict[str, Any]) -> Path:
    write_photo(folder / "images" / "000007.png", noise(seed=7))
    write_photo(folder / "images" / "000003.png", noise(seed=3))
    return write_json(folder / "people.json", content)


def _opened(folder: Path, *annotations: dict[str, Any]) -> PhotoPeople:
    return open_coco(_written(folder, coco_content(annotations)))


def test_people_come_by_photo_then_id_and_say_where_they_are(tmp_path: Path) -> None:
    people: PoseDataset = _opened(tmp_path, coco_annotation(30, 7), coco_annotation(4, 3), coco_annotation(200, 3))
    assert (len(people), people.name, people.skeleton) == (3, "coco", COCO_17)
    batch = people.load([2, 0, 1], input_size=(80, 40))
    assert batch.ids == ("coco:000007:30", "coco:000003:4", "coco:000003:200")
    assert batch.unreadable == ()
    assert batch.input_size == (80, 40)


def test_a_crop_of_exactly_the_box_holds_the_photos_pixels(tmp_path: Path) -> None:
    people = _opened(tmp_path, coco_annotation(1, 7))  # the box (4, 2, 20, 40) lies between pixel edges
    batch = people.load([0], input_size=(40, 20), padding=1.0)
    expected = torch.from_numpy(noise(seed=7)[2:42, 4:24].astype(np.float32) / 255).permute(2, 0, 1)
    assert batch.images.dtype == torch.float32
    assert torch.equal(batch.images[0], expected)
    assert torch.equal(batch.keypoints[0, :2], torch.tensor([[10.0 - 4, 12.0 - 2], [14.0 - 4, 9.0 - 2]]))
    assert batch.box_side.tolist() == [40.0]


def test_the_usual_crop_is_the_box_times_padding(tmp_path: Path) -> None:
    people = _opened(tmp_path, coco_annotation(1, 7))
    batch = people.load([0], input_size=(100, 100))  # side 1.25 * 40 = 50 photo pixels: a zoom of 2
    assert batch.box_side.tolist() == [80.0]
    assert torch.allclose(batch.crops[0, :, :2], torch.eye(2, dtype=torch.float64) * 2)
    # the box's centre is (14, 22) from the edges, 13.5, 21.5 of a point; it lies at the crop's 49.5, 49.5
    assert batch.keypoints[0, 0].tolist() == pytest.approx([49.5 + 2 * (10 - 13.5), 49.5 + 2 * (12 - 21.5)])


def test_labelled_counts_seen_or_occluded_and_nothing_else_has_a_place(tmp_path: Path) -> None:
    batch = _opened(tmp_path, coco_annotation(1, 7)).load([0], input_size=(64, 48))
    assert batch.visible[0].tolist() == [True, True] + [False] * 15
    assert not batch.keypoints[0, 2:].any()
    assert batch.head_size.isnan().all()


def test_areas_are_the_annotations_own_in_photo_pixels_and_photos_are_named(tmp_path: Path) -> None:
    without = coco_annotation(2, 3)
    del without["area"]
    batch = _opened(tmp_path, coco_annotation(1, 7, area=123.456), without).load([1, 0], input_size=(64, 48))
    assert batch.area is not None and batch.area.dtype == torch.float64
    assert batch.area.tolist() == pytest.approx([123.456, math.nan], nan_ok=True, rel=1e-15)
    assert batch.photos == ("000007.png", "000003.png")
    assert batch.in_skeleton(MPII_16).area is batch.area
    assert _opened(tmp_path, coco_annotation(1, 7, area=0)).people[0].area == 0.0


def test_who_does_not_take_part_is_counted_by_reason(tmp_path: Path) -> None:
    content = coco_content(
        [
            coco_annotation(1, 7),
            coco_annotation(2, 7, iscrowd=1, keypoints=[]),
            coco_annotation(3, 7, num_keypoints=0),
            coco_annotation(4, 3, keypoints=[0] * 51),
            coco_annotation(5, 3, bbox=[1, 1, 0, 5]),
            coco_annotation(6, 3, category_id=18),
        ]
    )
    people = open_coco(_written(tmp_path, content))
    assert people.left_out == (
        "a crowd: 1",
        "an empty box: 1",
        "no labelled keypoint: 2",
        "not of category person: 1",
    )
    assert [person.id for person in people.people] == ["coco:000007:1"]


def test_an_unreadable_photo_leaves_its_people_out_and_names_them(tmp_path: Path) -> None:
    people = _opened(tmp_path, coco_annotation(1, 7), coco_annotation(2, 3), coco_annotation(3, 3))
    photo = tmp_path / "images" / "000003.png"
    photo.write_bytes(photo.read_bytes()[:200])
    batch = people.load([0, 2, 1], input_size=(32, 32))
    assert batch.ids == ("coco:000007:1",)
    assert batch.unreadable == (f"coco:000003:2: {photo}: truncated", f"coco:000003:3: {photo}: truncated")
    nobody = people.load([0], input_size=(32, 24))
    assert (len(nobody), tuple(nobody.images.shape), len(nobody.unreadable)) == (0, (0, 3, 32, 24), 1)


def test_neighbours_of_one_photo_decode_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = _opened(tmp_path, *(coco_annotation(number, 3) for number in range(5)), coco_annotation(9, 7))
    decoded: list[str] = []

    def counted_read(path: Path, **how: Any) -> Pixels:
        decoded.append(path.name)
        return read_photo(path, **how)

    monkeypatch.setattr("robustpose.data.people.read_photo", counted_read)
    assert len(people.load(range(6), input_size=(8, 8))) == 6
    assert decoded == ["000003.png", "000007.png"]


def test_the_fingerprint_is_of_the_people_and_not_of_the_place(tmp_path: Path) -> None:
    one, other = coco_annotation(1, 7), coco_annotation(2, 3)
    first = _opened(tmp_path / "here", one, other).fingerprint
    assert first == _opened(tmp_path / "there", other, one, coco_annotation(9, 3, iscrowd=1)).fingerprint
    moved = coco_annotation(2, 3, keypoints=[10, 13, 2, 14, 9, 1] + [0] * 45)
    unlabelled = coco_annotation(2, 3, keypoints=[10, 12, 2, 14, 9, 0] + [0] * 45)
    boxed = coco_annotation(2, 3, bbox=[4.0, 2.0, 20.0, 40.5])
    larger = coco_annotation(2, 3, area=501.0)
    others = [
        (one,),
        (one, moved),
        (one, unlabelled),
        (one, boxed),
        (one, larger),
        (one, coco_annotation(3, 3)),
        (one, other | {"image_id": 7}),
    ]
    prints = {_opened(tmp_path / "other", *annotations).fingerprint for annotations in others}
    assert len(prints) == len(others) and first not in prints


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"keypoints": [1, 2, 2] * 16},
            r"annotation 5: keypoints must be 51 numbers .*nose, left_eye.*, got 48 values",
        ),
        (
            {"keypoints": [None] * 51},
            r"annotation 5: keypoints must be 51 numbers.*got 51 values, None among them",
        ),
        ({"keypoints": [float("nan")] * 51}, "annotation 5: keypoints must be 51 numbers"),
        ({"keypoints": None}, "annotation 5: keypoints must be 51 numbers.*got None"),
        ({"keypoints": [1, 2, 2, 1, 2, 3] + [0] * 45}, "annotation 5: v of left_eye must be 0, 1 or 2, got 3"),
        ({"image_id": 8}, "annotation 5: image_id 8 is not among the file's images"),
        ({"image_id": True}, "annotation 5: image_id True is not among the file's images"),
        ({"image_id": [7]}, "annotation 5: image_id .* is not among the file's images"),
        ({"bbox": [1, 2, 3]}, r"annotation 5: bbox must be 4 numbers \(x, y, width, height\), got \[1, 2, 3\]"),
        ({"area": -1}, "annotation 5: area must be a number of at least 0, got -1"),
        ({"area": "large"}, "annotation 5: area must be a number of at least 0, got 'large'"),
        ({"id": "5"}, "an annotation has no whole number 'id'"),
        ({"id": 1}, "annotation 1: is there twice"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = _written(tmp_path, coco_content([coco_annotation(1, 7), coco_annotation(5, 7) | change]))
    with pytest.raises(RobustPoseError, match=message) as caught:
        open_coco(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    content = coco_content([coco_annotation(1, 7)])
    text = json.dumps(content)
    swapped = list(COCO_17.keypoints)
    swapped[1:3] = swapped[2:0:-1]
    wrong: list[tuple[str | bytes, str]] = [
        (text[:-40], "not JSON, or truncated"),
        ("", "not JSON, or truncated"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "not JSON"),
        ("[]", "expected images, annotations and categories, got a list"),
        (json.dumps({k: v for k, v in content.items() if k != "annotations"}), "has no list 'annotations'"),
        (json.dumps({k: v for k, v in content.items() if k != "images"}), "has no list 'images'"),
        (json.dumps(content | {"categories": {}}), "has no list 'categories'"),
        (json.dumps(content | {"categories": []}), "has no category 'person'"),
        (
            json.dumps(content | {"categories": [{"id": 1, "name": "person"}]}),
            "category 'person' names no keypoints",
        ),
        (
            json.dumps(content | {"categories": [{"id": 1, "name": "person", "keypoints": swapped}]}),
            "must have the keypoints nose, left_eye, right_eye.*got nose, right_eye, left_eye",
        ),
        (json.dumps(content | {"images": [{"id": 7}]}), "an image must have"),
        (json.dumps(content | {"annotations": []}), "no person can be used: it has none"),
        (json.dumps(coco_content([coco_annotation(1, 7, iscrowd=1)])), "no person can be used: a crowd: 1"),
    ]
    file = _written(tmp_path, content)
    for given, message in wrong:
        file.write_bytes(given if isinstance(given, bytes) else given.encode())
        with pytest.raises(RobustPoseError, match=message) as caught:
            open_coco(file)
        assert str(caught.value).startswith(f"{file}: ")


def test_the_official_tree_is_found(tmp_path: Path) -> None:
    write_photo(tmp_path / "val2017" / "000007.png")
    content = coco_content([coco_annotation(1, 7)])
    people = open_coco(write_json(tmp_path / "annotations" / "person_keypoints_val2017.json", content))
    assert people.folder.resolve() == (tmp_path / "val2017").resolve()


def test_real_people_of_the_whole_validation_form() -> None:
    people = open_coco(real_file("coco_format/test_coco.json"))
    assert len(people) == 12
    assert people.left_out == ("no labelled keypoint: 2",)
    first = people.people[0]
    assert (first.id, first.box) == ("coco:000000000785:442619", (280.79, 44.73, 218.7, 346.68))
    assert first.keypoints[COCO_17.index("right_ankle")].tolist() == [396, 341]
    _check_real(people, beyond_box=0.1)


def test_real_people_of_the_development_set() -> None:
    people = open_coco(real_file("coco_dev/person_keypoints_coco_dev.json"))
    assert (len(people), people.left_out) == (253, ())
    assert len({person.photo for person in people.people}) == 90
    _check_real(people, beyond_box=0.5)  # a few boxes are drawn around less than the labelled body


def _check_real(people: PhotoPeople, *, beyond_box: float) -> None:
    """Check that keypoints lie in crops and nearly all in boxes, at most `beyond_box` longer sides outside."""
    batch = people.load(range(len(people)), input_size=(64, 48))
    assert batch.unreadable == ()
    assert len(batch) == len(people) == len(set(batch.ids))
    labelled = batch.visible.numpy()
    assert inside(batch.keypoints.double().numpy(), (64, 48))[labelled].mean() > 0.99
    outside: list[bool] = []
    for person in people.people:
        x, y, w, h = person.box
        beyond = np.maximum([x, y] - person.keypoints, person.keypoints - [x + w, y + h])[person.visible]
        assert beyond.max() < beyond_box * max(w, h), person.id
        outside.extend(beyond.max(axis=1) > 2)
    assert np.mean(outside) < 0.05


@pytest.mark.parametrize("content", ["[" * 200_000, f'{{"images": {"9" * 5001}}}', '{"images": ['])
def test_json_that_no_reader_takes_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(content)
    with pytest.raises(RobustPoseError, match=r"people\.json: not JSON, or truncated: ") as caught:
        open_coco(path)
    assert "\n" not in str(caught.value)


def test_a_number_beyond_all_floats_is_no_number(tmp_path: Path) -> None:
    path = write_json(tmp_path / "people.json", coco_content([coco_annotation(1, 7, bbox=[0, 0, 10**400, 1])]))
    with pytest.raises(RobustPoseError, match="bbox must be 4 numbers"):
        open_coco(path)


def test_a_photo_name_that_no_file_can_have_is_an_unreadable_photo(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhoto, match="cannot be read: embedded null"):
        read_photo(tmp_path / "a\0b.jpg")
