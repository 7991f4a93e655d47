"""What a camera sees of a panorama."""

import math

import numpy as np

from robustpose.data.synthpose.assets import Floats, Pixels
from robustpose.data.synthpose.camera import View
from robustpose.data.synthpose.compiled import compiled


@compiled
def _look_up(image: Pixels, rotation: Floats, dx: float, dy: float, yaw: float, out: Floats) -> None:
    """Write a panorama's colour (3,) in the direction (dx, dy, 1) of a camera into `out`."""
    height, width = image.shape[:2]
    x = rotation[0, 0] * dx + rotation[1, 0] * dy + rotation[2, 0]
    y = rotation[0, 1] * dx + rotation[1, 1] * dy + rotation[2, 1]
    z = rotation[0, 2] * dx + rotation[1, 2] * dy + rotation[2, 2]
    polar = math.acos(min(1.0, max(-1.0, y / math.sqrt(x * x + y * y + z * z))))
    azimuth = math.atan2(x, z) + yaw
    u = ((azimuth / (2 * math.pi) + 0.5) % 1.0) * width - 0.5
    v = polar / math.pi * height - 0.5
    left, top = math.floor(u), math.floor(v)
    fu, fv = u - left, v - top
    for channel in range(3):
        total = 0.0
        for j in range(2):
            row = min(height - 1, max(0, top + j))
            for i in range(2):
                weight = (fu if i else 1 - fu) * (fv if j else 1 - fv)
                total += weight * image[row, (left + i) % width, channel]
        out[channel] = total / 255.0


@compiled
def _fill_panorama(image: Pixels, view: View, yaw: float, widening: float, out: Floats) -> None:
    height, width = out.shape[:2]
    for py in range(height):
        for px in range(width):
            dx = (px - view.cx) / view.focal * widening
            dy = (py - view.cy) / view.focal * widening
            _look_up(image, view.rotation, dx, dy, yaw, out[py, px])


def panorama_view(image: Pixels, view: View, *, yaw: float, widening: float, size: int) -> Floats:
    """Return what a camera sees of a panorama (S, S, 3), display values; angles widened, as by a wider lens."""
    out = np.empty((size, size, 3))
    _fill_panorama(image, view, yaw, widening, out)
    return out
