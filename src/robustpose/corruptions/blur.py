"""Blur: out of focus, through frosted glass, by motion of the camera, by zooming, by motion of a limb.

The published loop that swaps pixels behind glass overwrites one pixel with the other, because both names mean the
same memory. Published scores were computed with it, so the same happens here.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from robustpose.corruptions import filters
from robustpose.corruptions.filters import UNIT, cut, unit
from robustpose.corruptions.spec import HENDRYCKS, OURS, CorruptionSpec, Truth
from robustpose.data.synthpose.compiled import compiled
from robustpose.geometry import Floats, Pixels


def defocus_blur(image: Pixels, level: tuple[int, float], generator: Generator) -> Pixels:
    """Filter with a disk of a radius in pixels whose edge is smoothed by a Gaussian of a sigma in pixels."""
    radius, sigma = level
    return _filtered(np.ascontiguousarray(image), disk(radius, sigma))


def disk(radius: int, sigma: float) -> NDArray[np.float32]:
    """Return the filter of a lens out of focus, at least 17 pixels wide."""
    reach = max(radius, 8)
    x, y = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    sharp = np.array(x**2 + y**2 <= radius**2, np.float32)
    size = (3, 3) if radius <= 8 else (5, 5)
    return np.asarray(cv2.GaussianBlur(sharp / sharp.sum(), ksize=size, sigmaX=sigma), np.float32)


def _filtered(image: Pixels, kernel: NDArray[np.float32]) -> Pixels:
    reach = kernel.shape[0] // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    return _correlated(UNIT[padded], kernel.astype(np.float64))


@compiled
def _correlated(padded: Floats, kernel: Floats) -> Pixels:
    """Correlate the inside of (H, W, 3) with a square filter, and cut to 8 bits."""
    size = kernel.shape[0]
    rows, columns = padded.shape[0] - size + 1, padded.shape[1] - size + 1
    out = np.empty((rows, columns, 3), np.uint8)
    total = np.empty(columns * 3)
    for y in range(rows):
        total[:] = 0.0
        for i in range(size):
            line = padded[y + i].reshape(-1)
            for j in range(size):
                weight = kernel[i, j]
                if weight != 0.0:
                    for x in range(columns * 3):
                        total[x] += line[x + 3 * j] * weight
        result = out[y].reshape(-1)
        for x in range(columns * 3):
            result[x] = np.uint8(min(max(total[x], 0.0), 1.0) * 255)
    return out


def glass_blur(image: Pixels, level: tuple[float, int, int], generator: Generator) -> Pixels:
    """Blur, move pixels by up to so many pixels in so many rounds, and blur again: (sigma, pixels, rounds)."""
    sigma, reach, rounds = level
    blurred = cut(filters.gaussian(unit(image), (sigma, sigma)) * 255)
    height, width = image.shape[:2]
    size = (rounds, max(height - 2 * reach, 0), max(width - 2 * reach, 0), 2)
    _shuffle(blurred, generator.integers(-reach, reach, size=size, dtype=np.int8), reach)
    return cut(np.clip(filters.gaussian(unit(blurred), (sigma, sigma)), 0, 1) * 255)


@compiled
def _shuffle(image: Pixels, moves: NDArray[np.int8], reach: int) -> None:
    """Overwrite each pixel with one nearby, from the last to the first."""
    rounds, rows, columns, _ = moves.shape
    for i in range(rounds):
        for y in range(rows):
            for x in range(columns):
                row, column = rows + reach - y, columns + reach - x
                right, down = moves[i, y, x]
                for c in range(3):
                    image[row, column, c] = image[row + down, column + right, c]


def motion_blur(image: Pixels, level: tuple[int, float], generator: Generator) -> Pixels:
    """Smear along a direction within 45 degrees of the rows: (radius, sigma) in pixels."""
    radius, sigma = level
    return _smeared(image, width=2 * radius + 1, sigma=sigma, degrees=generator.uniform(-45, 45))


def _smeared(image: Pixels, *, width: int, sigma: float, degrees: float) -> Pixels:
    steps = filters.motion_steps(image.shape[:2], width=width, degrees=degrees)
    smeared = filters.smear(np.ascontiguousarray(image), steps, filters.motion_kernel(width, sigma))
    return cut(np.clip(smeared, 0, 255))


def zoom_blur(image: Pixels, level: tuple[float, ...], generator: Generator) -> Pixels:
    """Average the image and its enlargements by the factors of the level."""
    single = UNIT.astype(np.float32)[image]
    total = np.zeros_like(single)
    height, width = image.shape[:2]
    for factor in level:
        rows, columns = (filters.zoom_lattice(side, factor, side) for side in (height, width))
        filters.add_zoomed(total, single, *rows, *columns)
    return cut(np.clip((single + total) / (len(level) + 1), 0, 1) * 255)


def limb_blur(image: Pixels, share: float, generator: Generator, truth: Truth) -> Pixels:
    """Smear each limb along its own direction by a share of the person's box side; what lies away stays sharp.

    A pixel moves with the limbs near it, a quarter as far at a twelfth of the box side from them. The smear is
    centred on the pixel, so that the true keypoints stay where they are.
    """
    ends = limb_ends(truth)
    if not len(ends):
        return image.copy()
    height, width = image.shape[:2]
    field = _motion_field(ends, height, width, truth.box_side / 12) * (share * truth.box_side)
    taps = max(3, 2 * int(np.ceil(share * truth.box_side / 2)) + 1)
    return _smeared_along(np.ascontiguousarray(image), field, taps)


def limb_ends(truth: Truth) -> Floats:
    """Return the two ends (L, 2, 2) of each limb of which both are labelled and apart."""
    names = truth.skeleton.keypoints
    rows = [(names.index(a), names.index(b)) for a, b in truth.skeleton.limbs]
    ends = [
        (truth.keypoints[a], truth.keypoints[b])
        for a, b in rows
        if truth.visible[a] and truth.visible[b] and np.hypot(*(truth.keypoints[a] - truth.keypoints[b])) > 1
    ]
    return np.array(ends, np.float64).reshape(-1, 2, 2)


@compiled
def _motion_field(ends: Floats, height: int, width: int, reach: float) -> Floats:
    """Return the direction (H, W, 2) in which each pixel moves: of length 1 on a limb, 0 far from all."""
    field = np.zeros((height, width, 2))
    for y in range(height):
        for x in range(width):
            total, largest, move_x, move_y = 0.0, 0.0, 0.0, 0.0
            for i in range(len(ends)):
                from_x, from_y = ends[i, 0, 0], ends[i, 0, 1]
                limb_x, limb_y = ends[i, 1, 0] - from_x, ends[i, 1, 1] - from_y
                squared = limb_x * limb_x + limb_y * limb_y
                along = min(max(((x - from_x) * limb_x + (y - from_y) * limb_y) / squared, 0.0), 1.0)
                off_x, off_y = x - from_x - along * limb_x, y - from_y - along * limb_y
                near = 1.0 / (1.0 + (off_x * off_x + off_y * off_y) / (reach * reach)) ** 2
                side = 1.0 if limb_y > 0 or (limb_y == 0 and limb_x > 0) else -1.0
                length = np.sqrt(squared)
                move_x += near * side * limb_x / length
                move_y += near * side * limb_y / length
                total += near
                largest = max(largest, near)
            if total > 0:
                field[y, x, 0] = largest * move_x / total
                field[y, x, 1] = largest * move_y / total
    return field


@compiled
def _smeared_along(image: Pixels, field: Floats, taps: int) -> Pixels:
    """Average each pixel over `taps` places along its move, centred on it."""
    height, width, _ = image.shape
    out = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            red, green, blue = 0.0, 0.0, 0.0
            for tap in range(taps):
                part = tap / (taps - 1) - 0.5
                column = min(max(int(np.floor(x + part * field[y, x, 0] + 0.5)), 0), width - 1)
                row = min(max(int(np.floor(y + part * field[y, x, 1] + 0.5)), 0), height - 1)
                red += image[row, column, 0]
                green += image[row, column, 1]
                blue += image[row, column, 2]
            out[y, x, 0] = np.uint8(red / taps + 0.5)
            out[y, x, 1] = np.uint8(green / taps + 0.5)
            out[y, x, 2] = np.uint8(blue / taps + 0.5)
    return out


DEFOCUS_BLUR = CorruptionSpec(
    family="blur",
    summary="A lens out of focus",
    source=HENDRYCKS,
    levels=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    unit="radius and smoothing of the disk, pixels",
    change=defocus_blur,
)

GLASS_BLUR = CorruptionSpec(
    family="blur",
    summary="Seen through frosted glass",
    source=HENDRYCKS,
    levels=((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    unit="sigma and reach in pixels, rounds",
    change=glass_blur,
)

MOTION_BLUR = CorruptionSpec(
    family="blur",
    summary="The camera moves",
    source=HENDRYCKS,
    levels=((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
    unit="radius and sigma, pixels",
    change=motion_blur,
)

ZOOM_BLUR = CorruptionSpec(
    family="blur",
    summary="The camera moves towards the person",
    source=HENDRYCKS,
    levels=(
        tuple(np.arange(1, 1.11, 0.01).tolist()),
        tuple(np.arange(1, 1.16, 0.01).tolist()),
        tuple(np.arange(1, 1.21, 0.02).tolist()),
        tuple(np.arange(1, 1.26, 0.02).tolist()),
        tuple(np.arange(1, 1.31, 0.03).tolist()),
    ),
    unit="factors of the enlargements that are averaged",
    change=zoom_blur,
)

LIMB_BLUR = CorruptionSpec(
    family="blur",
    summary="The person moves: each limb is smeared along its direction",
    source=OURS,
    levels=(0.05, 0.1, 0.15, 0.2, 0.3),
    unit="length in sides of the person's box",
    change_person=limb_blur,
)
