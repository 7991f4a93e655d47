"""OCHuman: people occluded by others (Zhang et al. 2019, "Pose2Seg", arXiv 1803.10683).

There are two formats. ochuman.json has 19 keypoints, annotations inside the images, boxes as two corners, and
people without keypoints, who are excluded. ochuman_coco_format_{val,test}_*.json is the subset of published
scores, in COCO's format with COCO's 17 keypoints. In both, a person's area is the box's, as in the official code.
Keypoints occluded by the person (2) or by others (3) count like visible ones (1); 0 is missing.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.data.annotations import (
    Annotations,
    Person,
    Wrong,
    annotation_file,
    finite_numbers,
    read_json,
    refuse,
    shown,
)
from robustpose.data.coco_like import Layout, read_content, size_of
from robustpose.data.dataset import DataSpec, Source
from robustpose.data.people import PhotoPeople, opened
from robustpose.errors import RobustPoseError
from robustpose.skeletons import COCO_17, OCHUMAN_19

OCHUMAN_COCO = Layout(
    name="ochuman",
    official="an OCHuman file",
    skeleton=COCO_17,
    guesses=lambda file: [file.parent.parent / "images"],
)
_SPELLED = {"head": "head_top"}
_FLAGS = (0, 1, 2, 3)


def open_ochuman(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read ochuman.json or a file in COCO's format; RobustPoseError names the file and the fault."""
    file = annotation_file(path, "ochuman")
    return opened(read_ochuman(file), file, images)


def read_ochuman(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read the annotations; people of ochuman.json are sorted by photo name."""
    content = read_json(file)
    if not (isinstance(content, dict) and "keypoint_names" in content):
        return read_content(OCHUMAN_COCO, content, file, wrong=wrong)
    order = keypoint_order(content["keypoint_names"], file)
    if not isinstance(content.get("images"), list):
        raise RobustPoseError(f"{file}: has no list 'images'; is it ochuman.json?")
    left_out: Counter[str] = Counter()
    people: list[Person] = []
    photos: dict[str, tuple[int, int] | None] = {}
    named = 0
    for image in content["images"]:
        try:
            name, annotations = _of_image(image, file)
            if name in photos:
                raise RobustPoseError(f"{file}: {name}: is there twice")
        except RobustPoseError as error:
            wrong(error)
            continue
        photos[name] = size_of(image)
        named += len(annotations)
        for number, annotation in enumerate(annotations):
            try:
                person = _read_person(annotation, name, number, f"{file}: {name}: person {number}", order)
            except RobustPoseError as error:
                wrong(error)
                continue
            if isinstance(person, str):
                left_out[person] += 1
            else:
                people.append(person)
    people.sort(key=lambda person: person.photo)  # stable: people of one photo keep their order
    return Annotations("ochuman", OCHUMAN_19, tuple(people), left_out, photos, named)


def _of_image(image: Any, file: Path) -> tuple[str, list[Any]]:
    """Return a photo's name and its annotations."""
    if not (isinstance(image, dict) and isinstance(image.get("file_name"), str)):
        raise RobustPoseError(f"{file}: an image must have a 'file_name'; got {shown(image)}")
    if not isinstance(image.get("annotations"), list):
        raise RobustPoseError(f"{file}: {image['file_name']}: has no list 'annotations'")
    return image["file_name"], image["annotations"]


def keypoint_order(names: object, file: Path) -> list[int]:
    """Return the index in the file of each of our keypoints; RobustPoseError where the names differ."""
    given = [_SPELLED.get(name, name) for name in names] if isinstance(names, list) else []
    if sorted(map(str, given)) != sorted(OCHUMAN_19.keypoints):
        raise RobustPoseError(
            f"{file}: keypoint_names must be {', '.join(OCHUMAN_19.keypoints)} in any order, got {shown(names)}"
        )
    return [given.index(name) for name in OCHUMAN_19.keypoints]


def _read_person(annotation: Any, photo: str, number: int, of_file: str, order: list[int]) -> Person | str:
    """Return the person of an annotation, or the reason for exclusion."""
    if not isinstance(annotation, dict):
        raise RobustPoseError(f"{of_file}: expected an object, got {shown(annotation)}")
    if annotation.get("keypoints") is None:
        return "without keypoints"
    given, values = annotation["keypoints"], 3 * len(OCHUMAN_19)
    if not finite_numbers(given, values):
        raise RobustPoseError(f"{of_file}: keypoints must be {values} numbers, got {shown(given)}")
    box = annotation.get("bbox")
    if not finite_numbers(box, 4):
        raise RobustPoseError(f"{of_file}: bbox must be 4 numbers (x1, y1, x2, y2), got {shown(box)}")
    keypoints = np.array(given, dtype=np.float64).reshape(-1, 3)[order]
    flags = keypoints[:, 2]
    if not np.isin(flags, _FLAGS).all():
        row = int(np.argmin(np.isin(flags, _FLAGS)))
        raise RobustPoseError(f"{of_file}: v of {OCHUMAN_19.keypoints[row]} must be 0 to 3, got {flags[row]:g}")
    if not (flags > 0).any():
        return "no labelled keypoint"
    x1, y1, x2, y2 = map(float, box)
    if not (x2 > x1 and y2 > y1):
        return "an empty box"
    return Person(
        id=f"ochuman:{Path(photo).stem}:{number}",
        photo=photo,
        box=(x1, y1, x2 - x1, y2 - y1),
        keypoints=keypoints[:, :2],
        visible=flags > 0,
        area=(x2 - x1) * (y2 - y1),
    )


OCHUMAN_DATA = DataSpec(
    open=open_ochuman,
    summary="OCHuman: ochuman:PATH of ochuman.json or its files in COCO's format",
    read=read_ochuman,
    source=Source(
        title="OCHuman",
        files=("ochuman.json", "ochuman_coco_format_*.json"),
        get="through the form that the authors' repository, liruilong940607/OCHumanApi, links to: images and "
        "annotations, with the val and test files in COCO's format",
        licence="the repository states none for photos and annotations, its code is MIT; see the form",
        photos={"ochuman.json": 5081},
        people={"ochuman.json": 13_360},
    ),
)
