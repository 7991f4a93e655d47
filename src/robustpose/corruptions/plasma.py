"""Clouds by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982), as fog and frost need them."""

import numpy as np
from numpy.random import Generator

from robustpose.geometry import Floats


def plasma(size: int, *, decay: float, generator: Generator) -> Floats:
    """Return a square of clouds from 0 to 1 that continues beyond its edges; size is a power of two.

    Each halving of the grid adds noise `decay` times smaller than the last.
    """
    clouds = np.empty((size, size))
    clouds[0, 0] = 0
    step, wobble = size, 100.0
    while step >= 2:
        half = step // 2
        corners = clouds[::step, ::step]
        two = corners + np.roll(corners, -1, axis=0)
        centres = clouds[half::step, half::step]
        centres[:] = _displaced(two + np.roll(two, -1, axis=1), wobble, generator)
        up = (centres + np.roll(centres, 1, axis=0)) + (corners + np.roll(corners, -1, axis=1))
        clouds[::step, half::step] = _displaced(up, wobble, generator)
        left = (centres + np.roll(centres, 1, axis=1)) + (corners + np.roll(corners, -1, axis=0))
        clouds[half::step, ::step] = _displaced(left, wobble, generator)
        step, wobble = half, wobble / decay
    clouds -= clouds.min()
    normed: Floats = clouds / clouds.max()
    return normed


def _displaced(sums: Floats, wobble: float, generator: Generator) -> Floats:
    moved: Floats = sums / 4 + wobble * generator.uniform(-wobble, wobble, sums.shape)
    return moved
