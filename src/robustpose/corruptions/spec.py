"""CorruptionSpec: all that is known of a corruption. Truth: what it may be told of the person in the image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, Pixels
from robustpose.skeletons import Skeleton

Level = TypeVar("Level")

Family = Literal["noise", "blur", "weather", "digital", "light", "occlusion", "resolution"]

SEVERITIES = (1, 2, 3, 4, 5)

HENDRYCKS = "Hendrycks and Dietterich 2019 (arXiv 1903.12261), as the package imagecorruptions defines it"
POSEBENCH = "named by PoseBench (Ma et al. 2024, arXiv 2406.14367), whose code is not published: our levels"
OURS = "ours"


@dataclass(frozen=True)
class Truth:
    """What is known of the person in an image.

    keypoints  (K, 2) image pixels, (0, 0) is the centre of the top-left pixel
    visible    (K,) bool: labelled
    skeleton   names the keypoints
    box_side   the longer side of the person's box, image pixels
    """

    keypoints: Floats
    visible: NDArray[np.bool_]
    skeleton: Skeleton
    box_side: float

    def __post_init__(self) -> None:
        k = len(self.skeleton)
        if self.keypoints.shape != (k, 2) or self.visible.shape != (k,):
            raise RobustPoseError(
                f"the truth of an image must be ({k}, 2) keypoints and ({k},) visible, "
                f"got {self.keypoints.shape} and {self.visible.shape}"
            )


@dataclass(frozen=True)
class CorruptionSpec(Generic[Level]):
    """How a corruption changes an image. Its name is its key in CORRUPTIONS.

    family   of corruptions with the same kind of cause
    summary  one line, for lists
    source   who defined it
    levels   what severity 1 to 5 means to `change` or `change_person`; `unit` says what the numbers are
    change   (image, level, generator) -> image; the argument is not written to
    change_person  the same with the person's truth; exactly one of the two is given
    version  raised when the same image, severity and seed give other bytes; part of the keys of stored results
    """

    family: Family
    summary: str
    source: str
    levels: tuple[Level, Level, Level, Level, Level]
    unit: str
    change: Callable[[Pixels, Level, Generator], Pixels] | None = None
    change_person: Callable[[Pixels, Level, Generator, Truth], Pixels] | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if (self.change is None) == (self.change_person is None):
            raise ValueError("a corruption has either change or change_person")

    @property
    def needs_truth(self) -> bool:
        """Whether it must know where the person is."""
        return self.change_person is not None

    def level(self, severity: int) -> Level:
        """Return what a severity means; RobustPoseError outside 1 to 5."""
        return self.levels[known_severity(severity) - 1]


def known_severity(severity: int) -> int:
    """Return a severity; RobustPoseError unless it is an integer from 1 to 5."""
    if isinstance(severity, bool) or not isinstance(severity, int | np.integer) or severity not in SEVERITIES:
        raise RobustPoseError(f"severity must be an integer from 1 to 5, got {severity!r}")
    return int(severity)
