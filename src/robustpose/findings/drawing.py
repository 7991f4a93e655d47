"""Draws the images of findings: perturbations, skeletons on people, tiles. Images are RGB arrays (H, W, 3)."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from robustpose.metrics.table import Floats
from robustpose.skeletons import Skeleton

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]

LEFT: Color = (255, 150, 20)
RIGHT: Color = (40, 190, 255)
MIDDLE: Color = (245, 245, 245)
OUTLINE: Color = (18, 22, 28)
_WHITE = 255
_GAP = 4
FRACTION_BITS = 4


def visible(perturbation: NDArray[np.float32], *, eps: float) -> Pixels:
    """Draw a perturbation (3, H, W) in [0, 1] units: -eps is 0, no change is grey, +eps is 255."""
    levels = 127.5 * (1.0 + perturbation.transpose(1, 2, 0).astype(np.float64) / eps)
    return _pixels(levels)


def perturbed(images: Pixels, perturbation: NDArray[np.float32]) -> Pixels:
    """Add a perturbation (3, H, W) in [0, 1] units to images (M, H, W, 3), clipped to the pixel range."""
    changed = images.astype(np.float64) + 255.0 * perturbation.transpose(1, 2, 0)
    return _pixels(changed)


def enlarged(image: Pixels, factor: int) -> Pixels:
    """Enlarge an image without interpolation."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def draw_skeleton(image: Pixels, keypoints: Floats, skeleton: Skeleton, *, factor: int = 1) -> Pixels:
    """Enlarge a crop and draw the limbs between keypoints (K, 2), input pixels; skip non-finite ones."""
    canvas = np.ascontiguousarray(enlarged(image, factor))
    far = 4.0 * max(canvas.shape)
    points = np.clip(np.nan_to_num((keypoints + 0.5) * factor - 0.5), -far, far)
    drawn = np.asarray(np.isfinite(keypoints).all(axis=1))
    thick = max(1, round(canvas.shape[1] / 128))
    for outline in (True, False):  # every outline lies under every limb
        for a, b in skeleton.limbs:
            i, j = skeleton.index(a), skeleton.index(b)
            if drawn[i] and drawn[j]:
                color, width = (OUTLINE, thick + 2) if outline else (limb_color(a, b), thick)
                ends = fixed(points[i]), fixed(points[j])
                cv2.line(canvas, *ends, color, width, cv2.LINE_AA, FRACTION_BITS)
    return canvas


def side_by_side(images: Sequence[Pixels]) -> Pixels:
    """Put images in a row on a white background."""
    height = max(image.shape[0] for image in images)
    width = sum(image.shape[1] + _GAP for image in images) - _GAP
    canvas = np.full((height, width, 3), _WHITE, np.uint8)
    x = 0
    for image in images:
        canvas[: image.shape[0], x : x + image.shape[1]] = image
        x += image.shape[1] + _GAP
    return canvas


def stacked(images: Sequence[Pixels]) -> Pixels:
    """Put images below each other on a white background."""
    upright = side_by_side([image.transpose(1, 0, 2) for image in images])
    return np.ascontiguousarray(upright.transpose(1, 0, 2))


def stem_of(model: str) -> str:
    """Write a model's name as part of an exhibit's stem."""
    return "".join(letter if letter.isalnum() else "_" for letter in model.lower())


def _pixels(levels: Floats) -> Pixels:
    pixels: Pixels = np.rint(levels.clip(0.0, 255.0)).astype(np.uint8)
    return pixels


def limb_color(a: str, b: str) -> Color:
    """Colour a limb by the side of its ends; MIDDLE if they have no side or differ."""
    sides = {side for name in (a, b) for side in ("left", "right") if name.startswith(side + "_")}
    if len(sides) != 1:
        return MIDDLE
    return LEFT if sides == {"left"} else RIGHT


def fixed(point: Floats) -> tuple[int, int]:
    """Return a point in cv2's fixed-point format."""
    x, y = np.rint(point * (1 << FRACTION_BITS)).astype(int)
    return int(x), int(y)
