"""Boxes of all people in photos: from a COCO file, a detector's results, or a detector as a Python function."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.data.annotations import finite_numbers, read_json
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels
from robustpose.models.importers.python import found_callable
from robustpose.ownphoto.box import Box

FindBoxes = Callable[[Path, Pixels], list[Box]]
"""(path of a photo, the photo) -> the boxes of its people, in photo pixels."""

SURE = 0.5
"""Detections with a lower score are left out; those without a score are used."""

_FUNCTION = "callable:"


def names_boxes(text: str) -> bool:
    """Say whether --box names a file or a function instead of one box."""
    return text.startswith(_FUNCTION) or text.endswith(".json")


def boxes_from(text: str) -> FindBoxes:
    """Return what finds the boxes of photos: 'FILE.json' or 'callable:MODULE:FUNCTION'.

    FILE is a COCO file of people (images and annotations), or a detector's results (a list of image_id, bbox and
    score). A photo is found by its file name, or by the number that its name is. FUNCTION takes a photo
    (H, W, 3) of 8 bits, RGB, and returns rows of x, y, w, h and optionally a score. RobustPoseError for a file or
    a function that cannot be used.
    """
    if text.startswith(_FUNCTION):
        function = found_callable(text.removeprefix(_FUNCTION), "callable")
        return lambda path, photo: _called(function, path, photo, where=text)
    content = read_json(Path(text))
    by_photo = _of_results(content, text) if isinstance(content, list) else _of_people(content, text)
    return lambda path, photo: by_photo.get(path.name, by_photo.get(_number(path), []))


def _called(function: Callable[[Pixels], Any], path: Path, photo: Pixels, *, where: str) -> list[Box]:
    try:
        rows = np.asarray(function(photo.copy()), dtype=float)
    except Exception as error:  # the user's code may raise anything
        raise RobustPoseError(f"{where} on {path.name}: {type(error).__name__}: {error}") from error
    if rows.size == 0:
        return []
    if rows.ndim != 2 or rows.shape[1] not in (4, 5) or not np.isfinite(rows).all():
        raise RobustPoseError(
            f"{where} on {path.name}: expected finite rows of x, y, w, h and optionally a score, got an array of "
            f"shape {rows.shape}"
        )
    return [_box(row[:4].tolist()) for row in rows if len(row) == 4 or row[4] >= SURE]


def _of_people(content: Any, file: str) -> dict[str, list[Box]]:
    """Read the boxes of a COCO file by file name; crowds and other categories are left out."""
    try:
        names = {each["id"]: Path(each["file_name"]).name for each in content["images"]}
        people = {each["id"] for each in content.get("categories", []) if each["name"] == "person"}
        found: dict[str, list[Box]] = {name: [] for name in names.values()}
        for each in content["annotations"]:
            if each.get("iscrowd") or (people and each["category_id"] not in people):
                continue
            found[names[each["image_id"]]].append(_checked(each.get("bbox"), file))
    except (KeyError, TypeError, AttributeError) as error:
        raise RobustPoseError(
            f"{file}: neither a COCO file of people nor a list of detections ({error!r})"
        ) from None
    return found


def _of_results(content: list[Any], file: str) -> dict[str, list[Box]]:
    """Read a detector's results by image_id; without category, or of category 1, which is COCO's person."""
    found: dict[str, list[Box]] = {}
    for each in content:
        if not isinstance(each, Mapping) or "image_id" not in each:
            raise RobustPoseError(f"{file}: a detection must have image_id and bbox, got {each!r}"[:200])
        if each.get("category_id", 1) == 1 and each.get("score", 1.0) >= SURE:
            found.setdefault(str(each["image_id"]), []).append(_checked(each.get("bbox"), file))
    return found


def _checked(bbox: object, file: str) -> Box:
    if not finite_numbers(bbox, 4) or min(bbox[2:]) <= 0:
        raise RobustPoseError(f"{file}: bbox must be x, y, w, h with w and h > 0, got {bbox!r}"[:200])
    return _box(bbox)


def _box(numbers: list[float]) -> Box:
    x, y, w, h = (float(number) for number in numbers)
    return x, y, w, h


def _number(path: Path) -> str:
    """Return a photo's number as COCO names it: 000000000785.jpg is 785; the stem of other names."""
    return str(int(path.stem)) if path.stem.isdecimal() else path.stem
