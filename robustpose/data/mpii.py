"""MPII: single people in the release's .mat, or in the JSON lists made from it.

Andriluka, Pishchulin, Gehler, Schiele 2014, "2D Human Pose Estimation: New Benchmark and State of the Art
Analysis". The crop is the usual top-down one (Newell et al. 2016, arXiv 1603.06937; Xiao et al. 2018, arXiv
1804.06208): the person's centre moved down by 15 * scale, a square of 200 * scale photo pixels, times 1.25.
Both forms count pixels from 1, MATLAB's way (Xiao et al. subtract 1 too); we subtract 1. The head size is 0.6 x
the diagonal of the head box, as in the official PCKh. A joint counts where the release has it, seen or occluded:
the official PCKh does not read is_visible, so neither do we.
"""

import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from robustpose.data.people import (
    Person,
    PhotoPeople,
    annotation_file,
    counted,
    finite_number,
    finite_numbers,
    read_json,
    shown,
)
from robustpose.data.photos import photo_folder
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats
from robustpose.skeletons import MPII_16

_JOINTS = len(MPII_16)
_HEAD_BOX_FILES = ("gt_valid.mat", "mpii_gt_val.mat")
_NO_JOINT, _NO_PLACE = "no labelled joint", "no centre or scale > 0"


