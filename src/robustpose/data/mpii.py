"""MPII: single people, from the release's .mat or from JSON lists made from it.

Andriluka, Pishchulin, Gehler, Schiele 2014, "2D Human Pose Estimation: New Benchmark and State of the Art
Analysis". The crop is the usual top-down one (Newell et al. 2016, arXiv 1603.06937; Xiao et al. 2018, arXiv
1804.06208): the person's centre moved down by 15 * scale, a square of 200 * scale photo pixels, times 1.25.
Both formats count pixels from 1, as in MATLAB; like Xiao et al. we subtract 1. The head size is 0.6 x the diagonal
of the head box, as in the official PCKh. Labelled joints count whether visible or occluded, because the official
PCKh ignores is_visible.

The JSON lists, from SimpleBaseline and its successors, have one object per person. mpii_release.py reads the
release.
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
    is_coordinate,
    read_json,
    refuse,
    shown,
)
from robustpose.data.dataset import DataSpec, Source
from robustpose.data.mpii_release import (
    JOINTS,
    NO_JOINT,
    NO_PLACE,
    Entry,
    head_size_of,
    is_place,
    load_mat,
    person_of,
    read_release,
)
from robustpose.data.people import PhotoPeople, opened
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats
from robustpose.skeletons import MPII_16

_HEAD_BOX_FILES = ("gt_valid.mat", "mpii_gt_val.mat")


def open_mpii(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Read the release's .mat, or a JSON list of {image, joints, joints_vis, center, scale}.

    From the release, separated people (`single_person`) of training images are used. Head sizes of a JSON list are
    each person's "head_size" or "headbox" (x1, y1, x2, y2), or come from gt_valid.mat or mpii_gt_val.mat beside it
    if that has as many people; else they are NaN. RobustPoseError names the file and the fault.
    """
    file = annotation_file(path, "mpii")
    return opened(read_mpii(file), file, images)


def read_mpii(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read the annotations in the file's order; faults of single people go to `wrong`. See open_mpii."""
    left_out: Counter[str] = Counter()
    read = read_release if file.suffix == ".mat" else read_list
    try:
        people, photos, named = read(file, left_out, wrong)
    except RobustPoseError:
        raise
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:  # values of other types
        raise RobustPoseError(f"{file}: is not in MPII's form: {error}") from None
    names: dict[str, tuple[int, int] | None] = dict.fromkeys(photos)  # neither format has the photos' sizes
    guesses = (file.parent.parent / "images",)
    return Annotations("mpii", MPII_16, tuple(people), left_out, names, named, guesses, boxes="derived")


def read_list(file: Path, left_out: Counter[str], wrong: Wrong) -> tuple[list[Person], list[str], int]:
    """Return the people of a JSON list, numbered from 0, their photos, and the number of entries."""
    content = read_json(file)
    if not isinstance(content, list):
        kind = "an object; is it a COCO file?" if isinstance(content, dict) else shown(content)
        raise RobustPoseError(f"{file}: expected a list of people, got {kind}")
    entries: dict[int, Entry] = {}
    for number, given in enumerate(content):
        try:
            entries[number] = _read_entry(given, f"{file}: person {number:06d}")
        except RobustPoseError as error:
            wrong(error)
    if len(entries) == len(content):  # otherwise rows of the .mat would not match
        entries = dict(enumerate(_with_truth_beside(file, list(entries.values()))))
    people = []
    for number, entry in entries.items():
        if not entry.labelled.any():
            left_out[NO_JOINT] += 1
        elif entry.scale <= 0:
            left_out[NO_PLACE] += 1
        else:
            try:
                person_id = f"mpii:{Path(entry.photo).stem}:{number:06d}"
                people.append(person_of(f"{file}: person {number:06d}", person_id, entry))
            except RobustPoseError as error:
                wrong(error)
    return people, [entry.photo for entry in entries.values()], len(content)


def _read_entry(given: Any, of_file: str) -> Entry:
    """Check one entry of a JSON list."""
    if not isinstance(given, dict):
        raise RobustPoseError(f"{of_file}: expected an object, got {shown(given)}")
    for key in ("image", "joints", "joints_vis", "center", "scale"):
        if key not in given:
            raise RobustPoseError(f"{of_file}: has no {key!r}")
    if not isinstance(given["image"], str):
        raise RobustPoseError(f"{of_file}: image must be a file name, got {shown(given['image'])}")
    if not is_coordinate(given["scale"]):
        raise RobustPoseError(f"{of_file}: scale must be a number, got {shown(given['scale'])}")
    joints = _numbers(given["joints"], (JOINTS, 2), f"{of_file}: joints")
    flags = _numbers(given["joints_vis"], (JOINTS,), f"{of_file}: joints_vis")
    return Entry(
        photo=given["image"],
        centre=_numbers(given["center"], (2,), f"{of_file}: center"),
        scale=float(given["scale"]),
        joints=joints,
        labelled=(flags > 0) & is_place(joints),
        head_size=_given_head_size(given, of_file),
    )


def _numbers(value: object, shape: tuple[int, ...], what: str) -> Floats:
    """Return a JSON value as an array of finite numbers of the given shape."""
    rows = value if len(shape) == 2 and isinstance(value, list) else [value]
    if len(rows) != (shape[0] if len(shape) == 2 else 1) or not all(finite_numbers(r, shape[-1]) for r in rows):
        raise RobustPoseError(f"{what} must be {' x '.join(map(str, shape))} numbers, got {shown(value)}")
    return np.array(value, dtype=np.float64)


def _given_head_size(entry: dict[str, Any], of_file: str) -> float | None:
    """Return the head size of the person's own entry, or None."""
    if "head_size" in entry:
        if not is_coordinate(entry["head_size"]):
            raise RobustPoseError(f"{of_file}: head size must be a number, got {shown(entry['head_size'])}")
        return float(entry["head_size"])
    if "headbox" in entry:
        return head_size_of(_numbers(entry["headbox"], (4,), f"{of_file}: headbox").reshape(2, 2))
    return None


def _with_truth_beside(file: Path, entries: list[Entry]) -> list[Entry]:
    """Add head sizes and missing joints from the .mat beside a JSON list, if it has as many people.

    RobustPoseError where its joints are elsewhere, so that it holds other people.
    """
    beside = next((file.parent / name for name in _HEAD_BOX_FILES if (file.parent / name).is_file()), None)
    if beside is None or not entries:
        return entries
    mat = load_mat(beside, squeeze=False)
    n, joints = len(entries), JOINTS
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
            f"{beside}: holds other people than {file.name}: joints differ by {np.median(apart):.0f} pixels"
        )
    return [
        entry._replace(
            labelled=labelled[row],
            head_size=head_size_of(corners[row]) if entry.head_size is None else entry.head_size,
        )
        for row, entry in enumerate(entries)
    ]


MPII_DATA = DataSpec(
    open=open_mpii,
    summary="MPII: mpii:PATH of the release's .mat or a JSON list made from it",
    read=read_mpii,
    source=Source(
        title="MPII Human Pose",
        files=("mpii_human_pose_v1_u12_*.mat", "valid.json", "train.json", "trainval.json"),
        get="from the MPII Human Pose site of the Max Planck Institute for Informatics: images "
        "(mpii_human_pose_v1.tar.gz) and annotations (mpii_human_pose_v1_u12_2.zip); the JSON lists valid.json "
        "and train.json, with gt_valid.mat, come with SimpleBaseline's and HRNet's code",
        licence="annotations: Simplified BSD, see their archive; images are video frames, for research",
        people={"valid.json": 2958, "train.json": 22_246, "trainval.json": 25_204},
    ),
)
