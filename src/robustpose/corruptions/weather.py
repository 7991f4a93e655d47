"""Weather: snow, frost and fog of the published set; rain on a lens or in the air is ours."""

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.corruptions import filters
from robustpose.corruptions.filters import UNIT, cut, unit
from robustpose.corruptions.frost import sheet
from robustpose.corruptions.plasma import plasma
from robustpose.corruptions.spec import HENDRYCKS, OURS, CorruptionSpec
from robustpose.geometry import Pixels

SNOW_WHITENING = 1.5, 0.5
"""Under snow a grey value g is at least 1.5 g + 0.5 before the two are mixed."""
_ENLARGED = 1.1


def snow(image: Pixels, level: tuple[float, float, float, float, int, int, float], generator: Generator) -> Pixels:
    """Whiten the image and add flakes: noise (mean, deviation), zoom, threshold, smear (radius, sigma), mix."""
    mean, deviation, zoom, threshold, radius, sigma, mix = level
    height, width = image.shape[:2]
    flakes = filters.zoom(mean + deviation * generator.standard_normal((height, width)), zoom)
    flakes[flakes < threshold] = 0
    flakes = np.clip(flakes, 0, 1)
    steps = filters.motion_steps(flakes.shape, width=2 * radius + 1, degrees=generator.uniform(-135, -45))
    smeared = filters.smear(flakes[..., None], steps, filters.motion_kernel(2 * radius + 1, sigma))[..., 0]
    layer = UNIT[np.round(smeared * 255).astype(np.uint8)][:height, :width]
    single = UNIT.astype(np.float32)[image]
    grey = cv2.cvtColor(single, cv2.COLOR_RGB2GRAY)[..., None]
    gain, offset = SNOW_WHITENING
    whitened = mix * single + (1 - mix) * np.maximum(single, grey * gain + offset)
    return cut(np.clip(whitened + (layer + np.rot90(layer, k=2))[..., None], 0, 1) * 255)


def frost(image: Pixels, level: tuple[float, float], generator: Generator) -> Pixels:
    """Blend with a random part of a sheet of frost: (weight of the image, weight of the frost)."""
    return blended(image, level, sheet(int(generator.integers(5))), generator)


def blended(image: Pixels, level: tuple[float, float], over: Pixels, generator: Generator) -> Pixels:
    """Blend with a random part of another image, enlarged if it is smaller than the first."""
    height, width = image.shape[:2]
    scale = max(1, height / over.shape[0], width / over.shape[1]) * _ENLARGED
    size = int(np.ceil(over.shape[1] * scale)), int(np.ceil(over.shape[0] * scale))
    large = cv2.resize(over, dsize=size, interpolation=cv2.INTER_CUBIC)
    row = int(generator.integers(0, large.shape[0] - height))
    column = int(generator.integers(0, large.shape[1] - width))
    of_image, of_frost = level
    part = large[row : row + height, column : column + width]
    return cut(np.clip(of_image * image + of_frost * part, 0, 255))


def fog(image: Pixels, level: tuple[float, float], generator: Generator) -> Pixels:
    """Add clouds and darken to the image's own range: (thickness, decay of the clouds)."""
    thickness, decay = level
    height, width = image.shape[:2]
    side = 1 << (max(image.shape) - 1).bit_length()
    clouds = plasma(side, decay=decay, generator=generator)[:height, :width, None]
    values = unit(image)
    top = values.max()
    return cut(np.clip((values + thickness * clouds) * top / (top + thickness), 0, 1) * 255)


def rain(image: Pixels, level: tuple[float, float, float], generator: Generator) -> Pixels:
    """Draw streaks of falling drops and dim what is behind: (drops per 1000 pixels, length, haze).

    A streak's length is in image heights. All fall within 15 degrees of the vertical, alike to 3 degrees.
    """
    density, length, haze = level
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.uint8)
    slant = generator.uniform(-15, 15)
    for _ in range(round(density * height * width / 1000)):
        x, y = int(generator.integers(width)), int(generator.integers(-height // 4, height))
        down = max(2, round(length * height * generator.uniform(0.5, 1)))
        right = round(down * np.tan(np.deg2rad(slant + generator.uniform(-3, 3))))
        cv2.line(streaks, (x, y), (x + right, y + down), int(generator.integers(70, 200)), 1, cv2.LINE_AA)
    drops = UNIT[streaks][..., None]
    behind = image * (1 - haze) + 160 * haze
    return np.asarray(np.clip(behind + (225 - behind) * drops + 0.5, 0, 255).astype(np.uint8))


SNOW = CorruptionSpec(
    family="weather",
    summary="Falling snow",
    source=HENDRYCKS,
    levels=(
        (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    unit="mean and deviation of the noise, zoom, threshold, radius and sigma of the smear, share of the image",
    change=snow,
)

FROST = CorruptionSpec(
    family="weather",
    summary="Frost on the lens",
    source=f"{HENDRYCKS}, with sheets of frost of our own",
    levels=((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    unit="weights of the image and of the frost",
    change=frost,
)

FOG = CorruptionSpec(
    family="weather",
    summary="Fog",
    source=HENDRYCKS,
    levels=((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    unit="thickness, decay of the clouds",
    change=fog,
)

RAIN = CorruptionSpec(
    family="weather",
    summary="Falling rain",
    source=OURS,
    levels=((1.0, 0.06, 0.05), (2.0, 0.08, 0.1), (3.5, 0.1, 0.15), (5.5, 0.12, 0.2), (8.0, 0.15, 0.3)),
    unit="drops per 1000 pixels, length in image heights, haze",
    change=rain,
)
