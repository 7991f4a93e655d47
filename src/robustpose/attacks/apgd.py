"""APGD: Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
Attacks", ICML 2020, arXiv 2003.01690, algorithm 1.

PGD with an adaptive step size. It starts with 2 eps. At checkpoints of shrinking distance, if the loss stopped
rising, it halves the step and returns to the best image so far. The paper starts at random. Here the first restart
starts at the clean image (gradient.stacked), so one restart needs no random numbers.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, Threat
from robustpose.attacks.gradient import best_try, loss_and_gradient, stacked
from robustpose.attacks.pgd import higher
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError

_KEPT = 0.75
"""Weight of the new step; the previous step has the rest: alpha in the paper."""
_RISING = 0.75
"""Share of steps since the last checkpoint that must raise the loss to keep the step size: rho in the paper."""


@dataclass(frozen=True)
class APGD:
    """Projected steps of adaptive size; the best iterate of all restarts.

    steps     gradients per restart
    restarts  number of starts; the first is the clean image, the others are random
    """

    stops_at_cap: ClassVar[bool] = True
    steps: int = 100
    restarts: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1:
            raise RobustPoseError(
                f"apgd: steps and restarts must be at least 1, got {self.steps} and {self.restarts}"
            )

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return each person's iterate with the highest loss."""
        adv, origin, rows = stacked(images, threat, generator, restarts=self.restarts)
        looks = checkpoints(self.steps)
        sizes = adv.new_full((len(adv), 1, 1, 1), 2 * threat.eps)
        losses, gradient = loss_and_gradient(loss, adv, rows)
        best, highest, uphill = adv, losses, gradient
        before, rises = adv, torch.zeros_like(losses)
        halved, at_look, look = torch.ones_like(losses, dtype=torch.bool), highest, 0
        for step in range(1, self.steps + 1):
            ahead = threat.project(origin, adv + sizes * threat.step(gradient, origin))
            kept = _KEPT if step > 1 else 1.0  # the first step has no previous one
            moved = threat.project(origin, adv + kept * (ahead - adv) + (1 - kept) * (adv - before))
            before, adv, last = adv, moved, losses
            if step == self.steps:
                with torch.no_grad():
                    best, highest = higher(adv, loss(adv, rows), best, highest)
                break
            losses, gradient = loss_and_gradient(loss, adv, rows)
            rises = rises + (losses > last)
            uphill = torch.where((losses > highest)[:, None, None, None], gradient, uphill)
            best, highest = higher(adv, losses, best, highest)
            if step in looks:
                stuck = rises < _RISING * (step - look)
                # The step size was not halved at the last checkpoint, and nothing better was found since.
                idle = ~halved & (highest <= at_look)
                halved = stuck | idle
                again = halved[:, None, None, None]
                sizes = torch.where(again, sizes / 2, sizes)
                adv, gradient = torch.where(again, best, adv), torch.where(again, uphill, gradient)
                before, losses = torch.where(again, best, before), torch.where(halved, highest, losses)
                rises, at_look, look = torch.zeros_like(rises), highest, step
        return best_try(best, highest, restarts=self.restarts)


def checkpoints(steps: int) -> list[int]:
    """Return the steps at which the step size may change: after 22% of them, then at shrinking distances.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return [step for share in shares[1:] if (step := math.ceil(round(share * steps, 9))) < steps]


def apgd(*, targeted: bool, steps: int | None = None) -> APGD:
    """Make APGD with one start, by default with 100 steps."""
    return APGD() if steps is None else APGD(steps=steps)


APGD_SPEC = AttackSpec(make=apgd, cost="100 gradients", summary="PGD with an adaptive step size, best iterate")
