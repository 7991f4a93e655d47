"""Compiled loops over vertices: blendshapes, skinning, affine maps, normals; and over numbers: sines, powers."""

import math

import numpy as np

from robustpose.data.synthpose.assets import Floats, Floats32, Ints
from robustpose.data.synthpose.compiled import compiled


@compiled
def blend_shapes(neutral: Floats32, targets: Floats32, used: Ints, amounts: Floats32, out: Floats32) -> None:
    """Write neutral (3 V,) plus amounts times the used rows of targets (T, 3 V) into `out`."""
    for i in range(neutral.shape[0]):
        out[i] = neutral[i]
    for k in range(used.shape[0]):
        row = targets[used[k]]
        amount = amounts[k]
        for i in range(neutral.shape[0]):
            out[i] += amount * row[i]


@compiled
def skin_vertices(vertices: Floats32, bones: Ints, weights: Floats32, transforms: Floats, out: Floats) -> None:
    """Write linear-blend-skinned vertices (V, 3) into `out`; transforms (B, 3, 4) take rest to world."""
    for i in range(vertices.shape[0]):
        for row in range(3):
            total = 0.0
            for k in range(4):
                weight = weights[i, k]
                if weight > 0:
                    m = transforms[bones[i, k], row]
                    total += weight * (
                        m[0] * vertices[i, 0] + m[1] * vertices[i, 1] + m[2] * vertices[i, 2] + m[3]
                    )
            out[i, row] = total


@compiled
def affine(points: Floats, matrix: Floats, out: Floats) -> None:
    """Write matrix (3, 4) applied to points (V, 3) into `out`."""
    for i in range(points.shape[0]):
        for row in range(3):
            m = matrix[row]
            out[i, row] = m[0] * points[i, 0] + m[1] * points[i, 1] + m[2] * points[i, 2] + m[3]


@compiled
def _fill_bounds(points: Floats, low: Floats, high: Floats) -> None:
    for i in range(points.shape[0]):
        for axis in range(points.shape[1]):
            low[axis] = min(low[axis], points[i, axis])
            high[axis] = max(high[axis], points[i, axis])


def bounds(points: Floats) -> tuple[Floats, Floats]:
    """Return the minimum and the maximum (D,) of every coordinate of points (N, D)."""
    low, high = points[0].copy(), points[0].copy()
    _fill_bounds(points, low, high)
    return low, high


@compiled
def vertex_normals(points: Floats, faces: Ints, out: Floats) -> None:
    """Write unit normals (V, 3), averaged over faces by their area, into `out`."""
    out[:] = 0.0
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for i in range(points.shape[0]):
        length = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-12
        out[i, 0] /= length
        out[i, 1] /= length
        out[i, 2] /= length


@compiled
def _fill_sines(values: Floats, out: Floats) -> None:
    for i in range(values.shape[0]):
        out[i] = math.sin(values[i])


def sines(values: Floats) -> Floats:
    """Return the sine of every value; NumPy's sine depends on the processor's vector units."""
    out = np.empty(values.size)
    _fill_sines(values.ravel(), out)
    return out.reshape(values.shape)


@compiled
def _fill_powers(values: Floats32, exponent: float, out: Floats32) -> None:
    for i in range(values.shape[0]):
        out[i] = math.pow(values[i], exponent)


def powers(values: Floats32, exponent: float) -> Floats32:
    """Return every value to the power of exponent, independent of the processor."""
    out = np.empty(values.size, np.float32)
    _fill_powers(values.ravel(), exponent, out)
    return out.reshape(values.shape)
