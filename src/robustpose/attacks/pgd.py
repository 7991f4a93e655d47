"""PGD: Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks",
ICLR 2018, arXiv 1706.06083; with the momentum of MI-FGSM (Dong et al., CVPR 2018, arXiv 1710.06081).

IGSM with restarts, of which all but the first start at random. The result is the iterate with the highest loss,
not the last one. Momentum accumulates gradients, each divided by its mean absolute value.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, Threat
from robustpose.attacks.gradient import best_try, loss_and_gradient, stacked
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError


@dataclass(frozen=True)
class PGD:
    """Projected steps; the best iterate of all restarts.

    steps      gradients per restart
    step_size  as a share of eps
    restarts   number of starts; the first is the clean image, the others are random
    momentum   decay of the accumulated gradient; 0 is plain PGD, 1 is MI-FGSM
    """

    stops_at_cap: ClassVar[bool] = True
    steps: int = 40
    step_size: float = 1 / 8
    restarts: int = 1
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1:
            raise RobustPoseError(
                f"pgd: steps and restarts must be at least 1, got {self.steps} and {self.restarts}"
            )
        if not self.step_size > 0:
            raise RobustPoseError(f"pgd: step_size must be > 0 (a share of eps), got {self.step_size:g}")
        if not 0 <= self.momentum <= 1:
            raise RobustPoseError(f"pgd: momentum must lie in [0, 1], got {self.momentum:g}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return each person's iterate with the highest loss."""
        adv, origin, rows = stacked(images, threat, generator, restarts=self.restarts)
        best, highest = adv, adv.new_full((len(adv),), -torch.inf)
        gathered = torch.zeros_like(adv)
        for _ in range(self.steps):
            losses, gradient = loss_and_gradient(loss, adv, rows)
            best, highest = higher(adv, losses, best, highest)
            if self.momentum:
                size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
                gathered = gradient = self.momentum * gathered + gradient / size.clamp_min(1e-12)
            adv = threat.project(origin, adv + self.step_size * threat.eps * threat.step(gradient, origin))
        with torch.no_grad():
            best, highest = higher(adv, loss(adv, rows), best, highest)
        return best_try(best, highest, restarts=self.restarts)


def higher(adv: Tensor, losses: Tensor, best: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each row the image with the higher loss, and that loss."""
    rises = losses > highest
    return torch.where(rises[:, None, None, None], adv, best), torch.where(rises, losses, highest)


def pgd(*, targeted: bool, steps: int | None = None) -> PGD:
    """Make PGD from the clean image, by default with 40 steps of eps / 8."""
    return PGD() if steps is None else PGD(steps=steps)


PGD_SPEC = AttackSpec(
    make=pgd,
    cost="40 gradients",
    summary="Projected gradient steps, best iterate; the first restart starts at the clean image",
)
