"""Reads what users give from Python: images, keypoints, visibility, whole numbers, devices.

Tensors and arrays of any floating type become float32. RobustPoseError names the argument, what was expected and
what came.
"""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.fields import MOST

_OVER = 1e-5
"""By how much interpolation may leave [0, 1]."""
DEVICES = ("cpu", "cuda", "mps")


def tensor_of(value: object, name: str) -> Tensor:
    """Return a tensor or an array as a tensor without gradient; it may share its memory."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return torch.from_numpy(np.ascontiguousarray(value))
    raise RobustPoseError(f"{name} must be a tensor or an array of numbers, got {type(value).__name__}")


def images_of(value: object, name: str = "images") -> Tensor:
    """Return images as float32 (N, 3, H, W) in [0, 1]; levels 0 to 255 only as uint8."""
    images = tensor_of(value, name)
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] != 3:
        hint = "; move the channels with permute(0, 3, 1, 2)" if images.ndim == 4 and shape[3] == 3 else ""
        hint = hint or ("; a single image is images[None]" if images.ndim == 3 and shape[0] == 3 else "")
        raise RobustPoseError(f"{name} must have shape (N, 3, H, W), got {shape}{hint}")
    if not images.numel():
        raise RobustPoseError(f"{name} must hold at least one image, got shape {shape}")
    if images.dtype == torch.uint8:
        return images.to(torch.float32) / 255
    if not images.is_floating_point():
        raise RobustPoseError(f"{name} must be floating point in [0, 1], or uint8, got {images.dtype}")
    images = images.to(torch.float32)
    low, high = float(images.min()), float(images.max())
    if math.isnan(low) or math.isnan(high):
        raise RobustPoseError(f"{name} must be numbers in [0, 1], got NaN")
    if low < -_OVER or high > 1 + _OVER:
        levels = low >= 0 and high > 2
        hint = "divide levels of 0 to 255 by 255" if levels else "normalise inside the model, or with mean and std"
        raise RobustPoseError(f"{name} must lie in [0, 1], got [{low:g}, {high:g}]; {hint}")
    return images.clamp(0, 1) if low < 0 or high > 1 else images


def pose_of(keypoints: object, visible: object, *, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return keypoints (N, K, 2) in input pixels and visible (N, K) as bool; see types.Batch.from_tensors."""
    points = tensor_of(keypoints, "keypoints")
    n = len(images)
    if points.ndim != 3 or len(points) != n or points.shape[2] not in ((2, 3) if visible is None else (2,)):
        third = ", or (N, K, 3) with COCO's visibility" if visible is None else ""
        raise RobustPoseError(
            f"keypoints must have shape ({n}, K, 2) for {n} images{third}, got {tuple(points.shape)}"
        )
    if points.is_complex() or points.dtype == torch.bool:
        raise RobustPoseError(f"keypoints must be numbers in input pixels, got {points.dtype}")
    if points.shape[2] == 3:
        points, visible = points[..., :2], points[..., 2]
    points = points.to(images.device, torch.float32)
    if visible is None:
        seen = torch.isfinite(points).all(dim=2)
    else:
        seen = _visible(visible, shape=(n, points.shape[1])).to(images.device)
    _check_pixels(points, seen, size=(images.shape[2], images.shape[3]))
    return torch.where(seen[..., None], points, torch.nan_to_num(points)), seen


def _visible(value: object, *, shape: tuple[int, int]) -> Tensor:
    """Read booleans, or COCO's 0 (not labelled), 1 (occluded) and 2 (seen); 1 and 2 count."""
    visible = tensor_of(value, "visible")
    if tuple(visible.shape) == (*shape, 1):
        visible = visible[..., 0]
    if tuple(visible.shape) != shape:
        raise RobustPoseError(f"visible must have shape {shape} as the keypoints, got {tuple(visible.shape)}")
    if visible.dtype == torch.bool:
        return visible
    if not bool(((visible == 0) | (visible == 1) | (visible == 2)).all()):
        raise RobustPoseError(
            f"visible must be booleans, or 0, 1 and 2, got values in [{float(visible.min()):g}, "
            f"{float(visible.max()):g}]"
        )
    return visible > 0


