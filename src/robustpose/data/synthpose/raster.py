"""Z-buffers: the visible triangle at every pixel, its depth and barycentric weights; and depth maps for shadows.

Integer coordinates are pixel centres. Edge functions are float64 without fast math, so that the same triangles
give the same bytes.
"""

import math

import numpy as np

from robustpose.data.synthpose.assets import Floats, Ints
from robustpose.data.synthpose.compiled import compiled

NEAR = 0.08
"""Triangles with a corner nearer than this to the camera, in metres, are not drawn."""


def rasterise(screen: Floats, faces: Ints, alpha: Floats, *, size: int) -> tuple[Floats, Ints, Floats]:
    """Return depth (S, S), inf where empty; triangle (S, S), -1 where empty; and weights (S, S, 2) of its corners.

    screen (V, 3) has x, y in pixels and depth of each vertex. The weights are those of corners 0 and 1,
    perspectively correct. A triangle is cut away where its interpolated alpha (V,) is negative.
    """
    depth = np.full((size, size), np.inf)
    triangle = np.full((size, size), -1, dtype=np.int64)
    weights = np.zeros((size, size, 2))
    fill_buffers(screen, faces, alpha, NEAR, depth, triangle, weights)
    return depth, triangle, weights


def depth_map(points: Floats, faces: Ints, alpha: Floats, *, size: int) -> Floats:
    """Return the smallest depth (S, S) in a parallel projection; points (V, 3) have x, y in pixels and depth."""
    depth = np.full((size, size), np.inf)
    fill_depth(points, faces, alpha, depth)
    return depth


@compiled
def pixel_span(a: float, b: float, c: float, size: int) -> tuple[int, int]:
    """Return the first and the last pixel whose centre is between the minimum and the maximum of a, b and c."""
    first = math.ceil(min(a, b, c))
    last = math.floor(max(a, b, c))
    return max(0, first), min(size - 1, last)


@compiled
def fill_buffers(
    screen: Floats, faces: Ints, alpha: Floats, near: float, depth: Floats, triangle: Ints, weights: Floats
) -> None:
    """Draw all triangles into the three buffers."""
    height, width = depth.shape
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        za, zb, zc = screen[a, 2], screen[b, 2], screen[c, 2]
        if za < near or zb < near or zc < near:
            continue
        alpha_a, alpha_b, alpha_c = alpha[a], alpha[b], alpha[c]
        if alpha_a < 0 and alpha_b < 0 and alpha_c < 0:
            continue
        xa, ya, xb, yb, xc, yc = (
            screen[a, 0],
            screen[a, 1],
            screen[b, 0],
            screen[b, 1],
            screen[c, 0],
            screen[c, 1],
        )
        left, right = pixel_span(xa, xb, xc, width)
        top, bottom = pixel_span(ya, yb, yc, height)
        if left > right or top > bottom:
            continue
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area == 0:
            continue
        inverse = 1 / area
        cut = alpha_a < 0 or alpha_b < 0 or alpha_c < 0
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                la = ((xb - x) * (yc - y) - (xc - x) * (yb - y)) * inverse
                lb = ((xc - x) * (ya - y) - (xa - x) * (yc - y)) * inverse
                lc = 1 - la - lb
                if la < 0 or lb < 0 or lc < 0:
                    continue
                qa, qb, qc = la / za, lb / zb, lc / zc
                z = 1 / (qa + qb + qc)
                if z >= depth[y, x]:
                    continue
                if cut and qa * alpha_a + qb * alpha_b + qc * alpha_c < 0:
                    continue
                depth[y, x] = z
                triangle[y, x] = t
                weights[y, x, 0] = qa * z
                weights[y, x, 1] = qb * z


@compiled
def fill_depth(points: Floats, faces: Ints, alpha: Floats, depth: Floats) -> None:
    """Draw the depth of all triangles, linear in x and y, into the buffer."""
    height, width = depth.shape
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        if alpha[a] < 0 and alpha[b] < 0 and alpha[c] < 0:
            continue
        xa, ya, xb, yb, xc, yc = (
            points[a, 0],
            points[a, 1],
            points[b, 0],
            points[b, 1],
            points[c, 0],
            points[c, 1],
        )
        left, right = pixel_span(xa, xb, xc, width)
        top, bottom = pixel_span(ya, yb, yc, height)
        if left > right or top > bottom:
            continue
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area == 0:
            continue
        inverse = 1 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                la = ((xb - x) * (yc - y) - (xc - x) * (yb - y)) * inverse
                lb = ((xc - x) * (ya - y) - (xa - x) * (yc - y)) * inverse
                lc = 1 - la - lb
                if la < 0 or lb < 0 or lc < 0:
                    continue
                z = la * points[a, 2] + lb * points[b, 2] + lc * points[c, 2]
                depth[y, x] = min(depth[y, x], z)
