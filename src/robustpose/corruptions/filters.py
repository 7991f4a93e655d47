"""Gaussian filters, zooms, warps and motion blur, in the arithmetic of the published corruptions.

Those call scipy in double precision and then cut to 8 bits without rounding, so that the last bit of a sum decides
a grey level wherever an image is flat. The loops here therefore add in scipy's order. They are compiled without
fast math and use no library that picks its instructions by processor, so every machine computes the same bytes.
"""

import math

import numpy as np
from numpy.typing import NDArray

from robustpose.data.synthpose.compiled import compiled
from robustpose.geometry import Floats, Pixels

UNIT: Floats = np.arange(256) / 255.0
"""The grey levels of 8 bits in [0, 1]."""

Singles = NDArray[np.float32]


def unit(image: Pixels) -> Floats:
    """Return an image in [0, 1], double precision."""
    return UNIT[image]


def cut(values: NDArray[np.floating]) -> Pixels:
    """Cut values from 0 to 255 to 8 bits, without rounding, as the published corruptions do."""
    return values.astype(np.uint8)


def gaussian(
    values: Floats, sigmas: tuple[float, float], *, truncate: float = 4.0, reflect: bool = False
) -> Floats:
    """Filter (H, W) or (H, W, C) with a Gaussian of sigmas (down, right) in pixels, cut off at truncate x sigma.

    Beyond the edge lie the nearest pixels, or with `reflect` the mirrored ones.
    """
    planes = np.ascontiguousarray(values, np.float64).reshape(*values.shape[:2], -1)
    for axis, sigma in enumerate(sigmas):
        radius = int(truncate * sigma + 0.5)
        if sigma > 1e-15:
            places = _places(planes.shape[axis], radius, reflect)
            planes = (_down if axis == 0 else _right)(planes, _weights(sigma, radius), places)
    return planes.reshape(values.shape)


def _weights(sigma: float, radius: int) -> Floats:
    bell = _exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    weights: Floats = bell / bell.sum()
    return weights


def _exp(values: NDArray[np.floating]) -> Floats:
    """Return exp, one value at a time: numpy's own picks its instructions by processor."""
    return np.array([math.exp(value) for value in values])


def _places(length: int, radius: int, reflect: bool) -> NDArray[np.int64]:
    """Return which pixels lie from -radius to length + radius."""
    places = np.arange(-radius, length + radius)
    if not reflect:
        return np.clip(places, 0, length - 1)
    turned = places % (2 * length)
    return np.where(turned < length, turned, 2 * length - 1 - turned)


@compiled
def _down(planes: Floats, weights: Floats, places: NDArray[np.int64]) -> Floats:
    rows, columns, channels = planes.shape
    radius = len(weights) // 2
    out = np.empty_like(planes)
    flat = planes.reshape(rows, columns * channels)
    result = out.reshape(rows, columns * channels)
    for y in range(rows):
        middle = flat[places[y + radius]]
        for x in range(columns * channels):
            result[y, x] = middle[x] * weights[radius]
        for step in range(radius, 0, -1):
            above, below, weight = (
                flat[places[y + radius - step]],
                flat[places[y + radius + step]],
                weights[radius - step],
            )
            for x in range(columns * channels):
                result[y, x] += (above[x] + below[x]) * weight
    return out


@compiled
def _right(planes: Floats, weights: Floats, places: NDArray[np.int64]) -> Floats:
    rows, columns, channels = planes.shape
    radius = len(weights) // 2
    out = np.empty_like(planes)
    line = np.empty((columns + 2 * radius) * channels)
    for y in range(rows):
        for x in range(columns + 2 * radius):
            for c in range(channels):
                line[x * channels + c] = planes[y, places[x], c]
        result = out[y].reshape(columns * channels)
        for x in range(columns * channels):
            result[x] = line[x + radius * channels] * weights[radius]
        for step in range(radius, 0, -1):
            weight = weights[radius - step]
            left, right = (radius - step) * channels, (radius + step) * channels
            for x in range(columns * channels):
                result[x] += (line[x + left] + line[x + right]) * weight
    return out


def zoomed_crop(size: int, zoom: float) -> tuple[int, int, int]:
    """Return what part of a side is zoomed: where it starts, its length, and its length after the zoom."""
    length = int(np.ceil(size / float(zoom)))
    return (size - length) // 2, length, round(length * zoom)


def zoom_lattice(size: int, zoom: float, shown: int) -> tuple[NDArray[np.int64], Floats]:
    """Return for each of the first `shown` pixels of a zoomed side its two source pixels and their weights.

    Sources (2, n) count from the side's start. A last pixel that rounding puts beyond the part that is zoomed has
    the weights 0, as in scipy: the published zoom has black edges there.
    """
    start, length, zoomed = zoomed_crop(size, zoom)
    pixels = np.arange(min(shown, zoomed))
    at = pixels * ((length - 1) / (zoomed - 1) if zoomed > 1 else 1.0)
    first = np.floor(at).astype(np.int64)
    near = 1.0 - (at - first)
    weights = np.stack([near, 1.0 - near])
    weights[:, at > length - 1] = 0.0
    sources = np.stack([first, first + 1])
    return np.clip(sources, 0, length - 1) + start, weights