def _check_pixels(points: Tensor, seen: Tensor, *, size: tuple[int, int]) -> None:
    """Raise RobustPoseError for visible keypoints that are no pixels of an image of `size`."""
    shown = points[seen]
    if not len(shown):
        return
    if not bool(torch.isfinite(shown).all()):
        (person, keypoint), *_ = (seen & ~torch.isfinite(points).all(dim=2)).nonzero().tolist()
        raise RobustPoseError(
            f"keypoints: keypoint {keypoint} of person {person} is visible, but it is not finite"
        )
    if len(shown) > 3 and min(size) > 4 and float(shown.min()) >= 0 and float(shown.max()) <= 1:
        raise RobustPoseError(
            "keypoints must be in input pixels, got values in [0, 1]; multiply them by the image's size"
        )
    limits = shown.new_tensor([size[1], size[0]])
    outside = ((shown < -0.5) | (shown > limits - 0.5)).any(dim=1).float().mean()
    if len(shown) > 3 and float(outside) > 0.5:
        raise RobustPoseError(
            f"keypoints must be (x, y) in pixels of the {size[1]} x {size[0]} images; {100 * float(outside):.0f}% "
            "of the visible ones lie outside"
        )


def lengths_of(value: object, name: str, *, people: int) -> Tensor:
    """Return lengths (N,) in input pixels, above 0 or NaN where unknown."""
    lengths = tensor_of(value, name)
    if tuple(lengths.shape) != (people,):
        raise RobustPoseError(f"{name} must have shape ({people},), got {tuple(lengths.shape)}")
    lengths = lengths.to(torch.float32)
    if bool((lengths <= 0).any()):
        raise RobustPoseError(
            f"{name} must be above 0, or NaN where unknown, got {float(lengths.nan_to_num().min()):g}"
        )
    return lengths


def boxes_of(value: object, *, people: int) -> Tensor:
    """Return boxes (N, 4) as (x, y, w, h) in input pixels."""
    boxes = tensor_of(value, "boxes")
    if tuple(boxes.shape) != (people, 4):
        raise RobustPoseError(f"boxes must have shape ({people}, 4), x, y, w and h, got {tuple(boxes.shape)}")
    boxes = boxes.to(torch.float32)
    if not bool(torch.isfinite(boxes).all()) or bool((boxes[:, 2:] <= 0).any()):
        raise RobustPoseError("boxes must be x, y, w and h in input pixels with w and h above 0")
    return boxes


def whole_of(value: Any, name: str, *, least: int = 1) -> int:
    """Return a whole number of any type as an int; booleans are none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise RobustPoseError(f"{name} must be an integer of at least {least}, got {value!r}")
    whole = int(value)
    if whole > MOST:
        raise RobustPoseError(f"{name} must be at most 2^62, got {str(whole)[:40]}")
    return whole


def number_of(value: Any, name: str) -> float:
    """Return a number of any type, also a tensor or an array of one, as a float."""
    if isinstance(value, Tensor | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or math.isnan(value):
        shown = f"shape {tuple(value.shape)}" if isinstance(value, Tensor | np.ndarray) else repr(value)
        raise RobustPoseError(f"{name} must be a number, got {shown:.60}")
    return float(value)


def device_of(model: object) -> torch.device:
    """Return the device of a model's weights; the CPU for a model without any."""
    if not isinstance(model, nn.Module):
        return torch.device("cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


def known_device(name: object) -> str:
    """Return the name of a device that can be used here, such as 'cuda:1'."""
    text = str(name)
    kind, colon, number = text.partition(":")
    if kind not in DEVICES:
        raise RobustPoseError(f"unknown device {text!r}; known: {', '.join(DEVICES)}")
    if colon and not number.isdecimal():
        raise RobustPoseError(f"device must be written as {kind} or {kind}:0, got {text!r}")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if not there:
        raise RobustPoseError(f"device {text!r} cannot be used: torch finds none here; use cpu")
    if int(number or 0) >= there:
        raise RobustPoseError(
            f"device {text!r} cannot be used: torch finds {there} of {kind} here, counted from 0"
        )
    return text
