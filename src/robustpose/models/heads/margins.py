"""What the margins of heads share. A margin says how near a keypoint is to being wrong; above 0 it is wrong."""

import torch
from torch import Tensor

_NOWHERE = -1e4
"""A height so low that a place of it has no share in a gradient; finite, for the gradient of -inf is NaN."""


def highest(heights: Tensor, left_out: Tensor, *, softness: Tensor | float) -> Tensor:
    """Return the highest of heights (..., P) of which some are left out; -inf where all are.

    With a softness the value is the same, and its gradient that of softness * logsumexp(heights / softness).
    """
    found = heights.masked_fill(left_out, -torch.inf).amax(dim=-1)
    if not isinstance(softness, Tensor) and softness == 0:
        return found
    width = torch.as_tensor(softness, device=heights.device, dtype=heights.dtype)
    soft = width * torch.logsumexp(heights.masked_fill(left_out, _NOWHERE) / width[..., None], dim=-1)
    return found.detach() + (soft - soft.detach())


def decided(inside: Tensor, far: Tensor) -> Tensor:
    """Return the margins of keypoints (N, K) that are decided whatever the model says.

    1 is wrong, for all cells lie `far` beyond the radius; -1 right, for all are inside. In between no cell lies
    within the radius, but what is read between two may: nothing is said, 0.
    """
    return torch.where(far, 1.0, torch.where(inside, -1.0, 0.0))


def distances(found: Tensor, keypoints: Tensor, radius: Tensor) -> Tensor:
    """Return how far found keypoints (N, K, 2) lie from others: in radii (N, K), less 1."""
    offset = found - keypoints
    # Away from 0, where the norm has no gradient, by far less than a pixel.
    distance = (offset.square().sum(dim=-1) + 1e-12).sqrt()
    return distance / radius - 1
