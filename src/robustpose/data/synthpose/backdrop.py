"""The background of a scene: a panorama or a plain studio wall, and the floor."""

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, Panorama, Pixels
from robustpose.data.synthpose.camera import Camera, View
from robustpose.data.synthpose.colours import palette
from robustpose.data.synthpose.compiled import compiled
from robustpose.data.synthpose.ingredients import FLOOR_CONTACT, PANORAMAS
from robustpose.data.synthpose.splits import Split


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
    """Return a camera's view of a panorama (S, S, 3), display values; `widening` acts like a wider lens."""
    out = np.empty((size, size, 3))
    _fill_panorama(image, view, yaw, widening, out)
    return out


NO_FLOOR, SHADOW_FLOOR, TEXTURED_FLOOR = 0, 1, 2
"""Kinds of floor: none; a shadow on the backdrop; a textured surface."""

_PANORAMA_SHARE = 0.85

_GROUNDLESS = frozenset({"sky"})
"""Panoramas without ground, which always get a floor."""


class Floor(NamedTuple):
    """The plane y = 0, drawn where no surface is."""

    kind: int
    texture: int
    frequency: float
    angle: float
    tint: Floats  # (3,)
    shadow: float  # how dark the key light's shadow is on a backdrop, in [0, 1]
    reach: float  # metres at which a textured floor has faded into the backdrop


@dataclass(frozen=True)
class Backdrop:
    """An image (S, S, 3), display values in [0, 1], and the floor drawn over it."""

    image: Floats
    floor: Floor
    name: str  # of the panorama, or procedural


def sample_backdrop(
    panorama: Panorama,
    camera: Camera,
    *,
    yaw: float,
    size: int,
    key: float,
    split: Split,
    rng: Generator,
    without: frozenset[str] = frozenset(),
    place: Literal["panorama", "wall"] | None = None,
) -> Backdrop:
    """Draw the backdrop of a scene; a brighter key light casts a darker shadow.

    If `without` has panoramas, it is a wall; if it has floor contact, there is no floor. `place` chooses between a
    panorama and a wall.
    """
    place = "wall" if PANORAMAS in without else place
    backdrop = _draw_backdrop(panorama, camera, yaw=yaw, size=size, key=key, split=split, rng=rng, place=place)
    if FLOOR_CONTACT in without:
        return replace(backdrop, floor=backdrop.floor._replace(kind=NO_FLOOR))
    return backdrop


def _draw_backdrop(
    panorama: Panorama,
    camera: Camera,
    *,
    yaw: float,
    size: int,
    key: float,
    split: Split,
    rng: Generator,
    place: Literal["panorama", "wall"] | None,
) -> Backdrop:
    drawn = rng.random() < _PANORAMA_SHARE
    if drawn if place is None else place == "panorama":
        half_angle = size / 2 / camera.focal
        widening = float(np.clip(rng.uniform(0.4, 0.8) / half_angle, 1, 3.5))
        image = panorama_view(panorama.image, camera.view(), yaw=yaw, widening=widening, size=size)
        grounded = panorama.name not in _GROUNDLESS
        floor = _floor(split, key, rng, textured=0.3 if grounded else 1.0, bare=0.02 if grounded else 0.0)
        return Backdrop(image, floor, panorama.name)
    return Backdrop(_wall(size, split, rng), _floor(split, key, rng, textured=0.8, bare=0.05), "procedural")


def _floor(split: Split, key: float, rng: Generator, *, textured: float, bare: float) -> Floor:
    draw = rng.random()
    kind = NO_FLOOR if draw < bare else TEXTURED_FLOOR if draw < bare + textured else SHADOW_FLOOR
    colours = palette(int(rng.integers(split.palettes.start, split.palettes.stop)))
    return Floor(
        kind=kind,
        texture=int(rng.integers(len(split.textures))),
        frequency=float(rng.uniform(0.3, 1.2)),
        angle=float(rng.uniform(0, np.pi)),
        tint=0.8 + 0.2 * np.array(colours[int(rng.integers(5))]),
        shadow=min(0.75, 0.25 + 0.4 * key),
        reach=float(rng.uniform(5, 16)),
    )


def _wall(size: int, split: Split, rng: Generator) -> Floats:
    """Return a wall: a colour with a gradient and blotches, sometimes with large shapes."""
    colours = palette(int(rng.integers(split.palettes.start, split.palettes.stop)))
    shapes = int(rng.integers(0, 8)) if rng.random() < 0.5 else 0
    first = np.array(colours[int(rng.integers(len(colours)))]) ** (1 / 2.2)
    gradient = 1 - np.linspace(0, 1, size)[:, None, None] * rng.uniform(0, 0.5)
    blotches = cv2.resize(rng.normal(0, 1, (8, 8)), (size, size), interpolation=cv2.INTER_CUBIC)[..., None]
    wall: Floats = np.ascontiguousarray(first * gradient * (1 + 0.06 * blotches))
    for _ in range(shapes):
        colour = [float(channel) ** (1 / 2.2) for channel in colours[int(rng.integers(len(colours)))]]
        x, y = (int(value) for value in rng.integers(-size // 8, size, 2))
        w, h = (int(value) for value in rng.uniform(0.1, 0.5, 2) * size)
        cv2.rectangle(wall, (x, y), (x + w, y + h), colour, -1)
    return np.clip(wall, 0, 1)
