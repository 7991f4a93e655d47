"""L0: eps pixels may change, each in all its channels and by any amount.

Counted in pixels, not in values: Croce, Hein, "Sparse and Imperceivable Adversarial Attacks", ICCV 2019, arXiv
1909.05040.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.threats.budgets import check_eps
from robustpose.threats.levels import LEVELS, per_picture, room_towards


@dataclass(frozen=True)
class L0:
    """At most eps pixels change; RobustPoseError unless eps is a whole number from 0."""

    eps: float

    def __post_init__(self) -> None:
        check_eps(self.eps, self.name)

    @property
    def name(self) -> str:
        """As it stands in results."""
        return "l0"

    @property
    def holds_8bit(self) -> bool:
        """Whether a pixel may change."""
        return self.eps >= 1

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Keep the pixels that changed most, clipped to [0, 1]; the others are as they were."""
        inside = adv.clamp(0.0, 1.0)
        saved = ((adv - images).square() - (adv - inside).square()).sum(dim=1)
        return torch.where(self._most(saved, self.eps if eps is None else eps), inside, images)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the pixels that gain most, each to the end of [0, 1]: eps times it is that move."""
        move = grad.sign() * room_towards(images, grad)
        chosen = self._most((grad * move).sum(dim=1), self.eps)
        return torch.where(chosen, move / max(self.eps, 1.0), 0.0)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw eps pixels, and uniform values for them."""
        values = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        order = torch.rand(images[:, 0].shape, generator=generator, dtype=images.dtype).to(images.device)
        return torch.where(self._most(order, self.eps), values, images)

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the number of pixels that differ in each picture (N,)."""
        return (adv != images).any(dim=1).flatten(1).sum(dim=1).to(images.dtype)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round every value to its nearest level; a pixel that did not change stays."""
        return nearest_levels(images, adv)

    def _most(self, worth: Tensor, eps: float | Tensor) -> Tensor:
        """Say which pixels (N, 1, H, W) are the eps of the highest worth (N, H, W)."""
        flat = worth.flatten(1)
        place = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return (place < per_picture(flat, eps)).reshape(worth.shape)[:, None]


def nearest_levels(images: Tensor, adv: Tensor) -> Tensor:
    """Round every value that changed to its nearest level k/255; what did not change stays, bit for bit."""
    return torch.where(adv == images, images, (adv * LEVELS).round().clamp(0, LEVELS) / LEVELS)
