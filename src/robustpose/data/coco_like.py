"""JSON files in COCO's format: images, annotations, categories (Lin et al. 2014, arXiv 1405.0312).

People are used if they are not a crowd, have a labelled keypoint and a non-empty box; the others are counted by
reason. v > 0 (occluded or visible) counts as visible, as in the official OKS. Keypoints are read as 0-indexed
pixel centres, boxes as measured between pixel edges. There are no head sizes, so they are NaN. Photos are searched
in `images/` beside the file, in the file's folder, and in the folders of the layout.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.data.annotations import (
    FARTHEST,
    Annotations,
    Person,
    Wrong,
    finite_numbers,
    is_coordinate,
    read_json,
    refuse,
    shown,
)
from robustpose.errors import RobustPoseError
from robustpose.fields import finite_number, whole_number
from robustpose.skeletons import Skeleton


@dataclass(frozen=True)
class Layout:
    """How one data set uses COCO's format.

    name       of the data set, as in NAME:PATH
    official   description of the official file
    skeleton   its keypoints, in the file's order
    spelled    pairs (name in the file, name in the skeleton) for keypoints whose names differ
    box_area   the person's area as a share of the box's, if the data set defines it so; else the field `area`
    guesses    folders where the official layout has the photos
    """

    name: str
    official: str
    skeleton: Skeleton
    spelled: tuple[tuple[str, str], ...] = ()
    box_area: float | None = None
    guesses: Callable[[Path], Sequence[Path]] = lambda file: ()

    def is_named(self, keypoints: object) -> bool:
        """Say whether a category's list of keypoints is this layout's."""
        if not isinstance(keypoints, list) or not all(isinstance(name, str) for name in keypoints):
            return False
        renamed = dict(self.spelled)
        return [renamed.get(name, name) for name in keypoints] == list(self.skeleton.keypoints)


def read_layout(layout: Layout, file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read a file of a layout; people are sorted by photo name, then annotation id.

    RobustPoseError for a file in another format. Faults of single people or photos go to `wrong`. Each error names
    the file and the entry.
    """
    return read_content(layout, read_json(file), file, wrong=wrong)


def read_content(layout: Layout, content: object, file: Path, *, wrong: Wrong) -> Annotations:
    """Read the parsed content of a file of a layout: see read_layout."""
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else shown(content)
        raise RobustPoseError(f"{file}: expected images, annotations and categories, got {kind}")
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise RobustPoseError(f"{file}: has no list {key!r}; is it {layout.official}?")
    person_category = person_category_of(content["categories"], file, layout)
    photos = _photos(content["images"], file, wrong)
    names = {number: name for number, (name, _) in photos.items()}

    left_out: Counter[str] = Counter()
    people: dict[int, Person] = {}
    for annotation in content["annotations"]:
        try:
            person = _read_annotation(annotation, names, file, layout=layout, person_category=person_category)
            if isinstance(person, str):
                left_out[person] += 1
            elif annotation["id"] in people:
                raise RobustPoseError(f"{file}: annotation {annotation['id']}: is there twice")
            else:
                people[annotation["id"]] = person
        except RobustPoseError as error:
            wrong(error)
    return Annotations(
        name=layout.name,
        skeleton=layout.skeleton,
        people=tuple(people[key] for key in sorted(people, key=lambda key: (people[key].photo, key))),
        left_out=left_out,
        photos=dict(photos.values()),
        named=len(content["annotations"]),
        guesses=tuple(layout.guesses(file)),
    )


def person_category_of(categories: list[Any], file: Path, layout: Layout) -> int:
    """Return the id of the category 'person', whose keypoints must be the layout's."""
    for category in categories:
        if isinstance(category, dict) and category.get("name") == "person":
            given = category.get("keypoints")
            if given is None:
                raise RobustPoseError(f"{file}: category 'person' names no keypoints; is it a box or mask file?")
            if not layout.is_named(given):
                raise RobustPoseError(
                    f"{file}: category 'person' must have the keypoints {', '.join(layout.skeleton.keypoints)}; "
                    f"got {', '.join(map(str, given)) if isinstance(given, list) else shown(given)}"
                )
            if not whole_number(category.get("id")):
                raise RobustPoseError(f"{file}: category 'person' has no whole number 'id'")
            return int(category["id"])
    raise RobustPoseError(f"{file}: has no category 'person'")


