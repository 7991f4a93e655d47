"""What a deployment fault is: a mistake between the camera and the model's answer, in levels of its own unit.

A fault acts in one of four places: on the photo, on how the crop is cut out of it, on the crop, or on the model
(what it is given, its weights, how its output is read). The predictions are always scored in the crop that the
model should have been given, so that the truth is the same bit for bit with and without the fault.
"""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.faults.cutting import Cutting
from robustpose.geometry import Pixels
from robustpose.types import PoseModel

Level = float | str
"""How strong a graded fault is, in the fault's unit; or which form of a mistake it is."""


@dataclass(frozen=True)
class OnPhoto:
    """A fault of the photo before the crop is cut.

    change  (photo (H, W, 3), level, generator) -> a photo of the same size; writes into none
    """

    change: Callable[[Pixels, Level, Generator], Pixels]


@dataclass(frozen=True)
class OnCut:
    """A fault of how the crop is cut out of the photo.

    change  (the right way to cut, level, generator) -> the way it is cut
    """

    change: Callable[[Cutting, Level, Generator], Cutting]


@dataclass(frozen=True)
class OnCrop:
    """A fault of the crop's pixels.

    change  (crop (H, W, 3), level, generator) -> a crop of the same size; writes into none
    """

    change: Callable[[Pixels, Level, Generator], Pixels]


@dataclass(frozen=True)
class OnModel:
    """A fault of what the model is given, of its weights, or of how its output is read.

    change  (model, level, calibration images (M, 3, H, W) in [0, 1]) -> a model that has the fault; the given
            model stays as it is. RobustPoseError, with the reason, for a model that cannot have it.
    """

    change: Callable[[PoseModel, Level, Tensor], PoseModel]


Act = OnPhoto | OnCut | OnCrop | OnModel


@dataclass(frozen=True)
class FaultSpec:
    """A deployment fault.

    act      where it acts, and what it does
    summary  one line that says what goes wrong
    phrase   the mistake in words, with {level}: 'the photo turned by {level} degrees'
    levels   how strong it is, from mild to severe; or the forms of a mistake
    unit     of a graded fault's levels; empty for one with forms
    right    the level of a graded fault at which nothing is wrong, where there is one
    typical  the level of a graded fault by which it is ranked against others; None: its most costly one
    version  raised when it computes something else; part of the keys of stored results
    """

    act: Act
    summary: str
    phrase: str
    levels: tuple[Level, ...]
    unit: str = ""
    right: float | None = None
    typical: Level | None = None
    version: int = 1

    def words(self, level: Level) -> str:
        """Say a level in words."""
        return self.phrase.format(level=written(level))


def written(level: Level) -> str:
    """Write a level.

    >>> written(0.5), written("BGR")
    ('0.5', 'BGR')
    """
    return level if isinstance(level, str) else f"{level:g}"


def as_number(level: Level, fault: str) -> float:
    """Return a graded fault's level; RobustPoseError for a word."""
    if isinstance(level, str):
        raise RobustPoseError(f"fault {fault}: a level must be a number, got {level!r}")
    return float(level)
