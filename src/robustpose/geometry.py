"""Coordinates: photo to crop and back, mirroring, heatmap cells to pixels.

Every +0.5 of the project is in this file. Integer coordinates are pixel CENTRES, so an image of width W spans
[-0.5, W - 0.5]. A box (x, y, w, h) is measured between pixel EDGES, as in COCO and MPII: its x = 0 is the left
edge of the photo, where a point has x = -0.5.
"""

from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from robustpose.errors import RobustPoseError

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def box_crop(
    box: tuple[float, float, float, float], *, input_size: tuple[int, int], padding: float = 1.25
) -> Floats:
    """Return the affine map (2, 3), photo pixels to input pixels, of the top-down crop around a box.

    The crop is the smallest rectangle with the box's centre and input_size's aspect ratio that contains the box,
    enlarged by `padding` (1.25 as in SimpleBaseline: Xiao et al. 2018, arXiv 1804.06208).
    """
    x, y, w, h = box
    if not (w > 0 and h > 0):
        raise RobustPoseError(f"a box must have width and height > 0, got {w:g} x {h:g}")
    height, width = input_size
    crop_width = padding * max(w, h * width / height)
    return centre_crop((x + w / 2 - 0.5, y + h / 2 - 0.5), crop_width=crop_width, input_size=input_size)


def centre_crop(centre: tuple[float, float], *, crop_width: float, input_size: tuple[int, int]) -> Floats:
    """Return the affine map (2, 3) of a crop that is `crop_width` photo pixels wide and centred at a point."""
    height, width = input_size
    scale = width / crop_width
    return np.array(
        [
            [scale, 0.0, (width - 1) / 2 - scale * centre[0]],
            [0.0, scale, (height - 1) / 2 - scale * centre[1]],
        ]
    )


def crop_image(photo: Pixels, crop: Floats, *, input_size: tuple[int, int]) -> Pixels:
    """Cut a crop (H, W, 3) out of a photo; pixels beyond the photo are black."""
    height, width = input_size
    cut = cv2.warpAffine(photo, crop, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(cut, dtype=np.uint8)


def crop_sources(
    crop: Floats, *, photo_size: tuple[int, int], input_size: tuple[int, int]
) -> tuple[NDArray[np.int64], Floats]:
    """Return the photo pixels that `crop_image` reads: rows and columns (4, H, W, 2), weights (4, H, W).

    Each pixel of the crop is the weighted sum of its four sources, so the crop is a differentiable function of the
    photo. Sources beyond the photo have weight 0 and the position of the nearest pixel.
    """
    height, width = input_size
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    points = uncrop_points(np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64), crop)
    corner = np.floor(points)
    right, down = (points - corner).T
    places, weights = [], []
    for row, column, weight in (
        (0, 0, (1 - down) * (1 - right)),
        (0, 1, (1 - down) * right),
        (1, 0, down * (1 - right)),
        (1, 1, down * right),
    ):
        place = np.stack([corner[:, 1] + row, corner[:, 0] + column], axis=-1).astype(np.int64)
        held = np.clip(place, 0, np.array(photo_size) - 1)
        places.append(held)
        weights.append(np.where((held == place).all(axis=-1), weight, 0.0))
    return np.stack(places).reshape(4, height, width, 2), np.stack(weights).reshape(4, height, width)


def crop_points(points: Floats, crop: Floats) -> Floats:
    """Map points (..., 2) from photo pixels to input pixels."""
    mapped: Floats = points @ crop[:, :2].T + crop[:, 2]
    return mapped


def uncrop_points(points: Floats, crop: Floats) -> Floats:
    """Map points (..., 2) from input pixels back to photo pixels; crops (2, 3), or (N, 2, 3) for (N, K, 2)."""
    linear, shift = crop[..., :2], crop[..., 2]
    back: Floats = (points - shift[..., None, :]) @ np.linalg.inv(linear).swapaxes(-1, -2)
    return back


def box_around(points: Floats, *, margin: float) -> tuple[float, float, float, float]:
    """Return the box (x, y, w, h), between pixel edges, around the pixels of points (K, 2).

    Each side is moved outwards by `margin` x the longer side of the points' extent.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    out = margin * float((high - low).max())
    x, y = low - out  # a point is its pixel's centre; in box coordinates the pixel's edges are x and x + 1
    w, h = high - low + 1 + 2 * out
    return float(x), float(y), float(w), float(h)


def inside(points: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Say which points (..., 2) lie inside an image of size (H, W), up to the outer edges of its pixels."""
    height, width = size
    x, y = points[..., 0], points[..., 1]
    return (x >= -0.5) & (y >= -0.5) & (x <= width - 0.5) & (y <= height - 0.5)


def flip_images(images: Tensor) -> Tensor:
    """Mirror images (..., W) left to right."""
    return images.flip(-1)


