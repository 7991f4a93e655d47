"""Annotation files of others: no name in them leads out of the photo folder, waits for ever or fills memory."""

import json
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.data.check import check_data
from robustpose.data.photo_sizes import size_in_header
from robustpose.data.photos import UnreadablePhoto, read_photo
from robustpose.errors import RobustPoseError
from robustpose.skeletons import COCO_17


def coco(folder: Path, names: list[str], *, change: dict[str, Any] | None = None) -> Path:
    """A COCO file of one person in each photo, and photos/."""
    keypoints = [value for row in range(17) for value in (10 + row, 12, 2)]
    person = {"category_id": 1, "keypoints": keypoints, "num_keypoints": 17, "bbox": [5, 5, 40, 50], "area": 900.0}
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [
            {**person, "id": number, "image_id": number, **(change or {})} for number in range(len(names))
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }
    folder.mkdir(exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images" / "good.png"), np.full((60, 50, 3), 90, np.uint8))
    file = folder / "people.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "names no file"),
        ("  ", "names no file"),
        ("images/", "names no file"),
        ("a\0b.png", "holds characters that no file name has"),
        ("a\ud800.png", "holds characters that no file name has"),
        ("../secret.png", "leads out of the photo folder"),
        ("a/../../secret.png", "leads out of the photo folder"),
        ("/etc/passwd", "leads out of the photo folder"),
        ("a" * 2000, "is of 2000 characters"),
    ],
)
def test_a_name_that_is_none_is_one_line(name: str, what: str, tmp_path: Path) -> None:
    file = coco(tmp_path / "d", ["good.png", name])
    with pytest.raises(RobustPoseError, match=what) as caught:
        open_dataset(f"coco:{file}")
    assert str(caught.value).isprintable()
    (checked,) = check_data("coco", [file])
    (wrong,) = [each for each in checked.findings if each.what == "photos have a wrong name"]
    assert (wrong.kind, wrong.number) == ("wrong", 1)
    assert wrong.examples[0].endswith(what)


def test_a_link_out_of_the_photo_folder_is_read_where_the_user_names_the_folder(tmp_path: Path) -> None:
    file = coco(tmp_path / "d", ["good.png", "link.png"])
    secret = tmp_path / "secret.png"
    cv2.imwrite(str(secret), np.full((60, 50, 3), 200, np.uint8))
    (file.parent / "images" / "link.png").symlink_to(secret)
    batch = open_dataset(f"coco:{file}").load([0, 1], input_size=(32, 32))
    assert batch.photos == ("good.png",)
    assert "a link leads out of the photo folder, to" in batch.unreadable[0]
    named = open_dataset(f"coco:{file}", images=file.parent / "images")
    assert named.load([0, 1], input_size=(32, 32)).photos == ("good.png", "link.png")
    assert named.content([1]) != open_dataset(f"coco:{file}").content([1])


def test_a_link_within_the_photo_folder_is_a_photo(tmp_path: Path) -> None:
    file = coco(tmp_path / "d", ["link.png"])
    (file.parent / "images" / "link.png").symlink_to("good.png")
    (tmp_path / "other").symlink_to(file.parent)
    through = open_dataset(f"coco:{tmp_path / 'other' / 'people.json'}")
    assert len(through.load([0], input_size=(32, 32))) == 1


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "folder"])
def test_what_is_no_file_is_not_read(kind: str, tmp_path: Path) -> None:
    file = coco(tmp_path / "d", ["good.png", "odd.png"])
    odd = file.parent / "images" / "odd.png"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    else:
        odd.symlink_to(kind)
    for images in (None, file.parent / "images"):
        started = time.monotonic()
        people = open_dataset(f"coco:{file}", images=images)
        people.content([0, 1])
        batch = people.load([0, 1], input_size=(32, 32))
        assert batch.photos == ("good.png",)
        assert len(batch.unreadable) == 1
        assert time.monotonic() - started < 20


def png_of(width: int, height: int) -> bytes:
    """A PNG of one colour whose pixels take a thousandth of their size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = zlib.compress(bytes((1 + width // 8) * 100))
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_photo_of_a_thousand_million_pixels_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(30_000, 30_000))
    monkeypatch.setattr(cv2, "imdecode", lambda *given: pytest.fail("decoded"))
    with pytest.raises(UnreadablePhoto, match="has 30000 x 30000 pixels, at most 100 million are read"):
        read_photo(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm", ".gif"])
@pytest.mark.parametrize("grey", [False, True])
def test_the_size_in_the_header_is_that_of_the_photo(suffix: str, grey: bool, tmp_path: Path) -> None:
    path = tmp_path / f"photo{suffix}"
    shape = (41, 67) if grey else (41, 67, 3)
    if not cv2.imwrite(str(path), np.full(shape, 90, np.uint8)):
        pytest.skip(f"this OpenCV writes no {suffix}")
    assert size_in_header(path.read_bytes()) == (41, 67)
    assert read_photo(path).shape == (41, 67, 3)


@pytest.mark.parametrize(
    "change", [{"bbox": [1e308, 5, 40, 50]}, {"area": 1e300}, {"keypoints": [1e308, 5, 2] * 17}]
)
def test_numbers_beyond_every_photo_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    file = coco(tmp_path / "d", ["good.png"], change=change)
    with pytest.raises(RobustPoseError, match="annotation 0"):
        open_dataset(f"coco:{file}")


def test_data_check_of_a_file_without_images_is_no_traceback(tmp_path: Path) -> None:
    file = coco(tmp_path / "d", [])
    (checked,) = check_data("coco", [file])
    assert not checked.whole
    assert [each.what for each in checked.findings] == ["no photo is named", "nobody takes part"]


def test_detections_take_time_in_proportion_to_people(tmp_path: Path) -> None:
    """Twice the people in twice the photos: twice the time, not four times."""
    from robustpose.data import detections

    looked = 0

    class Counted(list[Any]):
        def __iter__(self) -> Any:
            nonlocal looked
            looked += len(self)
            return super().__iter__()

    def count(n: int) -> int:
        nonlocal looked
        names = [f"{number}.png" for number in range(n)]
        file = coco(tmp_path / f"d{n}", [*names])
        cv2.imwrite(str(file.parent / "images" / "0.png"), np.full((60, 50, 3), 90, np.uint8))
        found = [
            {"image_id": number, "category_id": 1, "bbox": [5, 5, 40, 50], "score": 0.9} for number in range(n)
        ]
        (file.parent / "found.json").write_text(json.dumps(found))
        looked = 0
        original = detections._matched

        def matched(name: str, boxes: Any, people: Any, *, k: int) -> Any:
            return original(name, boxes, Counted(people), k=k)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(detections, "_matched", matched)
            people = detections.open_detected(file, file.parent / "found.json")
        assert len(people) == n
        assert all(person.visible.any() for person in people.people)
        return looked

    assert count(40) == 2 * count(20)


def test_detections_in_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    file = coco(tmp_path / "d", ["good.png", "good.png"])
    found = [{"image_id": 0, "category_id": 1, "bbox": [5, 5, 40, 50], "score": 0.9}]
    (file.parent / "found.json").write_text(json.dumps(found))
    with pytest.raises(RobustPoseError, match="two images have one file_name"):
        open_dataset(f"coco:{file}", detections=file.parent / "found.json")
