"""What MPII says of one person, in either of its forms, and the crop and head size that follow from it."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from robustpose.data.annotations import Person
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats
from robustpose.skeletons import MPII_16

JOINTS = len(MPII_16)
NO_JOINT, NO_PLACE = "no labelled joint", "no centre or scale > 0"


class Entry(NamedTuple):
    """What MPII says of a person, coordinates still counted from 1; head_size None where unknown."""

    photo: str
    centre: Floats
    scale: float
    joints: Floats
    labelled: NDArray[np.bool_]
    head_size: float | None


def person_of(of_file: str, person_id: str, entry: Entry) -> Person:
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


def is_place(joints: Floats) -> NDArray[np.bool_]:
    """Say which joints (16, 2) are places: (0, 0) and (-1, -1) stand for no joint."""
    nowhere: NDArray[np.bool_] = (joints == 0).all(axis=1) | (joints == -1).all(axis=1)
    return ~nowhere


def head_size_of(corners: Floats) -> float:
    """Return PCKh's unit of a head box (2 corners, 2)."""
    return float(0.6 * np.linalg.norm(corners[1] - corners[0]))


def load_mat(file: Path, *, squeeze: bool) -> dict[str, Any]:
    """Read a .mat; every fault of scipy's reader becomes one line."""
    try:
        content: dict[str, Any] = loadmat(str(file), struct_as_record=False, squeeze_me=squeeze)
    except Exception as error:  # the reader raises a dozen kinds for a damaged file
        raise RobustPoseError(f"{file}: not a MATLAB file that can be read, or truncated: {error}") from None
    return content
