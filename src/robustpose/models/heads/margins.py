"""Functions that the margins of heads share. A margin is above 0 where the keypoint is wrong."""

import torch
from torch import Tensor

_NOWHERE = -1e4
"""Height of excluded locations: low enough for a zero gradient, finite because -inf would give NaN."""


def highest(heights: Tensor, left_out: Tensor, *, softness: Tensor | float) -> Tensor:
    """Return the maximum of heights (..., P), without those `left_out`; -inf where all are left out.

    With a softness, the value is the same and the gradient is that of softness * logsumexp(heights / softness).
    """
    found = heights.masked_fill(left_out, -torch.inf).amax(dim=-1)
    if not isinstance(softness, Tensor) and softness == 0:
        return found
    width = torch.as_tensor(softness, device=heights.device, dtype=heights.dtype)
    soft = width * torch.logsumexp(heights.masked_fill(left_out, _NOWHERE) / width[..., None], dim=-1)
    return found.detach() + (soft - soft.detach())


def decided(inside: Tensor, far: Tensor) -> Tensor:
    """Return the margins (N, K) of keypoints that do not depend on the model's output.

    1 (wrong) where all cells are `far` beyond the radius, -1 (correct) where all are inside. 0 where no cell is
    within the radius, but a position decoded between cells may be.
    """
    return torch.where(far, 1.0, torch.where(inside, -1.0, 0.0))


def distances(found: Tensor, keypoints: Tensor, radius: Tensor) -> Tensor:
    """Return the distance of found from true keypoints (N, K, 2) in radii (N, K), minus 1."""
    offset = found - keypoints
    # The norm has no gradient at 0, so it is kept above 0 by much less than a pixel.
    distance = (offset.square().sum(dim=-1) + 1e-12).sqrt()
    return distance / radius - 1
