"""Rotations as matrices (3, 3)."""

import numpy as np

from robustpose.data.synthpose.assets import Floats


def axis_rotation(axis: str, degrees: float) -> Floats:
    """Return the rotation (3, 3) about x, y or z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    if axis == "x":
        return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def vector_rotation(vector: Floats) -> Floats:
    """Return the rotation (3, 3) about a vector by its length, in radians (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-9:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turned


def aligning_rotation(source: Floats, target: Floats) -> Floats:
    """Return the least rotation (3, 3) that takes one direction to another, not opposite, one."""
    u, v = source / np.linalg.norm(source), target / np.linalg.norm(target)
    x, y, z = np.cross(u, v)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Floats = np.eye(3) + cross + cross @ cross / (1 + u @ v + 1e-9)
    return turned