def turning(*, degrees: Tensor, shift: Tensor, zoom: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the affine maps (N, 2, 3), float64, that rotate, scale and shift images of size (H, W).

    degrees (N,), clockwise, and zoom (N,) are about the image's centre; shift (N, 2) is in pixels to the right and
    down. The maps send positions in the original image to positions in the moved one.
    """
    angle, zoom, shift = torch.deg2rad(degrees.double()), zoom.double(), shift.double()
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    linear = torch.stack([torch.stack([cos, -sin], dim=-1), torch.stack([sin, cos], dim=-1)], dim=-2)
    centre = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2], dtype=torch.float64, device=linear.device)
    return torch.cat([linear, (centre + shift - linear @ centre)[..., None]], dim=-1)


Beyond = Literal["black", "edge"]
"""How pixels beyond an image are filled: with black, or with the nearest pixel."""


def warp_images(images: Tensor, maps: Tensor, *, beyond: Beyond = "black") -> Tensor:
    """Warp images (N, C, H, W) by maps (N, 2, 3) with bilinear sampling.

    Differentiable in the images and in the maps. `crop_image` does the same for photos.
    """
    height, width = images.shape[2:]
    rows, columns = torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([x, y], dim=-1).reshape(1, -1, 2).to(maps.device)
    sources = (pixels - maps[:, None, :, 2]) @ torch.linalg.inv(maps[..., :2]).transpose(1, 2)
    ends = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=torch.float64, device=maps.device)
    grid = (2 * sources / ends - 1).reshape(-1, height, width, 2).to(images.dtype)
    padding = "zeros" if beyond == "black" else "border"
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def warp_points(points: Tensor, maps: Tensor) -> Tensor:
    """Move points (N, K, 2) with their images by maps (N, 2, 3)."""
    moved = points.double() @ maps[..., :2].transpose(1, 2) + maps[:, None, :, 2]
    return moved.to(points.dtype)


def lay_squares(images: Tensor, squares: Tensor, *, top: Tensor, left: Tensor, side: Tensor) -> Tensor:
    """Paste squares (N, C, S, S), resized to `side` pixels, into images (N, C, H, W).

    top, left, side (N,) are whole pixels: first row, first column and size. Bilinear, and differentiable in the
    squares. All other pixels stay bit-identical.
    """
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device) - top[:, None]
    x = torch.arange(width, device=images.device) - left[:, None]
    across, along = ((2 * (at + 0.5) / side[:, None] - 1).to(images.dtype) for at in (x, y))
    shape = (len(images), height, width)
    grid = torch.stack([across[:, None].expand(shape), along[:, :, None].expand(shape)], dim=-1)
    read = functional.grid_sample(squares, grid, mode="bilinear", padding_mode="border", align_corners=False)
    rows, columns = ((at >= 0) & (at < side[:, None]) for at in (y, x))
    return torch.where((rows[:, :, None] & columns[:, None])[:, None], read, images)


Lattice = Literal["centres", "corners", "ends"]
"""The pixel position of heatmap cell i, for stride S:

centres  (i + 0.5) S - 0.5, the centre of the square of S pixels that the cell covers: cell 0 of stride 4 is at 1.5
corners  i S, for models trained on keypoints divided by the stride (HRNet's code; MMPose without UDP)
ends     i (W - 1) / (w - 1): the first and last cells are at the first and last pixels (UDP, Huang et al. 2020,
         arXiv 1911.07524; ViTPose)
"""


def cells_to_pixels(
    cells: Tensor, *, heatmap_size: tuple[int, int], input_size: tuple[int, int], lattice: Lattice = "centres"
) -> Tensor:
    """Map heatmap cell coordinates (..., 2) to input pixels; by default cell 0 of stride 4 is at pixel 1.5."""
    stride, shift = _lattice(heatmap_size, input_size, lattice)
    return torch.stack([(cells[..., at] + shift) * stride[at] - shift for at in (0, 1)], dim=-1)


def pixels_to_cells(
    pixels: Tensor, *, heatmap_size: tuple[int, int], input_size: tuple[int, int], lattice: Lattice = "centres"
) -> Tensor:
    """Map input pixels (..., 2) to heatmap cell coordinates; the inverse of cells_to_pixels."""
    stride, shift = _lattice(heatmap_size, input_size, lattice)
    return torch.stack([(pixels[..., at] + shift) / stride[at] - shift for at in (0, 1)], dim=-1)


def _lattice(
    heatmap_size: tuple[int, int], input_size: tuple[int, int], lattice: Lattice
) -> tuple[tuple[float, float], float]:
    """Return the stride (x, y) in pixels, and the shift added to coordinates before scaling.

    Python numbers, which need no GPU synchronisation.
    """
    less = 1 if lattice == "ends" else 0
    x, y = ((input_size[axis] - less) / max(heatmap_size[axis] - less, 1) for axis in (1, 0))
    return (x, y), 0.5 if lattice == "centres" else 0.0


def pixels_to_unit(pixels: Tensor, *, input_size: tuple[int, int]) -> Tensor:
    """Map input pixels (..., 2) to [-0.5, 0.5]; the ends are the image's outer edges."""
    return torch.stack([(pixels[..., at] + 0.5) / input_size[1 - at] - 0.5 for at in (0, 1)], dim=-1)


def unit_to_pixels(unit: Tensor, *, input_size: tuple[int, int]) -> Tensor:
    """Map [-0.5, 0.5] back to input pixels; the inverse of pixels_to_unit."""
    return torch.stack([(unit[..., at] + 0.5) * input_size[1 - at] - 0.5 for at in (0, 1)], dim=-1)
