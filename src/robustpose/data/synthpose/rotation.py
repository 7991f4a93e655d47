"""Rotations as matrices (3, 3), and products of small matrices and vectors.

NumPy's products (@, dot, norm) use BLAS, whose order of summation depends on the processor. These functions sum in
a fixed order, so that people are the same on every machine.
"""

import math

import numpy as np

from robustpose.data.synthpose.assets import Floats
from robustpose.data.synthpose.compiled import compiled


@compiled
def _multiply(first: Floats, second: Floats, out: Floats) -> None:
    """Write the product of two matrices (3, 3) into `out`."""
    for i in range(3):
        for j in range(3):
            out[i, j] = first[i, 0] * second[0, j] + first[i, 1] * second[1, j] + first[i, 2] * second[2, j]


def product(*rotations: Floats) -> Floats:
    """Return the product of matrices (3, 3), from left to right."""
    total = rotations[0]
    for rotation in rotations[1:]:
        out = np.empty((3, 3))
        _multiply(total, rotation, out)
        total = out
    return total


def turned(rotations: Floats, points: Floats) -> Floats:
    """Return points (..., 3) rotated by one rotation (3, 3), or by one per point (..., 3, 3)."""
    x, y, z = points[..., 0, None], points[..., 1, None], points[..., 2, None]
    moved: Floats = rotations[..., 0] * x + rotations[..., 1] * y + rotations[..., 2] * z
    return moved


def inner(points: Floats, vector: Floats) -> Floats:
    """Return the inner products of points (..., D) with a vector (D,), where D is 2 or 3."""
    total: Floats = points[..., 0] * vector[0] + points[..., 1] * vector[1]
    return total + points[..., 2] * vector[2] if len(vector) == 3 else total


def length(vector: Floats) -> float:
    """Return the length of a vector (D,), where D is 2 or 3."""
    return math.sqrt(inner(vector, vector))


def axis_rotation(axis: str, degrees: float) -> Floats:
    """Return the rotation (3, 3) about x, y or z."""
    c, s = math.cos(np.deg2rad(degrees)), math.sin(np.deg2rad(degrees))
    if axis == "x":
        return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def vector_rotation(vector: Floats) -> Floats:
    """Return the rotation (3, 3) about a vector by its length, in radians (Rodrigues)."""
    angle = length(vector)
    if angle < 1e-9:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Floats = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * product(cross, cross)
    return rotation


def aligning_rotation(source: Floats, target: Floats) -> Floats:
    """Return the smallest rotation (3, 3) from one direction to another, which must not be opposite."""
    u, v = source / length(source), target / length(target)
    x, y, z = np.cross(u, v)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Floats = np.eye(3) + cross + product(cross, cross) / (1 + inner(u, v) + 1e-9)
    return rotation
