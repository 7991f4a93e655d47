"""Sheets of frost to lay over an image, grown from random numbers.

The published corruption blends photographs of frost, which have owners. These sheets have the mean colour and the
contrast of the five photographs that it draws from (measured; its second and third are the same), needles and
clouds instead of their shapes. So a blend is as bright and as strong as there, but its texture is not theirs.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.random import PCG64, Generator

from robustpose.corruptions.plasma import plasma
from robustpose.geometry import Floats, Pixels

SIZE = (512, 768)
"""Of a sheet, before it is enlarged."""


@dataclass(frozen=True)
class Sheet:
    """The mean colour (RGB) and the standard deviation of a photograph of frost, 0 to 255; stars of needles."""

    colour: tuple[int, int, int]
    deviation: int
    stars: int


SHEETS = (
    Sheet((78, 149, 166), 19, stars=120),
    Sheet((201, 205, 214), 22, stars=900),
    Sheet((201, 205, 214), 22, stars=900),
    Sheet((138, 153, 165), 29, stars=500),
    Sheet((112, 123, 135), 43, stars=700),
)


@cache
def sheet(index: int) -> Pixels:
    """Grow one of the sheets, (H, W, 3) RGB; the caller must not write to it."""
    kind = SHEETS[index]
    generator = Generator(PCG64(index))
    height, width = SIZE
    clouds = plasma(1024, decay=2.0, generator=generator)[:height, :width]
    needles = _needles(kind.stars, generator).astype(np.float64) / 255
    pattern = _standardised(_standardised(needles) + 0.6 * _standardised(clouds))
    shades = np.array(kind.colour) + kind.deviation * pattern[..., None]
    return np.clip(shades + 0.5, 0, 255).astype(np.uint8)


def _needles(stars: int, generator: Generator) -> Pixels:
    """Draw stars of needles with side branches, as ice crystals have; integer arithmetic only."""
    canvas = np.zeros(SIZE, np.uint8)
    for _ in range(stars):
        x, y = int(generator.integers(SIZE[1])), int(generator.integers(SIZE[0]))
        reach = int(generator.integers(12, 60))
        for _ in range(int(generator.integers(2, 6))):
            right, down = (int(each) for each in generator.integers(-reach, reach + 1, 2))
            shade = int(generator.integers(90, 256))
            cv2.line(canvas, (x, y), (x + right, y + down), shade, 1, cv2.LINE_AA)
            for part in range(1, 5):
                foot = (x + right * part // 5, y + down * part // 5)
                side = (right - down) // 6, (down + right) // 6
                cv2.line(canvas, foot, (foot[0] + side[0], foot[1] + side[1]), shade, 1, cv2.LINE_AA)
    return canvas


def _standardised(values: Floats) -> Floats:
    centred = values - values.mean()
    scaled: Floats = centred / np.sqrt((centred**2).mean())
    return scaled
