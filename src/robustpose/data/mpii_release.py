"""MPII's release: mpii_human_pose_v1_u12_1.mat, a MATLAB struct of images, people and joints."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.data.annotations import Person, Wrong
from robustpose.data.mpii_entry import (
    JOINTS,
    NO_JOINT,
    NO_PLACE,
    Entry,
    head_size_of,
    is_place,
    load_mat,
    person_of,
)
from robustpose.errors import RobustPoseError


def read_release(file: Path, left_out: Counter[str], wrong: Wrong) -> tuple[list[Person], list[str], int]:
    """Read the training people of the release, in its order; the training photos; how many people they hold."""
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
            left_out["in a test image, whose truth is not published"] += len(rects)
            continue
        count += len(rects)
        try:
            name, chosen = _of_image(photo, singles, len(rects), number, file)
        except RobustPoseError as error:
            wrong(error)
            continue
        named.append(name)
        left_out["too near to other people"] += len(rects) - len(chosen)
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
    """Return an image's name, and which of its people, counted from 1, stand apart."""
    name = getattr(getattr(photo, "image", None), "name", None)
    if not isinstance(name, str):
        raise RobustPoseError(f"{file}: image {number} of annolist has no name")
    chosen = sorted({int(single) for single in _items(singles)})
    if chosen and not 1 <= chosen[0] <= chosen[-1] <= people:
        raise RobustPoseError(f"{file}: image {name}: single_person {chosen} is not among its {people} people")
    return name, chosen


def _release_person(annorect: Any, of_file: str, photo: str, rect: int) -> Person | str:
    """Return a person of the release, or the reason it does not take part."""
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
    """Return none, one or many things as a list, whichever of them scipy's squeeze left."""
    if value is None:
        return []
    return list(value.flat) if isinstance(value, np.ndarray) else [value]


def _number(struct: Any, name: str) -> float | None:
    """Return a field of a struct as a number; None where the field is missing, empty or not finite."""
    value = getattr(struct, name, None)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, int | float | np.number) and math.isfinite(value):
        return float(value)
    return None
