"""LSP and LSP Extended: people in sports, 14 keypoints, from joints.mat and images/.

Johnson and Everingham 2010, "Clustered Pose and Nonlinear Appearance Models for Human Pose Estimation" (LSP, 2,000
people, the first 1,000 to train on), and 2011, "Learning Effective Human Pose Estimation from Inaccurate
Annotation" (LSP Extended, 10,000 people, labelled by crowd workers). Left and right are the person's own.

The two files differ. LSP's array is (3, 14, N): the third row is 1 for occluded joints, and every joint is
labelled. LSP Extended's is (14, 3, N): the third column is 1 for labelled joints, and only these count. Both count
pixels from 1, as in MATLAB; we subtract 1.

Neither file has boxes or head sizes, so both are derived. The box is a square around the labelled joints with 1.15
times their longer extent, because hands and feet reach beyond wrists and ankles. The head size is 0.75 times the
distance from head top to neck: MPII's head box has a diagonal of about 1.25 times that distance, and PCKh takes
0.6 of it. PCKh on these people is therefore close to MPII's, but not equal. LSP's neck is the upper neck: it lies
0.15 torso lengths above the shoulder line (MPII's upper neck 0.13, its thorax 0.00).
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robustpose.data.annotations import FARTHEST, Annotations, Person, Wrong, refuse
from robustpose.data.dataset import DataSpec, Source
from robustpose.data.mpii_release import load_mat
from robustpose.data.people import PhotoPeople, opened
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats
from robustpose.skeletons import LSP_14

BOX_SIDE = 1.15
"""Side of the box, as a multiple of the longer extent of the labelled joints."""
HEAD_SIZE = 0.75
"""Head size for PCKh, as a multiple of the distance from head top to neck."""
_K = len(LSP_14)
_HEAD_TOP, _NECK = LSP_14.index("head_top"), LSP_14.index("upper_neck")


@dataclass(frozen=True)
class _Form:
    """One of the two formats of joints.mat.

    shape   of the array; N is the number of people
    digits  number of digits in photo names such as im0001.jpg
    axes    transposition of the array to (N, K, 3)
    """

    name: str
    title: str
    shape: str
    digits: int
    axes: tuple[int, int, int]


_LSP = _Form("lsp", "LSP", "(3, 14, N)", 4, (2, 1, 0))
_LSPET = _Form("lspet", "LSP Extended", "(14, 3, N)", 5, (2, 0, 1))


def open_lsp(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Open LSP's folder or its joints.mat; RobustPoseError names the file and the fault."""
    return _open(_LSP, path, images)


def open_lspet(path: str | Path, images: Path | None = None) -> PhotoPeople:
    """Open LSP Extended's folder or its joints.mat; RobustPoseError as in open_lsp."""
    return _open(_LSPET, path, images)


