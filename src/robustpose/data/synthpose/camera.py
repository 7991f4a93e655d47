"""Cameras: viewpoint, edges of the photo, and the rendered crop around the person.

Camera axes are x right, y down, z forward. Image points are (x, y) in pixels, with (0, 0) at the CENTRE of the
top-left pixel. A box (x, y, w, h) is measured between pixel edges, so its x is 0.5 more than that of its left edge
as a point.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, Mask
from robustpose.data.synthpose.kernels import affine, bounds
from robustpose.data.synthpose.rotation import length, turned


class View(NamedTuple):
    """A pinhole camera in the format of the compiled loops."""

    position: Floats  # (3,) world, metres
    rotation: Floats  # (3, 3) rows: right, down, forward
    focal: float  # pixels
    cx: float
    cy: float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; focal length and principal point in pixels of its image."""

    position: Floats  # (3,) world, metres
    rotation: Floats  # (3, 3) rows: right, down, forward
    focal: float = 1.0
    cx: float = 0.0
    cy: float = 0.0

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Return the image points (N, 2) and depths (N,) in metres of points (N, 3)."""
        local = np.empty((len(points), 3))
        shift = -turned(self.rotation, self.position)
        affine(np.ascontiguousarray(points), np.column_stack([self.rotation, shift]), local)
        depth = local[:, 2]
        ahead = np.maximum(depth, 1e-6)
        seen = np.column_stack(
            [local[:, 0] / ahead * self.focal + self.cx, local[:, 1] / ahead * self.focal + self.cy]
        )
        return seen, depth

    def finer(self, factor: int) -> "Camera":
        """Return the camera of the same image with `factor` times the resolution."""
        centre = (factor - 1) / 2  # of pixel 0, in finer pixels
        return replace(self, focal=self.focal * factor, cx=self.cx * factor + centre, cy=self.cy * factor + centre)

    def view(self) -> View:
        """Return the camera in the format of the compiled loops."""
        return View(self.position, self.rotation, float(self.focal), float(self.cx), float(self.cy))


@dataclass(frozen=True)
class Viewpoint:
    """The direction of the camera relative to the person, in degrees."""

    elevation: float  # of the camera above the person's middle
    azimuth: float  # 0 is the person's front
    roll: float
    fov: float


def sample_viewpoint(rng: Generator) -> Viewpoint:
    """Draw a viewpoint: about three quarters roughly from the front, mostly level."""
    azimuth = rng.normal(0, 45) if rng.random() < 0.72 else rng.uniform(-180, 180)
    return Viewpoint(
        elevation=float(np.clip(rng.normal(8, 13), -15, 60)),
        azimuth=float((azimuth + 180) % 360 - 180),
        roll=float(rng.normal(0, 4) if rng.random() < 0.92 else rng.uniform(-30, 30)),
        fov=float(rng.uniform(22, 65)),
    )


def place_camera(viewpoint: Viewpoint, body: Floats, rng: Generator, *, farther: float = 1.0) -> Camera:
    """Return the camera, with focal length 1, looking near the centre of a body (V, 3).

    farther  factor of the drawn distance
    """
    elevation, azimuth, roll = np.deg2rad([viewpoint.elevation, viewpoint.azimuth, viewpoint.roll])
    forward = -np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= length(right)
    down = np.cross(forward, right)
    rotation = np.stack(
        [right * math.cos(roll) + down * math.sin(roll), down * math.cos(roll) - right * math.sin(roll), forward]
    )
    low, high = bounds(body)
    middle = (low + high) / 2
    turned = np.empty_like(body)
    affine(body, np.column_stack([rotation, np.zeros(3)]), turned)
    low, high = bounds(turned)
    extent = float((high - low)[:2].max())
    share = rng.uniform(0.35, 0.95)  # of the photo that the person fills
    distance = extent / (2 * math.tan(np.deg2rad(viewpoint.fov) / 2) * share) + 0.25 * extent
    distance = farther * max(distance, 0.75 * extent + 0.4)
    aside = rng.normal(0, 0.12, 2) * extent
    position = middle - forward * distance + right * aside[0] + down * aside[1]
    position[1] = max(position[1], 0.15)
    return Camera(position=position, rotation=rotation)


@dataclass(frozen=True)
class Framing:
    """The crop of a person: camera, box of the person, and edges of the photo, in pixels of the crop."""

    camera: Camera
    box: Floats  # (4,) x, y, w, h between pixel edges: the body's, clipped to the photo
    photo: Floats  # (4,) left, top, right, bottom of the photo, as points; infinite where far off
    truncated: bool

    def in_photo(self, points: Floats, size: int) -> Mask:
        """Say which points (N, 2) are in the photo and in the crop of `size` pixels."""
        left, top = np.maximum(self.photo[:2], -0.5)
        right, bottom = np.minimum(self.photo[2:], size - 0.5)
        x, y = points[:, 0], points[:, 1]
        inside: Mask = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        return inside


def frame_person(camera: Camera, body: Floats, *, size: int, padding: float, rng: Generator) -> Framing:
    """Return the crop: a square of `padding` times the longer side of the box of a body (V, 3), around its centre.

    About one person in six is truncated by the photo's edge; about one in sixteen is complete but near it.
    """
    seen, _ = camera.project(body)
    low, high = bounds(seen)
    photo = np.array([-np.inf, -np.inf, np.inf, np.inf])
    kind = rng.random()
    truncated = bool(kind < 0.17)
    if truncated:
        for edge in _edges(rng):
            _set_edge(photo, edge, -rng.uniform(*_CUTS[edge]), low, high)
    elif kind < 0.23:
        _set_edge(photo, int(rng.integers(4)), rng.uniform(0.0, 0.08), low, high)
    low, high = np.maximum(low, photo[:2]), np.minimum(high, photo[2:])

    side = padding * float((high - low).max())
    corner = (low + high) / 2 - side / 2
    focal = size / side
    crop = replace(camera, focal=focal, cx=float(-corner[0] * focal - 0.5), cy=float(-corner[1] * focal - 0.5))
    return Framing(
        camera=crop,
        box=np.concatenate([(low - corner) * focal, (high - low) * focal]),
        photo=(photo - np.tile(corner, 2)) * focal - 0.5,
        truncated=truncated,
    )


_CUTS = ((0.08, 0.35), (0.04, 0.12), (0.08, 0.35), (0.08, 0.5))
"""Smallest and largest share of a person beyond the left, top, right and bottom edges of the photo."""


def _edges(rng: Generator) -> list[int]:
    """Draw the edges (0 left, 1 top, 2 right, 3 bottom) that truncate a person."""
    first = int(rng.choice(4, p=[0.19, 0.07, 0.19, 0.55]))
    second = int(rng.integers(4))
    return [first, second] if rng.random() < 0.12 and (first - second) % 2 else [first]


def _set_edge(photo: Floats, edge: int, beyond: float, low: Floats, high: Floats) -> None:
    """Place an edge of the photo `beyond` body extents outside the body; negative values truncate it."""
    axis = edge % 2
    extent = high[axis] - low[axis]
    photo[edge] = low[axis] - beyond * extent if edge < 2 else high[axis] + beyond * extent