def open_mpii(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read the release's .mat, or a JSON list of {image, joints, joints_vis, center, scale}.

    Of the release, the people of training images take part that stand apart from others (its `single_person`).
    A JSON's head sizes come from its people's "head_size" or "headbox" (x1, y1, x2, y2), or from gt_valid.mat
    or mpii_gt_val.mat beside it where that holds as many people; else they are NaN.
    Raises RobustPoseError that names the file and the thing that is wrong with it.
    """
    file = annotation_file(path, "mpii")
    left_out: Counter[str] = Counter()
    people = _read_release(file, left_out) if file.suffix == ".mat" else _read_list(file, left_out)
    if not people:
        reasons = "; ".join(counted(left_out)) or "it is empty"
        raise RobustPoseError(f"{file}: no person takes part: {reasons}")
    guesses = [file.parent.parent / "images"]
    folder = photo_folder(file, [person.photo for person in people], images=images, guesses=guesses)
    return PhotoPeople("mpii", MPII_16, tuple(people), folder, counted(left_out))


class _Entry(NamedTuple):
    """What MPII says of a person, coordinates still counted from 1; head_size None where unknown."""

    photo: str
    centre: Floats
    scale: float
    joints: Floats
    labelled: NDArray[np.bool_]
    head_size: float | None


def _person(of_file: str, person_id: str, entry: _Entry) -> Person:
    """Make a person of what MPII says of it."""
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


def _is_place(joints: Floats) -> NDArray[np.bool_]:
    """Say which joints (16, 2) are places: (0, 0) and (-1, -1) stand for no joint."""
    nowhere: NDArray[np.bool_] = (joints == 0).all(axis=1) | (joints == -1).all(axis=1)
    return ~nowhere


def _head_size(corners: Floats) -> float:
    """Return PCKh's unit of a head box (2 corners, 2)."""
    return float(0.6 * np.linalg.norm(corners[1] - corners[0]))


# The JSON lists


def _read_list(file: Path, left_out: Counter[str]) -> list[Person]:
    """Read the people of a JSON list, numbered from 0 in its order."""
    content = read_json(file)
    if not isinstance(content, list):
        kind = "an object; is it a COCO file?" if isinstance(content, dict) else shown(content)
        raise RobustPoseError(f"{file}: expected a list of people, got {kind}")
    entries = [_read_entry(given, f"{file}: person {number:06d}") for number, given in enumerate(content)]
    entries = _with_truth_beside(file, entries)
    people = []
    for number, entry in enumerate(entries):
        if not entry.labelled.any():
            left_out[_NO_JOINT] += 1
        elif entry.scale <= 0:
            left_out[_NO_PLACE] += 1
        else:
            person_id = f"mpii:{Path(entry.photo).stem}:{number:06d}"
            people.append(_person(f"{file}: person {number:06d}", person_id, entry))
    return people


def _read_entry(given: Any, of_file: str) -> _Entry:
    """Check one entry of a JSON list."""
    if not isinstance(given, dict):
        raise RobustPoseError(f"{of_file}: expected an object, got {shown(given)}")
    for key in ("image", "joints", "joints_vis", "center", "scale"):
        if key not in given:
            raise RobustPoseError(f"{of_file}: has no {key!r}")
    if not isinstance(given["image"], str):
        raise RobustPoseError(f"{of_file}: image must be a file name, got {shown(given['image'])}")
    if not finite_number(given["scale"]):
        raise RobustPoseError(f"{of_file}: scale must be a number, got {shown(given['scale'])}")
    joints = _numbers(given["joints"], (_JOINTS, 2), f"{of_file}: joints")
    flags = _numbers(given["joints_vis"], (_JOINTS,), f"{of_file}: joints_vis")
    return _Entry(
        photo=given["image"],
        centre=_numbers(given["center"], (2,), f"{of_file}: center"),
        scale=float(given["scale"]),
        joints=joints,
        labelled=(flags > 0) & _is_place(joints),
        head_size=_given_head_size(given, of_file),
    )


def _numbers(value: object, shape: tuple[int, ...], what: str) -> Floats:
    """Return a JSON value as an array of finite numbers of that shape."""
    rows = value if len(shape) == 2 and isinstance(value, list) else [value]
    if len(rows) != (shape[0] if len(shape) == 2 else 1) or not all(finite_numbers(r, shape[-1]) for r in rows):
        raise RobustPoseError(f"{what} must be {' x '.join(map(str, shape))} numbers, got {shown(value)}")
    return np.array(value, dtype=np.float64)


def _given_head_size(entry: dict[str, Any], of_file: str) -> float | None:
    """Return the head size that the person itself carries, or None."""
    if "head_size" in entry:
        if not finite_number(entry["head_size"]):
            raise RobustPoseError(f"{of_file}: head size must be a number, got {shown(entry['head_size'])}")
        return float(entry["head_size"])
    if "headbox" in entry:
        return _head_size(_numbers(entry["headbox"], (4,), f"{of_file}: headbox").reshape(2, 2))
    return None


def _with_truth_beside(file: Path, entries: list[_Entry]) -> list[_Entry]:
    """Add head sizes, and joints to leave out, of the .mat beside a JSON list, where it holds as many people.

    That they are the same people is checked by where their joints are.
    """
    beside = next((file.parent / name for name in _HEAD_BOX_FILES if (file.parent / name).is_file()), None)
    if beside is None or not entries:
        return entries
    mat = _load_mat(beside, squeeze=False)
    n, joints = len(entries), len(MPII_16)
    for key, values in {"headboxes_src": 4, "jnt_missing": joints, "pos_gt_src": 2 * joints}.items():
        if key not in mat:
            raise RobustPoseError(f"{beside}: has no {key!r}; is it MPII's validation truth?")
        if np.size(mat[key]) != values * n:
            return entries
    corners = np.asarray(mat["headboxes_src"], dtype=np.float64).reshape(2, 2, n).transpose(2, 0, 1)
    missing = np.asarray(mat["jnt_missing"]).reshape(joints, n).T != 0
    places = np.asarray(mat["pos_gt_src"], dtype=np.float64).reshape(joints, 2, n).transpose(2, 0, 1)
    labelled = np.array([entry.labelled for entry in entries]) & ~missing
    apart = np.linalg.norm(np.array([entry.joints for entry in entries]) - places, axis=2)[labelled]
    if apart.size and np.median(apart) > 2:
        raise RobustPoseError(
            f"{beside}: holds other people than {file.name}: their joints lie {np.median(apart):.0f} pixels apart"
        )
    return [
        entry._replace(
            labelled=labelled[row],
            head_size=_head_size(corners[row]) if entry.head_size is None else entry.head_size,
        )
        for row, entry in enumerate(entries)
    ]


# The release's .mat


def _load_mat(file: Path, *, squeeze: bool) -> dict[str, Any]:
    """Read a .mat; every fault of scipy's reader becomes one line."""
    try:
        content: dict[str, Any] = loadmat(str(file), struct_as_record=False, squeeze_me=squeeze)
    except Exception as error:  # the reader raises a dozen kinds for a damaged file
        raise RobustPoseError(f"{file}: not a MATLAB file that can be read, or truncated: {error}") from None
    return content


def _read_release(file: Path, left_out: Counter[str]) -> list[Person]:
    """Read the training people of the release, in its order."""
    release = _load_mat(file, squeeze=True).get("RELEASE")
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
    people = []
    for number, (photo, trains, singles) in enumerate(zip(photos, in_training, apart, strict=True), start=1):
        rects = _items(getattr(photo, "annorect", None))
        if not trains:
            left_out["in a test image, whose truth is not published"] += len(rects)
            continue
        photo_name = getattr(getattr(photo, "image", None), "name", None)
        if not isinstance(photo_name, str):
            raise RobustPoseError(f"{file}: image {number} of annolist has no name")
        chosen = sorted({int(single) for single in _items(singles)})
        if chosen and not 1 <= chosen[0] <= chosen[-1] <= len(rects):
            raise RobustPoseError(
                f"{file}: image {photo_name}: single_person {chosen} is not among its {len(rects)} people"
            )
        left_out["too near to other people"] += len(rects) - len(chosen)
        for rect in chosen:
            person = _release_person(
                rects[rect - 1], f"{file}: person {Path(photo_name).stem}:{rect}", photo_name, rect
            )
            if isinstance(person, str):
                left_out[person] += 1
            else:
                people.append(person)
    return people


def _release_person(annorect: Any, of_file: str, photo: str, rect: int) -> Person | str:
    """Return a person of the release, or the reason it does not take part."""
    joints = np.zeros((_JOINTS, 2))
    listed = np.zeros(_JOINTS, dtype=np.bool_)
    for point in _items(getattr(getattr(annorect, "annopoints", None), "point", None)):
        row, x, y = _number(point, "id"), _number(point, "x"), _number(point, "y")
        if row is None or x is None or y is None:
            raise RobustPoseError(f"{of_file}: a joint must have id, x and y")
        if row not in range(_JOINTS):
            raise RobustPoseError(f"{of_file}: a joint's id must be 0 to {_JOINTS - 1}, got {row:g}")
        joints[int(row)] = x, y
        listed[int(row)] = True
    labelled = listed & _is_place(joints)
    if not labelled.any():
        return _NO_JOINT
    objpos, scale = getattr(annorect, "objpos", None), _number(annorect, "scale")
    x, y = _number(objpos, "x"), _number(objpos, "y")
    if scale is None or x is None or y is None or scale <= 0:
        return _NO_PLACE
    corners = [_number(annorect, name) for name in ("x1", "y1", "x2", "y2")]
    known = [corner for corner in corners if corner is not None]
    head_size = _head_size(np.array(known).reshape(2, 2)) if len(known) == 4 else None
    entry = _Entry(photo, np.array([x, y]), scale, joints, labelled, head_size)
    return _person(of_file, f"mpii:{Path(photo).stem}:{rect}", entry)


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