def _photos(images: list[Any], file: Path, wrong: Wrong) -> dict[int, tuple[str, tuple[int, int] | None]]:
    """Return photos by image id: names, and sizes (H, W) where the file gives them."""
    photos: dict[int, tuple[str, tuple[int, int] | None]] = {}
    for image in images:
        if not (
            isinstance(image, dict) and whole_number(image.get("id")) and isinstance(image.get("file_name"), str)
        ):
            wrong(
                RobustPoseError(
                    f"{file}: an image must have a whole number 'id' and a 'file_name'; got {shown(image)}"
                )
            )
        elif image["id"] in photos:
            wrong(RobustPoseError(f"{file}: image {image['id']}: is there twice"))
        else:
            photos[image["id"]] = image["file_name"], size_of(image)
    return photos


def size_of(image: dict[str, Any]) -> tuple[int, int] | None:
    """Return a photo's size (H, W) from its entry, or None."""
    height, width = image.get("height"), image.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _read_annotation(
    annotation: Any, names: dict[int, str], file: Path, *, layout: Layout, person_category: int
) -> Person | str:
    """Return the person of an annotation, which must have an id, or the reason for exclusion."""
    annotation_id = annotation.get("id") if isinstance(annotation, dict) else None
    if not whole_number(annotation_id):
        raise RobustPoseError(f"{file}: an annotation has no whole number 'id': {shown(annotation)}")
    of_file = f"{file}: annotation {annotation_id}"
    return _read_person(annotation, names, of_file, layout=layout, person_category=person_category)


def _read_person(
    annotation: dict[str, Any], names: dict[int, str], of_file: str, *, layout: Layout, person_category: int
) -> Person | str:
    """Return the person of an annotation, or the reason for exclusion."""
    if annotation.get("category_id") != person_category:
        return "not of category person"
    if annotation.get("iscrowd", 0):
        return "a crowd"
    image_id = annotation.get("image_id")
    if not whole_number(image_id) or image_id not in names:
        raise RobustPoseError(f"{of_file}: image_id {image_id!r} is not among the file's images")
    given, keypoint_names = annotation.get("keypoints"), layout.skeleton.keypoints
    values = 3 * len(keypoint_names)
    if not finite_numbers(given, values):
        raise RobustPoseError(
            f"{of_file}: keypoints must be {values} numbers (x, y, v of {', '.join(keypoint_names)}), "
            f"got {_what_keypoints(given)}"
        )
    box = annotation.get("bbox")
    if not finite_numbers(box, 4):
        raise RobustPoseError(f"{of_file}: bbox must be 4 numbers (x, y, width, height), got {shown(box)}")
    keypoints = np.array(given, dtype=np.float64).reshape(-1, 3)
    flags = keypoints[:, 2]
    if not np.isin(flags, (0, 1, 2)).all():
        row = int(np.argmin(np.isin(flags, (0, 1, 2))))
        raise RobustPoseError(f"{of_file}: v of {keypoint_names[row]} must be 0, 1 or 2, got {flags[row]:g}")
    if annotation.get("num_keypoints", 1) == 0 or not (flags > 0).any():
        return "no labelled keypoint"
    x, y, w, h = map(float, box)
    if not (w > 0 and h > 0):
        return "an empty box"
    area = _area(annotation, (w, h), of_file, layout)
    name = names[image_id]
    person_id = f"{layout.name}:{Path(name).stem}:{annotation['id']}"
    occluded = float((flags == 1).sum() / (flags > 0).sum())
    return Person(person_id, name, (x, y, w, h), keypoints[:, :2], flags > 0, area=area, occluded=occluded)


def _area(annotation: dict[str, Any], box_size: tuple[float, float], of_file: str, layout: Layout) -> float:
    """Return a person's area: a share of the box's, or the annotation's; NaN where it has none."""
    if layout.box_area is not None:
        return layout.box_area * box_size[0] * box_size[1]
    area = annotation.get("area")
    if area is not None and not (finite_number(area) and 0 <= area <= FARTHEST**2):
        raise RobustPoseError(f"{of_file}: area must be a number of at least 0, got {shown(area)}")
    return math.nan if area is None else float(area)


def _what_keypoints(given: object) -> str:
    """Describe a value that is not a valid list of keypoints."""
    if not isinstance(given, list):
        return shown(given)
    wrong = [value for value in given if not is_coordinate(value)]
    return f"{len(given)} values" + (f", {shown(wrong[0])} among them" if wrong else "")
