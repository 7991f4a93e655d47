"""Linf: every pixel value may move by at most eps."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.threats.budgets import check_eps
from robustpose.threats.levels import LEVELS


@dataclass(frozen=True)
class Linf:
    """Every pixel value may move by at most eps.

    eps is in [0, 1] units, 8/255 say; RobustPoseError outside.
    """

    eps: float

    def __post_init__(self) -> None:
        check_eps(self.eps)

    @property
    def name(self) -> str:
        """As it stands in results."""
        return "linf"

    @property
    def holds_8bit(self) -> bool:
        """Whether a budget of at least one level is left."""
        return self.eps * LEVELS >= 1 - 1e-9

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Clip to [images - eps, images + eps] and to [0, 1]."""
        reach = self.eps if eps is None else eps.to(images)[:, None, None, None]
        return torch.clamp(torch.minimum(torch.maximum(adv, images - reach), images + reach), 0.0, 1.0)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the gradient's sign."""
        return grad.sign()

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw uniformly from the ball, then clip to [0, 1]."""
        noise = torch.rand(images.shape, generator=generator, dtype=images.dtype).to(images.device)
        return self.project(images, images + self.eps * (2 * noise - 1))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the largest change of each picture (N,)."""
        return (adv - images).abs().flatten(1).amax(dim=1)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round to the nearest level within eps."""
        reach = int(self.eps * LEVELS + 1e-4)
        origin = (images * LEVELS).round()
        rounded = torch.clamp((adv * LEVELS).round(), min=origin - reach, max=origin + reach)
        return rounded.clamp(0, LEVELS) / LEVELS
