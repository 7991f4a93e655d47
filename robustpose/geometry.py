"""Where things are: photo to crop and back, mirror images, heatmap cells to pixels.

Every +0.5 of the project lives in this file. A pixel's integer coordinate is its CENTRE, so a picture of width W
spans [-0.5, W - 0.5]. A box (x, y, w, h) is measured between pixel EDGES, as COCO's and MPII's boxes are:
x = 0 is the left edge of the photo, which is the coordinate -0.5 of a point.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.skeletons import Skeleton

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def box_crop(
    box: tuple[float, float, float, float], *, input_size: tuple[int, int], padding: float = 1.25
) -> Floats:
    """Return the affine map (2, 3), photo pixels to input pixels, of the top-down crop around a box.

    The crop keeps the box's centre and has input_size's aspect; it is the smallest such rectangle that holds the
    box, times `padding` (SimpleBaseline's 1.25: Xiao et al. 2018, arXiv 1804.06208).
    """
    x, y, w, h = box
    if not (w > 0 and h > 0):
        raise RobustPoseError(f"a box must have width and height > 0, got {w:g} x {h:g}")
    height, width = input_size
    crop_width = padding * max(w, h * width / height)
    return centre_crop((x + w / 2 - 0.5, y + h / 2 - 0.5), crop_width=crop_width, input_size=input_size)


def centre_crop(centre: tuple[float, float], *, crop_width: float, input_size: tuple[int, int]) -> Floats:
    """Return the affine map (2, 3) of the crop of `crop_width` photo pixels around a point of the photo."""
    height, width = input_size
    scale = width / crop_width
    return np.array(
        [
            [scale, 0.0, (width - 1) / 2 - scale * centre[0]],
            [0.0, scale, (height - 1) / 2 - scale * centre[1]],
        ]
    )


def crop_image(photo: Pixels, crop: Floats, *, input_size: tuple[int, int]) -> Pixels:
    """Cut a crop (H, W, 3) out of a photo; what lies beyond the photo is black."""
    height, width = input_size
    cut = cv2.warpAffine(photo, crop, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(cut, dtype=np.uint8)


def crop_points(points: Floats, crop: Floats) -> Floats:
    """Map points (..., 2) from photo pixels to input pixels."""
    mapped: Floats = points @ crop[:, :2].T + crop[:, 2]
    return mapped


def uncrop_points(points: Floats, crop: Floats) -> Floats:
    """Map points (..., 2) from input pixels back to photo pixels; crops (2, 3), or (N, 2, 3) for (N, K, 2)."""
    linear, shift = crop[..., :2], crop[..., 2]
    back: Floats = (points - shift[..., None, :]) @ np.linalg.inv(linear).swapaxes(-1, -2)
    return back


def inside(points: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Say which points (..., 2) lie within a picture of size (H, W), its outer pixel edges included."""
    height, width = size
    x, y = points[..., 0], points[..., 1]
    return (x >= -0.5) & (y >= -0.5) & (x <= width - 0.5) & (y <= height - 0.5)


def flip_images(images: Tensor) -> Tensor:
    """Mirror images (..., W) left to right."""
    return images.flip(-1)


def flip_points(points: Tensor, skeleton: Skeleton, *, width: int) -> Tensor:
    """Mirror keypoints (N, K, 2) with the picture, left and right changing names."""
    mirrored = points[:, list(skeleton.flip_order)].clone()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


def cells_to_pixels(cells: Tensor, *, heatmap_size: tuple[int, int], input_size: tuple[int, int]) -> Tensor:
    """Map heatmap cell coordinates (..., 2) to input pixels: cell 0 of stride 4 lies at pixel 1.5."""
    strides = _strides(heatmap_size, input_size)
    return torch.stack([(cells[..., at] + 0.5) * strides[at] - 0.5 for at in (0, 1)], dim=-1)


def pixels_to_cells(pixels: Tensor, *, heatmap_size: tuple[int, int], input_size: tuple[int, int]) -> Tensor:
    """Map input pixels (..., 2) to heatmap cell coordinates; the inverse of cells_to_pixels."""
    strides = _strides(heatmap_size, input_size)
    return torch.stack([(pixels[..., at] + 0.5) / strides[at] - 0.5 for at in (0, 1)], dim=-1)


def pixels_to_unit(pixels: Tensor, *, input_size: tuple[int, int]) -> Tensor:
    """Map input pixels (..., 2) to [-0.5, 0.5], the picture's outer edges being the ends."""
    return torch.stack([(pixels[..., at] + 0.5) / input_size[1 - at] - 0.5 for at in (0, 1)], dim=-1)


def unit_to_pixels(unit: Tensor, *, input_size: tuple[int, int]) -> Tensor:
    """Map [-0.5, 0.5] back to input pixels; the inverse of pixels_to_unit."""
    return torch.stack([(unit[..., at] + 0.5) * input_size[1 - at] - 0.5 for at in (0, 1)], dim=-1)


def _strides(heatmap_size: tuple[int, int], input_size: tuple[int, int]) -> tuple[float, float]:
    """Return the input pixels of a cell, along x and along y: plain numbers, which no GPU has to wait for."""
    return input_size[1] / heatmap_size[1], input_size[0] / heatmap_size[0]
