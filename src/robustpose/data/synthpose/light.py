"""Light: the panorama's, rotated and scaled to a visible level, and one key light with a shadow map."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, Panorama
from robustpose.data.synthpose.kernels import affine
from robustpose.data.synthpose.mesh import Surfaces
from robustpose.data.synthpose.raster import depth_map
from robustpose.data.synthpose.rotation import axis_rotation, length, product, turned

_SHADOW_SIDE, _SKY_SIDE = 320, 192


class Lighting(NamedTuple):
    """Light of a scene."""

    harmonics: Floats  # (9, 3)
    key: Floats  # (3,) towards the key light
    key_colour: Floats  # (3,)
    shadow_map: Floats
    shadow_matrix: Floats  # (3, 4) world to map
    sky_map: Floats
    sky_matrix: Floats  # (3, 4)
    exposure: float


@dataclass(frozen=True)
class LightDraw:
    """The light of a scene without shadow maps."""

    harmonics: Floats  # (9, 3)
    key: Floats  # (3,) towards the key light
    key_colour: Floats  # (3,)
    strength: float  # of the key light
    exposure: float


def sample_light(panorama: Panorama, yaw: float, rng: Generator) -> LightDraw:
    """Draw the light of a panorama whose azimuth is shifted by `yaw` (radians)."""
    turn = axis_rotation("y", -np.rad2deg(yaw))
    key = panorama.key.copy()
    key[1] = max(key[1], 0.25)
    if rng.random() < 0.3:  # a lamp, a flash, a gap in the clouds
        key = rng.normal(0, 1, 3)
        key[1] = abs(key[1]) + 0.3
    key = turned(turn, key / length(key))

    harmonics = panorama.harmonics.copy()
    level = harmonics[0].mean() * 0.282095
    harmonics *= rng.uniform(0.38, 0.62) / (level + 1e-6)
    harmonics[4:] = 0  # the higher orders are small and harder to rotate
    # x is row 3, z is row 2: rotate them as a vector
    rotated = product(turn, np.stack([harmonics[3], 0 * harmonics[3], harmonics[2]]))
    harmonics[3], harmonics[2] = rotated[0], rotated[2]
    tint = harmonics[0] / harmonics[0].mean()
    strength = float(rng.choice([0.12, 0.45, 0.9, 1.4], p=[0.15, 0.32, 0.33, 0.2]))
    return LightDraw(
        harmonics=harmonics / (0.5 + 0.5 * tint),  # white balance removes half of the tint
        key=key,
        key_colour=np.array([1.0, rng.uniform(0.9, 1), rng.uniform(0.76, 1)]) * strength,
        strength=strength,
        exposure=float(rng.uniform(0.95, 1.5)),
    )


def _parallel_view(direction: Floats, middle: Floats, radius: float, side: int) -> Floats:
    """Return the affine map (3, 4), world to pixels and depth, of a parallel view along -direction."""
    forward = -direction / length(direction)
    up = np.array([0.0, 1, 0]) if abs(forward[1]) < 0.95 else np.array([1.0, 0, 0])
    right = np.cross(up, forward)
    right /= length(right)
    axes = np.stack([right, np.cross(forward, right), forward]) * np.array([[1.0], [1.0], [2 * radius / side]])
    axes *= side / (2 * radius)
    offset = np.array([side / 2, side / 2, 20.0])
    return np.column_stack([axes, offset - turned(axes, middle)])


def cast_light(draw: LightDraw, surfaces: Surfaces, middle: Floats, radius: float) -> Lighting:
    """Return the light with shadow maps of the surfaces within a radius, in metres, around `middle` (3,)."""
    maps = []
    for direction, side in ((draw.key, _SHADOW_SIDE), (np.array([0.0, 1.0, 0.001]), _SKY_SIDE)):
        matrix = _parallel_view(direction, middle, radius, side)
        mapped = np.empty_like(surfaces.points)
        affine(surfaces.points, matrix, mapped)
        maps += [depth_map(mapped, surfaces.faces, surfaces.alpha, size=side), matrix]
    shadow_map, shadow_matrix, sky_map, sky_matrix = maps
    return Lighting(
        harmonics=draw.harmonics,
        key=draw.key,
        key_colour=draw.key_colour,
        shadow_map=shadow_map,
        shadow_matrix=shadow_matrix,
        sky_map=sky_map,
        sky_matrix=sky_matrix,
        exposure=draw.exposure,
    )
