"""MPII's official release, mpii_human_pose_v1_u12_1.mat: a MATLAB struct of images, people and joints.

Also the crop and head size of a person, which the JSON lists share.
"""

import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robustpose.data.annotations import Person, Wrong, is_coordinate
from robustpose.data.mat_file import read_mat
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats
from robustpose.skeletons import MPII_16

JOINTS = len(MPII_16)
NO_JOINT, NO_PLACE = "no labelled joint", "no centre or scale > 0"


class Entry(NamedTuple):
    """MPII's annotation of a person, with coordinates counted from 1; head_size None where unknown."""

    photo: str
    centre: Floats
    scale: float
    joints: Floats
    labelled: NDArray[np.bool_]
    head_size: float | None


def person_of(of_file: str, person_id: str, entry: Entry) -> Person:
    """Convert an entry to a Person."""
    if entry.head_size is not None and not entry.head_size > 0:
        raise RobustPoseError(f"{of_file}: head size must be > 0, got {entry.head_size}")
    side = 200 * entry.scale
    x, y = entry.centre - 1 + (0.5, 15 * entry.scale + 0.5) - side / 2  # from pixel centres to pixel edges
    return Person(
        id=person_id,
        photo=entry.photo,
        box=(float(x), float(y), side, side),
        keypoints=entry.joints - 1,
        visible=entry.labelled,
        head_size=math.nan if entry.head_size is None else entry.head_size,
    )


def is_place(joints: Floats) -> NDArray[np.bool_]:
    """Say which joints (16, 2) are positions: (0, 0) and (-1, -1) mean no joint."""
    nowhere: NDArray[np.bool_] = (joints == 0).all(axis=1) | (joints == -1).all(axis=1)
    return ~nowhere


def head_size_of(corners: Floats) -> float:
    """Return the head size for PCKh from a head box (2 corners, 2)."""
    return float(0.6 * np.linalg.norm(corners[1] - corners[0]))


def load_mat(file: Path, *, squeeze: bool) -> dict[str, Any]:
    """Read a .mat file; RobustPoseError for every failure of scipy's reader, crashes included."""
    try:
        return read_mat(file, squeeze=squeeze)
    except (OSError, ValueError, RecursionError) as error:
        raise RobustPoseError(f"{file}: not a MATLAB file that can be read, or truncated: {error}") from None


def read_release(file: Path, left_out: Counter[str], wrong: Wrong) -> tuple[list[Person], list[str], int]:
    """Return the training people of the release in its order, the training photos, and their number of people."""
    release = load_mat(file, squeeze=True).get("RELEASE")
    if release is None:
        raise RobustPoseError(f"{file}: has no 'RELEASE'; is it mpii_human_pose_v1_u12_1.mat?")
    for name in ("annolist", "img_train", "single_person"):
        if not hasattr(release, name):
            raise RobustPoseError(f"{file}: RELEASE has no field {name!r}")
    photos = _items(release.annolist)
    in_training = _items(release.img_train)
    apart = [release.single_person] if len(photos) == 1 else _items(release.single_person)
    if not len(photos) == len(in_training) == len(apart):
        raise RobustPoseError(
            f"{file}: annolist, img_train and single_person must be of one length; "
            f"got {len(photos)}, {len(in_training)} and {len(apart)}"
        )
    people: list[Person] = []
    named: list[str] = []
    count = 0
    for number, (photo, trains, singles) in enumerate(zip(photos, in_training, apart, strict=True), start=1):
        rects = _items(getattr(photo, "annorect", None))
        if not trains:
            left_out["in a test image, without published truth"] += len(rects)
            continue
        count += len(rects)
        try:
            name, chosen = _of_image(photo, singles, len(rects), number, file)
        except RobustPoseError as error:
            wrong(error)
            continue
        named.append(name)
        left_out["too close to other people"] += len(rects) - len(chosen)
        for rect in chosen:
            try:
                of_file = f"{file}: person {Path(name).stem}:{rect}"
                person = _release_person(rects[rect - 1], of_file, name, rect)
            except RobustPoseError as error:
                wrong(error)
                continue
            if isinstance(person, str):
                left_out[person] += 1
            else:
                people.append(person)
    return people, named, count


def _of_image(photo: Any, singles: Any, people: int, number: int, file: Path) -> tuple[str, list[int]]:
    """Return an image's name, and the numbers, from 1, of its separated people."""
    name = getattr(getattr(photo, "image", None), "name", None)
    if not isinstance(name, str):
        raise RobustPoseError(f"{file}: image {number} of annolist has no name")
    chosen = sorted({int(single) for single in _items(singles)})
    if chosen and not 1 <= chosen[0] <= chosen[-1] <= people:
        raise RobustPoseError(f"{file}: image {name}: single_person {chosen} is not among its {people} people")
    return name, chosen


def _release_person(annorect: Any, of_file: str, photo: str, rect: int) -> Person | str:
    """Return a person of the release, or the reason for exclusion."""
    joints = np.zeros((JOINTS, 2))
    listed = np.zeros(JOINTS, dtype=np.bool_)
    for point in _items(getattr(getattr(annorect, "annopoints", None), "point", None)):
        row, x, y = _number(point, "id"), _number(point, "x"), _number(point, "y")
        if row is None or x is None or y is None:
            raise RobustPoseError(f"{of_file}: a joint must have id, x and y")
        if row not in range(JOINTS):
            raise RobustPoseError(f"{of_file}: a joint's id must be 0 to {JOINTS - 1}, got {row:g}")
        joints[int(row)] = x, y
        listed[int(row)] = True
    labelled = listed & is_place(joints)
    if not labelled.any():
        return NO_JOINT
    objpos, scale = getattr(annorect, "objpos", None), _number(annorect, "scale")
    x, y = _number(objpos, "x"), _number(objpos, "y")
    if scale is None or x is None or y is None or scale <= 0:
        return NO_PLACE
    corners = [_number(annorect, name) for name in ("x1", "y1", "x2", "y2")]
    known = [corner for corner in corners if corner is not None]
    head_size = head_size_of(np.array(known).reshape(2, 2)) if len(known) == 4 else None
    entry = Entry(photo, np.array([x, y]), scale, joints, labelled, head_size)
    return person_of(of_file, f"mpii:{Path(photo).stem}:{rect}", entry)


def _items(value: Any) -> list[Any]:
    """Return a value that scipy squeezed (none, one or many) as a list."""
    if value is None:
        return []
    return list(value.flat) if isinstance(value, np.ndarray) else [value]


def _number(struct: Any, name: str) -> float | None:
    """Return a field of a struct as a number; None where the field is missing, empty or no coordinate."""
    value = getattr(struct, name, None)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, np.generic):
        value = value.item()
    return float(value) if is_coordinate(value) else None
