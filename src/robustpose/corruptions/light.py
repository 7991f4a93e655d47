"""Light: too much, too little, as a camera takes it in the dark, a shadow, a lens flare."""

import numpy as np
from numpy.random import Generator

from robustpose.corruptions.filters import UNIT
from robustpose.corruptions.spec import HENDRYCKS, OURS, POSEBENCH, CorruptionSpec
from robustpose.data.synthpose.compiled import compiled
from robustpose.geometry import Floats, Pixels

FULL_WELL = 4000.0
"""Electrons of white in full light: a phone's small pixel."""
READ_NOISE = 4.0
"""Standard deviation of the noise of reading a pixel, electrons."""


def to_linear(values: Floats) -> Floats:
    """Turn sRGB values in [0, 1] into light (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Floats) -> Floats:
    """Turn light in [0, 1] into sRGB values."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


LINEAR: Floats = to_linear(UNIT)


def brightness(image: Pixels, more: float, generator: Generator) -> Pixels:
    """Raise the value V of each pixel's HSV colour."""
    return _brighter(np.ascontiguousarray(image), more)


@compiled
def _brighter(image: Pixels, more: float) -> Pixels:
    """Turn RGB into HSV and back with the published rounding."""
    out = np.empty_like(image)
    height, width, _ = image.shape
    for y in range(height):
        for x in range(width):
            red, green, blue = image[y, x, 0] / 255.0, image[y, x, 1] / 255.0, image[y, x, 2] / 255.0
            value = max(red, green, blue)
            spread = value - min(red, green, blue)
            hue, saturation = 0.0, 0.0
            if spread > 0:
                saturation = spread / value
                if blue == value:
                    hue = 4.0 + (red - green) / spread
                elif green == value:
                    hue = 2.0 + (blue - red) / spread
                else:
                    hue = (green - blue) / spread
                hue = (hue / 6.0) % 1.0
            value = min(max(value + more, 0.0), 1.0)
            sixth = np.floor(hue * 6.0)
            part = hue * 6.0 - sixth
            low = value * (1.0 - saturation)
            falling = value * (1.0 - part * saturation)
            rising = value * (1.0 - (1.0 - part) * saturation)
            case = int(sixth) % 6
            if case == 0:
                colour = (value, rising, low)
            elif case == 1:
                colour = (falling, value, low)
            elif case == 2:
                colour = (low, value, rising)
            elif case == 3:
                colour = (low, falling, value)
            elif case == 4:
                colour = (rising, low, value)
            else:
                colour = (value, low, falling)
            for c in range(3):
                out[y, x, c] = np.uint8(min(max(colour[c], 0.0), 1.0) * 255)
    return out


def darkness(image: Pixels, light: float, generator: Generator) -> Pixels:
    """Leave a share of the light: linear light is multiplied, and written as sRGB again."""
    return rounded(to_srgb(LINEAR * light) * 255)[image]


def low_light(image: Pixels, level: tuple[float, float], generator: Generator) -> Pixels:
    """Photograph in the dark: (share of the light, share of the lost brightness that the gain restores).

    Linear light becomes electrons, of which FULL_WELL are white in full light. Their count has shot noise, reading
    adds noise of READ_NOISE electrons. Then come a gain of (1 / share) ** restored and the gamma of sRGB.
    """
    share, restored = level
    electrons = generator.poisson(LINEAR[image] * (FULL_WELL * share)) + READ_NOISE * generator.standard_normal(
        image.shape
    )
    gain = (1 / share) ** restored / FULL_WELL
    return rounded(to_srgb(np.clip(electrons * gain, 0, 1)) * 255)


def shadow(image: Pixels, level: tuple[float, float], generator: Generator) -> Pixels:
    """Lay a shadow with a straight soft edge over one side: (share of the light in it, share of the image)."""
    light, covered = level
    height, width = image.shape[:2]
    degrees = generator.uniform(0, 360)
    across = _across(height, width, degrees)
    edge = float(np.quantile(across, 1 - covered))
    soft = max(1.0, 0.03 * max(height, width))
    dark = np.clip((across - edge) / soft + 0.5, 0, 1)[..., None]
    return rounded(to_srgb(LINEAR[image] * (1 - dark * (1 - light))) * 255)


def _across(height: int, width: int, degrees: float) -> Floats:
    """Return each pixel's distance (H, W) along a direction from the middle, rounded to a millionth of a pixel."""
    y, x = np.mgrid[:height, :width]
    across = (x - (width - 1) / 2) * np.cos(np.deg2rad(degrees)) + (y - (height - 1) / 2) * np.sin(
        np.deg2rad(degrees)
    )
    rounded_off: Floats = np.round(across, 6)
    return rounded_off


def lens_flare(image: Pixels, strength: float, generator: Generator) -> Pixels:
    """Add the veil, the disk and the ghosts of a light in a corner region, in linear light."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    side = float(max(height, width))
    sun = np.array([generator.uniform(0.05, 0.95) * width, generator.uniform(0.02, 0.35) * height])
    middle = np.array([width / 2, height / 2])
    distance = np.hypot(x - sun[0], y - sun[1])
    light = 0.25 / (1 + (3 * distance / side) ** 2) + 2.0 / (1 + (30 * distance / side) ** 2)
    flare = light[..., None] * np.array([1.0, 0.95, 0.85])
    for _ in range(4):
        ghost = sun + generator.uniform(0.5, 2.2) * (middle - sun)
        radius = side * generator.uniform(0.02, 0.09)
        inside = np.clip((radius - np.hypot(x - ghost[0], y - ghost[1])) / (0.2 * radius), 0, 1)
        flare += 0.15 * inside[..., None] * generator.uniform(0.3, 1.0, 3)
    return rounded(to_srgb(np.clip(LINEAR[image] + strength * flare, 0, 1)) * 255)


def rounded(values: Floats) -> Pixels:
    """Round values from 0 to 255 to 8 bits, up from a half; less a millionth, which processors may differ by."""
    return np.clip(np.floor(values + 0.5 - 1e-6), 0, 255).astype(np.uint8)


BRIGHTNESS = CorruptionSpec(
    family="light",
    summary="Too bright",
    source=HENDRYCKS,
    levels=(0.1, 0.2, 0.3, 0.4, 0.5),
    unit="added to V of HSV, in [0, 1]",
    change=brightness,
)

DARKNESS = CorruptionSpec(
    family="light",
    summary="Little light, without noise",
    source=POSEBENCH,
    levels=(0.5, 0.25, 0.12, 0.06, 0.03),
    unit="share of the light",
    change=darkness,
)

LOW_LIGHT = CorruptionSpec(
    family="light",
    summary="A camera in the dark: gain, shot and read noise, gamma",
    source=OURS,
    levels=((0.1, 0.8), (0.04, 0.75), (0.02, 0.7), (0.01, 0.65), (0.004, 0.6)),
    unit="share of the light, share of the lost brightness that the gain restores",
    change=low_light,
)

SHADOW = CorruptionSpec(
    family="light",
    summary="A shadow over a part of the image",
    source=OURS,
    levels=((0.5, 0.3), (0.35, 0.4), (0.22, 0.5), (0.12, 0.5), (0.05, 0.5)),
    unit="share of the light in the shadow, share of the image",
    change=shadow,
)

LENS_FLARE = CorruptionSpec(
    family="light",
    summary="A light shines into the lens",
    source=OURS,
    levels=(0.3, 0.6, 1.0, 1.6, 2.5),
    unit="brightness beside that of white",
    change=lens_flare,
)
