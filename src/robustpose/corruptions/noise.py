"""Noise of a sensor or a channel: Gaussian, shot, impulse.

The published functions add it to every channel of the stored sRGB values alike. What a camera does in the dark is
in light.py: low_light.
"""

import numpy as np
from numpy.random import Generator

from robustpose.corruptions.filters import cut, unit
from robustpose.corruptions.spec import HENDRYCKS, CorruptionSpec
from robustpose.data.synthpose.compiled import compiled
from robustpose.geometry import Floats, Pixels


def gaussian_noise(image: Pixels, sigma: float, generator: Generator) -> Pixels:
    """Add Gaussian noise of standard deviation sigma, in [0, 1]."""
    return _with_noise(np.ascontiguousarray(image), generator.standard_normal(image.shape), sigma)


@compiled
def _with_noise(image: Pixels, noise: Floats, sigma: float) -> Pixels:
    out = np.empty_like(image)
    flat, result, values = image.reshape(-1), out.reshape(-1), noise.reshape(-1)
    for i in range(len(flat)):
        result[i] = np.uint8(min(max(flat[i] / 255.0 + values[i] * sigma, 0.0), 1.0) * 255)
    return out


def shot_noise(image: Pixels, photons: float, generator: Generator) -> Pixels:
    """Replace each value by a count of photons, so many of which are white on average."""
    counts = np.clip(generator.poisson(unit(image) * photons) / float(photons), 0, 1)
    return cut(counts * 255)


def impulse_noise(image: Pixels, share: float, generator: Generator) -> Pixels:
    """Set a share of the values of each channel to 0 or 255, as often to one as to the other."""
    drawn = generator.random(image.shape)
    out = image.copy()
    out[drawn < share] = 0
    out[drawn < share / 2] = 255
    return out


GAUSSIAN_NOISE = CorruptionSpec(
    family="noise",
    summary="Gaussian noise on every value",
    source=HENDRYCKS,
    levels=(0.08, 0.12, 0.18, 0.26, 0.38),
    unit="standard deviation, in [0, 1]",
    change=gaussian_noise,
)

SHOT_NOISE = CorruptionSpec(
    family="noise",
    summary="Noise of counting few photons",
    source=HENDRYCKS,
    levels=(60, 25, 12, 5, 3),
    unit="photons of white",
    change=shot_noise,
)

IMPULSE_NOISE = CorruptionSpec(
    family="noise",
    summary="Values set to 0 or 255, as broken pixels are",
    source=HENDRYCKS,
    levels=(0.03, 0.06, 0.09, 0.17, 0.27),
    unit="share of the values",
    change=impulse_noise,
)
