"""The content of annotation files and their faults, for all formats (COCO, MPII, OCHuman, ...).

A reader returns Annotations. It passes each fault of a single person or photo to `wrong`. Opening a data set
raises the first one (`refuse`); `data check` collects all.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError
from robustpose.fields import finite_number
from robustpose.geometry import Floats
from robustpose.skeletons import Skeleton

Wrong = Callable[[RobustPoseError], None]


def refuse(error: RobustPoseError) -> None:
    """Raise the error."""
    raise error


@dataclass(frozen=True, eq=False)
class Person:
    """One person of an annotation file, in photo pixels.

    id         stable across runs and machines
    photo      the file name in the annotations
    box        (x, y, w, h) between pixel edges
    keypoints  (K, 2), (0, 0) = centre of the top-left pixel
    visible    (K,) labelled, so it counts
    head_size  PCKh's unit; NaN where the data set gives none
    area       the person's area for OKS, photo pixels squared; NaN where the data set gives none
    occluded   the share of the labelled keypoints that the file marks as occluded; NaN where it does not say
    """

    id: str
    photo: str
    box: tuple[float, float, float, float]
    keypoints: Floats
    visible: NDArray[np.bool_]
    head_size: float = math.nan
    area: float = math.nan
    occluded: float = math.nan


@dataclass(frozen=True, eq=False)
class Annotations:
    """The content of an annotation file.

    people    the people that are used, in the data set's order
    left_out  number of excluded people by reason
    photos    every photo that the file names, with its size (H, W) if given
    named     number of people in the file, including excluded ones
    guesses   folders where the official layout has the photos
    boxes     'given' in the file, or 'derived' from other numbers; derived boxes may reach beyond the photo
    """

    name: str
    skeleton: Skeleton
    people: tuple[Person, ...]
    left_out: Counter[str]
    photos: Mapping[str, tuple[int, int] | None]
    named: int
    guesses: tuple[Path, ...] = ()
    boxes: Literal["given", "derived"] = "given"


@dataclass(frozen=True, eq=False)
class Detected:
    """What the official evaluation needs beside a model's predictions.

    annotations  the file's annotations by photo, including crowds and people without keypoints
    scores       the detector's scores by the id of the row
    rows         number of detections in each photo
    """

    annotations: Mapping[str, tuple[dict[str, Any], ...]]
    scores: Mapping[str, float]
    rows: Mapping[str, int]


def annotation_file(path: str | Path, kind: str) -> Path:
    """Return the path of an annotation file; RobustPoseError where it does not exist."""
    if not str(path):
        raise RobustPoseError(f"data set '{kind}' needs an annotation file: {kind}:PATH")
    file = Path(path)
    if not file.is_file():
        state = "is a folder, expected an annotation file" if file.is_dir() else "no such file"
        raise RobustPoseError(f"{file}: {state}")
    return file


def read_json(path: Path) -> Any:
    """Parse a JSON file; RobustPoseError names the file and the place of the syntax error."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise RobustPoseError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RobustPoseError(f"{path}: not JSON: it is not text") from None
    except (ValueError, RecursionError) as error:
        # ValueError for invalid JSON and for overlong numbers, RecursionError for deep nesting.
        raise RobustPoseError(f"{path}: not JSON, or truncated: {str(error).splitlines()[0]}") from None


FARTHEST = 1e7
"""Photo pixels: no photo is so large, and squares of coordinates stay finite."""


def is_coordinate(value: object) -> TypeGuard[float]:
    """Say whether a JSON value is a number that a coordinate or length in a photo may have."""
    return finite_number(value) and abs(value) <= FARTHEST


def finite_numbers(value: object, count: int) -> TypeGuard[list[float]]:
    """Say whether a JSON value is a list of `count` finite numbers."""
    return isinstance(value, list) and len(value) == count and all(map(is_coordinate, value))


def shown(value: object) -> str:
    """Return a value as text short enough for one line; long lists by their length."""
    if isinstance(value, list) and len(value) > 4:
        return f"a list of {len(value)}"
    return repr(value)[:60]


def counted(left_out: Counter[str]) -> tuple[str, ...]:
    """Return one line per reason for exclusion, with the number of people."""
    return tuple(f"{reason}: {number}" for reason, number in sorted(left_out.items()) if number)
