"""Smoothing filters in front of a model, per colour channel; border pixels are replicated.

Jain et al. (arXiv 1908.06401) smooth attacked images, and their attacker does not know of the filter. Here attacks
go through the filter; all filters are differentiable in torch, including the median.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.defences.defended import Defended
from robustpose.errors import RobustPoseError
from robustpose.types import PoseModel, PoseOutput

Filter = Callable[[Tensor], Tensor]


def smoothed(smooth: Filter) -> Callable[[PoseModel], PoseModel]:
    """Return the defence that filters images; RobustPoseError where the filter changes their size."""

    def answer(model: PoseModel, images: Tensor) -> PoseOutput:
        seen = smooth(images)
        if seen.shape != images.shape:
            raise RobustPoseError(
                f"a filter must not change the image size {tuple(images.shape[2:])}, got {tuple(seen.shape[2:])}"
            )
        return model(seen)

    return lambda model: Defended(model, answer)


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
