"""The paper's probe: the perturbation mirrored left to right, the picture left as it is."""

from torch import Tensor


def flip_perturbation(clean: Tensor, adv: Tensor) -> Tensor:
    """Mirror what was added to the pictures (N, 3, H, W), clipped to [0, 1]."""
    return (clean + (adv - clean).flip(3)).clamp(0.0, 1.0)