def read_lsp(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read LSP's joints.mat; faults of single people go to `wrong`."""
    return _read(_LSP, file, wrong)


def read_lspet(file: Path, *, wrong: Wrong = refuse) -> Annotations:
    """Read LSP Extended's joints.mat; faults of single people go to `wrong`."""
    return _read(_LSPET, file, wrong)


def _open(form: _Form, path: str | Path, images: Path | None) -> PhotoPeople:
    if not str(path):
        raise RobustPoseError(f"data set '{form.name}' needs its folder: {form.name}:FOLDER")
    given = Path(path)
    file = given / "joints.mat" if given.is_dir() else given
    if not file.is_file():
        raise RobustPoseError(f"{file}: no such file; {form.name}:FOLDER must contain joints.mat and images/")
    annotations = _read(form, file, refuse)
    people = opened(annotations, file, images)
    _check_numbers(form, people.folder, annotations.named)
    return people


def _read(form: _Form, file: Path, wrong: Wrong) -> Annotations:
    points, flags = _joints(form, file)
    labelled = flags > 0 if form is _LSPET else np.ones_like(flags, dtype=np.bool_)
    if form is _LSP and points.size and points.min() < 0.5:
        row = int(np.argwhere((points < 0.5).any(axis=(1, 2)))[0, 0])
        raise RobustPoseError(
            f"{file}: coordinates of {form.title} count from 1, but person {row + 1} has "
            f"{points[row].min():g}; if they count from 0, add 1"
        )
    people: list[Person] = []
    left_out: Counter[str] = Counter()
    photos: dict[str, tuple[int, int] | None] = {}
    for number, (joints, seen) in enumerate(zip(points, labelled, strict=True), start=1):
        photo = f"im{number:0{form.digits}d}.jpg"
        photos[photo] = None
        if not (np.abs(joints[seen]) <= FARTHEST).all():
            wrong(RobustPoseError(f"{file}: person {number}: coordinates must be finite numbers"))
        elif seen.sum() < 2 or np.ptp(joints[seen], axis=0).max() < 1:
            left_out["fewer than two distinct labelled joints, so no box"] += 1
        else:
            people.append(_person(f"{form.name}:{Path(photo).stem}", photo, joints - 1, seen))
    return Annotations(form.name, LSP_14, tuple(people), left_out, photos, len(points), boxes="derived")


def _joints(form: _Form, file: Path) -> tuple[Floats, Floats]:
    """Return coordinates (N, K, 2), counted from 1, and the flags (N, K)."""
    content = load_mat(file, squeeze=False)
    joints = content.get("joints")
    if not isinstance(joints, np.ndarray) or joints.dtype.kind not in "fiu":
        raise RobustPoseError(f"{file}: has no array 'joints' of numbers; is it {form.title}'s joints.mat?")
    if joints.ndim == 2:  # MATLAB drops the last axis if there is one person
        joints = joints[:, :, None]
    if joints.shape[:2] != ((3, _K) if form is _LSP else (_K, 3)):
        other = _LSPET if form is _LSP else _LSP
        is_other = joints.shape[:2] == ((_K, 3) if form is _LSP else (3, _K))
        hint = f"; that is {other.title}'s format: open it as {other.name}:{file.parent}" if is_other else ""
        raise RobustPoseError(f"{file}: joints must be of shape {form.shape}, got {joints.shape}{hint}")
    rows = joints.astype(np.float64).transpose(form.axes)
    return rows[:, :, :2], rows[:, :, 2]


def _person(person_id: str, photo: str, joints: Floats, labelled: NDArray[np.bool_]) -> Person:
    low, high = joints[labelled].min(axis=0), joints[labelled].max(axis=0)
    side = BOX_SIDE * float((high - low).max())
    x, y = (low + high) / 2 + 0.5 - side / 2  # from pixel centres to pixel edges
    head = joints[_HEAD_TOP] - joints[_NECK]
    known = bool(labelled[_HEAD_TOP] and labelled[_NECK]) and float(np.linalg.norm(head)) > 0
    return Person(
        id=person_id,
        photo=photo,
        box=(float(x), float(y), side, side),
        keypoints=joints,
        visible=labelled,
        head_size=HEAD_SIZE * float(np.linalg.norm(head)) if known else math.nan,
    )


def _check_numbers(form: _Form, folder: Path, people: int) -> None:
    """Refuse consecutively numbered photos whose number differs from the people's: they may be renumbered."""
    numbers = {int(photo.stem[2:]) for photo in folder.glob("im*.jpg") if photo.stem[2:].isdigit()}
    if numbers == set(range(1, len(numbers) + 1)) and len(numbers) != people:
        raise RobustPoseError(
            f"{folder}: has {form.title} photos 1 to {len(numbers)}, but joints.mat has {people} people: photos "
            "are missing, or were renumbered"
        )


LSP_DATA = DataSpec(
    open=open_lsp,
    summary="Leeds Sports Pose: lsp:FOLDER with joints.mat and images/; test set: lsp:FOLDER[1001-2000]",
    read=read_lsp,
    source=Source(
        title="Leeds Sports Pose",
        files=("joints.mat",),
        get="from the University of Leeds: lsp_dataset.zip (people of about 150 pixels) or "
        "lsp_dataset_original.zip; unpack it so that joints.mat is beside images/",
        licence="none is stated; photos belong to Flickr users, annotations are for research",
    ),
)
LSPET_DATA = DataSpec(
    open=open_lspet,
    summary="LSP Extended, noisy labels: lspet:FOLDER with joints.mat and images/",
    read=read_lspet,
    source=Source(
        title="Leeds Sports Pose Extended",
        files=("joints.mat",),
        get="from the University of Leeds: lspet_dataset.zip; unpack it so that joints.mat is beside images/",
        licence="none is stated; photos belong to Flickr users, annotations are for research",
    ),
)
