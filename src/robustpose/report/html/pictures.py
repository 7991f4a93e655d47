"""Draws skeletons on crops and amplifies perturbations. Images are RGB arrays (H, W, 3)."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.findings.drawing import FRACTION_BITS, OUTLINE, Color, Pixels, fixed, limb_color
from robustpose.metrics.table import Bools, Floats
from robustpose.skeletons import Skeleton
from robustpose.types import Batch

MID_GREY = 128
_REACH = 64
"""Distance from mid-grey, in grey levels, at which eps is drawn."""
_TILE_WIDTH = 384


@dataclass(frozen=True)
class Perturbation:
    """An amplified perturbation: mid-grey is no change, brighter is positive, darker is negative.

    factor  the amplification
    """

    image: Pixels
    factor: int


def enlargement(width: int) -> int:
    """Return the factor by which a crop of this width is enlarged before a skeleton is drawn on it."""
    return max(1, math.floor(_TILE_WIDTH / width + 0.5))


def draw_pose(image: Pixels, keypoints: Floats, skeleton: Skeleton, *, shown: Bools | None = None) -> Pixels:
    """Enlarge a crop and draw keypoints (K, 2) in input pixels with the limbs between them.

    shown  (K,) which keypoints to draw; those that are not finite numbers are never drawn
    """
    height, width = image.shape[:2]
    factor = enlargement(width)
    size = (height * factor, width * factor)
    canvas = np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.uint8)
    up = geometry.centre_crop(((width - 1) / 2, (height - 1) / 2), crop_width=width, input_size=size)
    drawn = np.asarray(np.isfinite(keypoints).all(axis=1))
    if shown is not None:
        drawn = drawn & shown
    points = np.clip(
        geometry.crop_points(np.where(drawn[:, None], keypoints, 0.0), up), -4 * max(size), 5 * max(size)
    )
    limbs = [(skeleton.index(a), skeleton.index(b), limb_color(a, b)) for a, b in skeleton.limbs]
    limbs = [(a, b, color) for a, b, color in limbs if drawn[a] and drawn[b]]
    thick = max(2, round(size[1] / 96))
    for extra in (2, 0):  # every outline lies under every limb
        for a, b, color in limbs:
            _line(canvas, points[a], points[b], OUTLINE if extra else color, thick + extra)
    for i, name in enumerate(skeleton.keypoints):
        if drawn[i]:
            _dot(canvas, points[i], OUTLINE, thick + 2)
            _dot(canvas, points[i], limb_color(name, name), thick + 1)
    return canvas


def amplify(clean: Pixels, adversarial: Pixels, *, eps: float) -> Perturbation:
    """Show a perturbation: mid-grey plus the signed change, amplified until eps spans half the range.

    eps in [0, 1] units; 8/255 is amplified 8 times, so -8 becomes 64 and +8 becomes 192.
    """
    levels = max(1, math.ceil(round(eps * 255, 6)))
    factor = max(1, _REACH // levels)
    change = adversarial.astype(np.int32) - clean.astype(np.int32)
    return Perturbation(image=np.clip(MID_GREY + factor * change, 0, 255).astype(np.uint8), factor=factor)


def png(image: Pixels) -> bytes:
    """Encode as PNG."""
    return _encode(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 4])


def jpeg(image: Pixels) -> bytes:
    """Encode as JPEG without chroma subsampling, which would blur the colours of thin limbs."""
    full = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return _encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 88, *full])


def _encode(image: Pixels, suffix: str, options: list[int]) -> bytes:
    done, encoded = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), options)
    if not done:
        raise RobustPoseError(f"an image of shape {image.shape} cannot be encoded as {suffix}")
    return bytes(encoded.tobytes())


def _line(canvas: Pixels, a: Floats, b: Floats, color: Color, thickness: int) -> None:
    cv2.line(canvas, fixed(a), fixed(b), color, thickness, cv2.LINE_AA, FRACTION_BITS)


def _dot(canvas: Pixels, at: Floats, color: Color, radius: int) -> None:
    cv2.circle(canvas, fixed(at), radius << FRACTION_BITS, color, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)


COLUMNS = 8
_GAP = 4


def write_sheet(batch: Batch, path: Path) -> None:
    """Write a contact sheet of a batch: crops with their labelled keypoints, as one PNG."""
    images = (batch.images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    keypoints, visible = batch.keypoints.double().numpy(), batch.visible.numpy()
    tiles = [
        draw_pose(image, points, batch.skeleton, shown=shown)
        for image, points, shown in zip(images, keypoints, visible, strict=True)
    ]
    path.write_bytes(png(_grid(tiles)))


def _grid(tiles: list[Pixels]) -> Pixels:
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // COLUMNS)
    columns = min(COLUMNS, len(tiles))
    sheet = np.full((rows * (height + _GAP), columns * (width + _GAP), 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (i // COLUMNS) * (height + _GAP), (i % COLUMNS) * (width + _GAP)
        sheet[y : y + height, x : x + width] = tile
    return sheet
