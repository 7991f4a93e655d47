"""Expectation over transformation: the loss of a model that draws, averaged over several evaluations.

Athalye, Engstrom, Ilyas and Kwok 2018 (arXiv 1707.07397). Each evaluation is a pass of the model, and is counted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from robustpose.attack_types import Loss, LossOfParts


@dataclass(frozen=True)
class MeanLoss:
    """The mean of `of` over `draws` evaluations."""

    of: Loss
    draws: int

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the mean loss (M,)."""
        return torch.stack([self.of(adv, rows) for _ in range(self.draws)]).mean(dim=0)


@dataclass(frozen=True)
class MeanParts:
    """The same for a loss that tells of each keypoint whether it is lost: see attack_types.LossOfParts."""

    of: LossOfParts
    draws: int

    @property
    def counted(self) -> Tensor:
        """(N, K) bool: the parts that count."""
        return self.of.counted

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the mean loss (M,)."""
        return torch.stack([self.of(adv, rows) for _ in range(self.draws)]).mean(dim=0)

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the mean margins (M, K): above 0 where a keypoint is lost on average."""
        return torch.stack([self.of.parts(adv, rows) for _ in range(self.draws)]).mean(dim=0)


def expected(loss: Loss, *, draws: int) -> Loss:
    """Average a loss over `draws` evaluations. It then has no cap: one draw at the cap says nothing of others."""
    if draws <= 1:
        return loss
    return MeanParts(loss, draws) if isinstance(loss, LossOfParts) else MeanLoss(loss, draws)
