"""Axes along which an image gets worse in small steps, to find the limit up to which a model is usable.

Every level of an axis draws the same random numbers, so that a stronger level is the same change, further.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from robustpose.corruptions import Truth
from robustpose.corruptions.digital import jpeg_compression
from robustpose.corruptions.filters import cut, motion_steps, smear
from robustpose.corruptions.light import darkness
from robustpose.corruptions.noise import gaussian_noise
from robustpose.corruptions.occlusion import occluder
from robustpose.corruptions.resolution import low_resolution
from robustpose.errors import unknown_name
from robustpose.geometry import Pixels

PERSON = 200.0
"""Lengths of blur are given for a person whose box has so many pixels on its longer side."""

OCCLUDER_SIZE = 0.2
"""Diameter of an object in front of a joint, in sides of the person's box."""


@dataclass(frozen=True)
class Axis:
    """One way in which images get worse.

    title    of a table's row
    levels   from mild to strong, in about equal ratios or steps
    change   (image, level, generator, truth) -> image
    way      "down to" or "up to": from mild to strong
    of       what a level is of: stands after its number
    number   writes a level: a format string of `level`
    version  raised when a level computes something else; part of the keys of stored results
    """

    title: str
    levels: tuple[float, ...]
    change: Callable[[Pixels, float, Generator, Truth], Pixels]
    way: str
    of: str
    number: str = "{level:.2g}"
    version: int = 1

    def written(self, level: float) -> str:
        """Write a level.

        >>> AXES["light"].written(0.25)
        '0.25 of full light'
        """
        return f"{self.number.format(level=level)} {self.of}".strip()

    def between(self, place: float) -> float:
        """Return the level at a place among the levels, counted from 0; beyond the ends, the end.

        >>> AXES["size"].between(0.5)
        120.0
        """
        return float(np.interp(place, np.arange(len(self.levels)), self.levels))


def _motion(image: Pixels, pixels: float, generator: Generator, truth: Truth) -> Pixels:
    """Smear evenly along a random direction; the length is in pixels of a person of PERSON pixels."""
    width = max(1, round(pixels * truth.box_side / PERSON))
    steps = motion_steps(image.shape[:2], width=width, degrees=generator.uniform(0, 180))
    if not len(steps):
        return image.copy()
    centred = steps - steps[len(steps) // 2]
    return cut(
        np.clip(smear(np.ascontiguousarray(image), centred, np.full(len(steps), 1 / len(steps))) + 0.5, 0, 255)
    )


AXES: dict[str, Axis] = {
    "light": Axis(
        title="light",
        levels=(
            0.7,
            0.5,
            0.35,
            0.25,
            0.18,
            0.13,
            0.09,
            0.064,
            0.045,
            0.032,
            0.023,
            0.016,
            0.011,
            0.008,
            0.0056,
            0.004,
        ),
        change=lambda image, level, generator, truth: darkness(image, level, generator),
        way="down to",
        of="of full light",
    ),
    "blur": Axis(
        title="motion blur",
        levels=(2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80),
        change=_motion,
        way="up to",
        of="pixels on a person of 200",
    ),
    "noise": Axis(
        title="noise",
        levels=(0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.11, 0.15, 0.2, 0.27, 0.36, 0.48, 0.64, 0.85, 1.1),
        change=lambda image, level, generator, truth: gaussian_noise(image, level, generator),
        way="up to",
        of="of the range of values",
    ),
    "size": Axis(
        title="size of the person",
        levels=(128, 112, 96, 80, 64, 56, 48, 40, 32, 28, 24, 20, 16, 12, 8, 6),
        change=lambda image, level, generator, truth: low_resolution(image, level, generator, truth),
        way="down to",
        of="pixels",
    ),
    "jpeg": Axis(
        title="JPEG quality",
        levels=(70, 50, 40, 30, 25, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2, 1),
        change=lambda image, level, generator, truth: jpeg_compression(image, int(level), generator),
        way="down to",
        of="",
    ),
    "occlusion": Axis(
        title="hidden joints",
        levels=tuple(share / 16 for share in range(1, 17)),
        change=lambda image, level, generator, truth: occluder(image, (level, OCCLUDER_SIZE), generator, truth),
        way="up to",
        of="of the joints",
        number="{level:.0%}",
    ),
}


def axis_named(name: str) -> Axis:
    """Return an axis by name; RobustPoseError for an unknown one."""
    if name not in AXES:
        raise unknown_name("axis", name, AXES)
    return AXES[name]
