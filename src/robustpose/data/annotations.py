"""What annotation files say, and what is wrong with them: the same for COCO's form, MPII's and OCHuman's.

A reader turns a file into Annotations. It hands each fault that concerns one person or photo to `wrong`: opening a
data set refuses the first (`refuse`), checking one gathers them all.
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
    """Let nothing wrong pass."""
    raise error


@dataclass(frozen=True, eq=False)
class Person:
    """One person of an annotation file, in photo pixels.

    id         stable across runs and machines
    photo      the file's name as the annotations give it
    box        (x, y, w, h) between pixel edges
    keypoints  (K, 2), (0, 0) = centre of the top-left pixel
    visible    (K,) labelled, so it counts
    head_size  PCKh's unit; NaN where the data set gives none
    area       of the person, photo pixels squared, which OKS is measured by; NaN where the data set gives none
    """

    id: str
    photo: str
    box: tuple[float, float, float, float]
    keypoints: Floats
    visible: NDArray[np.bool_]
    head_size: float = math.nan
    area: float = math.nan


@dataclass(frozen=True, eq=False)
class Annotations:
    """What a file says.

    people    who takes part, in the data set's order
    left_out  the others, counted by reason
    photos    every photo that it names, with its size (H, W) where it says one
    named     how many people it holds, whoever takes part
    guesses   folders where the official tree keeps the photos
    boxes     whether the file gives boxes, or they are derived from other numbers and may leave the photo
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
    """What the official evaluation needs beside a model's answers.

    annotations  of each photo of the file, as the file has them: people, crowds, people without keypoints
    scores       the detector's, by the id of the row
    rows         how many detections each photo has
    """

    annotations: Mapping[str, tuple[dict[str, Any], ...]]
    scores: Mapping[str, float]
    rows: Mapping[str, int]


def annotation_file(path: str | Path, kind: str) -> Path:
    """Return the path of an annotation file that exists; RobustPoseError where it does not."""
    if not str(path):
        raise RobustPoseError(f"data set '{kind}' needs an annotation file: {kind}:PATH")
    file = Path(path)
    if not file.is_file():
        state = "is a folder, expected an annotation file" if file.is_dir() else "no such file"
        raise RobustPoseError(f"{file}: {state}")
    return file


def read_json(path: Path) -> Any:
    """Parse a JSON file; RobustPoseError names the file and where it stops being JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise RobustPoseError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RobustPoseError(f"{path}: not JSON: it is not text") from None
    except (ValueError, RecursionError) as error:
        # What is no JSON and a number too long to read are ValueErrors; brackets may lie too deep.
        raise RobustPoseError(f"{path}: not JSON, or truncated: {str(error).splitlines()[0]}") from None


def finite_numbers(value: object, count: int) -> TypeGuard[list[float]]:
    """Say whether a JSON value is a list of `count` finite numbers."""
    return isinstance(value, list) and len(value) == count and all(map(finite_number, value))


def shown(value: object) -> str:
    """Return what a value was, short enough for one line: a list by its length."""
    if isinstance(value, list) and len(value) > 4:
        return f"a list of {len(value)}"
    return repr(value)[:60]


def counted(left_out: Counter[str]) -> tuple[str, ...]:
    """Write one line for each reason that people were left out, with their number."""
    return tuple(f"{reason}: {number}" for reason, number in sorted(left_out.items()) if number)
