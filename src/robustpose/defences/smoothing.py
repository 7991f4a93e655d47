"""Smoothing filters, each colour channel by itself; the border repeats its last pixel.

The paper studied smooths the attacked picture before the net sees it. No adaptive attack: what such a filter is
worth against an attacker who knows of it stands elsewhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.errors import RobustPoseError


def box(images: Tensor, *, size: int) -> Tensor:
    """Average size x size pixels; images (N, 3, H, W); RobustPoseError for an even size."""
    weights = torch.ones(size, dtype=images.dtype, device=images.device) / size
    return _separable(images, weights)


def gaussian(images: Tensor, *, sigma: float) -> Tensor:
    """Average with Gaussian weights, cut at three sigma (pixels) and summing to 1."""
    if not sigma > 0:
        raise RobustPoseError(f"a Gaussian filter's sigma must be > 0, got {sigma:g}")
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-(x**2) / (2 * sigma**2))
    return _separable(images, weights / weights.sum())


def median(images: Tensor, *, size: int) -> Tensor:
    """Take the median of size x size pixels; RobustPoseError for an even size."""
    padded = F.pad(images, _border(size), mode="replicate")
    windows = padded.unfold(2, size, 1).unfold(3, size, 1)
    return windows.reshape(*images.shape, size * size).median(dim=-1).values


def _separable(images: Tensor, weights: Tensor) -> Tensor:
    size, channels = len(weights), images.shape[1]
    padded = F.pad(images, _border(size), mode="replicate")
    down = weights.reshape(1, 1, size, 1).expand(channels, 1, size, 1)
    across = weights.reshape(1, 1, 1, size).expand(channels, 1, 1, size)
    return F.conv2d(F.conv2d(padded, down, groups=channels), across, groups=channels)


def _border(size: int) -> tuple[int, int, int, int]:
    if size < 1 or size % 2 == 0:
        raise RobustPoseError(f"a filter's size must be odd, got {size}")
    return (size // 2,) * 4