def zoom(values: Floats, factor: float) -> Floats:
    """Enlarge the middle of (H, W) by a factor, linearly; the result has about the same size."""
    rows, row_weights = zoom_lattice(values.shape[0], factor, 2 * values.shape[0])
    columns, column_weights = zoom_lattice(values.shape[1], factor, 2 * values.shape[1])
    return _zoom(values, rows, row_weights, columns, column_weights)


@compiled
def _zoom(
    values: Floats, rows: NDArray[np.int64], down: Floats, columns: NDArray[np.int64], right: Floats
) -> Floats:
    out = np.empty((rows.shape[1], columns.shape[1]))
    for y in range(rows.shape[1]):
        above, below = values[rows[0, y]], values[rows[1, y]]
        for x in range(columns.shape[1]):
            total = above[columns[0, x]] * down[0, y] * right[0, x]
            total += above[columns[1, x]] * down[0, y] * right[1, x]
            total += below[columns[0, x]] * down[1, y] * right[0, x]
            total += below[columns[1, x]] * down[1, y] * right[1, x]
            out[y, x] = total
    return out


@compiled
def add_zoomed(
    out: Singles, image: Singles, rows: NDArray[np.int64], down: Floats, columns: NDArray[np.int64], right: Floats
) -> None:
    """Add an image (H, W, 3), enlarged as two lattices say, to the top left of `out`."""
    for y in range(rows.shape[1]):
        above, below = image[rows[0, y]], image[rows[1, y]]
        first, second = down[0, y], down[1, y]
        for x in range(columns.shape[1]):
            left, next_ = columns[0, x], columns[1, x]
            near, far = right[0, x], right[1, x]
            for c in range(3):
                total = above[left, c] * first * near
                total += above[next_, c] * first * far
                total += below[left, c] * second * near
                total += below[next_, c] * second * far
                out[y, x, c] += np.float32(total)


def motion_kernel(width: int, sigma: float) -> Floats:
    """Return the weights of a motion blur: half a Gaussian of sigma pixels, `width` long."""
    x = np.arange(width)
    bell = _exp(-(x**2) / (2 * (sigma**2))) / (np.sqrt(2 * np.pi) * sigma)
    weights: Floats = bell / np.sum(bell)
    return weights


def motion_steps(size: tuple[int, int], *, width: int, degrees: float) -> NDArray[np.int64]:
    """Return the shifts (n, 2), down and right, of a motion blur; a shift beyond the image ends the motion."""
    down, right = width * np.sin(np.deg2rad(degrees)), width * np.cos(np.deg2rad(degrees))
    length = math.hypot(down, right)
    steps: list[tuple[int, int]] = []
    for i in range(width):
        step = -math.ceil(i * down / length - 0.5), -math.ceil(i * right / length - 0.5)
        if abs(step[0]) >= size[0] or abs(step[1]) >= size[1]:
            break
        steps.append(step)
    return np.array(steps, np.int64).reshape(-1, 2)


@compiled
def smear(image: NDArray[np.generic], steps: NDArray[np.int64], weights: Floats) -> Floats:
    """Return the weighted sum of shifted copies of (H, W, C); the edge pixels are repeated beyond the edge."""
    rows, columns, channels = image.shape
    out = np.zeros((rows, columns, channels))
    line = np.empty(columns * channels)
    for y in range(rows):
        result = out[y].reshape(columns * channels)
        for i in range(len(steps)):
            down, right, weight = steps[i, 0], steps[i, 1], weights[i]
            source = image[min(max(y - down, 0), rows - 1)]
            low, high = min(max(right, 0), columns), max(min(columns + right, columns), 0)
            flat = source.reshape(columns * channels)
            line[low * channels : high * channels] = flat[(low - right) * channels : (high - right) * channels]
            for c in range(channels):
                line[c : low * channels : channels] = source[0, c]
                line[high * channels + c :: channels] = source[columns - 1, c]
            for x in range(columns * channels):
                result[x] += weight * line[x]
    return out


@compiled
def warp(image: Singles, down: Singles, right: Singles) -> Singles:
    """Return (H, W, C) read at each pixel plus a shift (H, W), linearly; the image is mirrored beyond its edge."""
    rows, columns, channels = image.shape
    out = np.empty_like(image)
    for y in range(rows):
        for x in range(columns):
            at_y, at_x = y + np.float64(down[y, x]), x + np.float64(right[y, x])
            y0, x0 = math.floor(at_y), math.floor(at_x)
            near_y, near_x = 1.0 - (at_y - y0), 1.0 - (at_x - x0)
            far_y, far_x = 1.0 - near_y, 1.0 - near_x
            y1, x1 = _mirrored(y0 + 1, rows), _mirrored(x0 + 1, columns)
            y0, x0 = _mirrored(y0, rows), _mirrored(x0, columns)
            for c in range(channels):
                total = image[y0, x0, c] * near_y * near_x
                total += image[y0, x1, c] * near_y * far_x
                total += image[y1, x0, c] * far_y * near_x
                total += image[y1, x1, c] * far_y * far_x
                out[y, x, c] = total
    return out


@compiled
def _mirrored(place: int, length: int) -> int:
    turned = place % (2 * length)
    return turned if turned < length else 2 * length - 1 - turned
