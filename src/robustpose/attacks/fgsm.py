"""FGSM: Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015, arXiv 1412.6572.

One step of size eps along the sign of the gradient: FGSM-U raises the loss, FGSM-T lowers the loss to a target.
"""

from dataclasses import dataclass

from torch import Generator, Tensor

from robustpose.attack_types import Loss, Threat
from robustpose.attacks.gradient import input_gradient
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError


@dataclass(frozen=True)
class FGSM:
    """One step."""

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return images + eps x the steepest direction, projected."""
        return threat.project(images, images + threat.eps * threat.step(input_gradient(loss, images), images))


def fgsm(*, targeted: bool, steps: int | None = None) -> FGSM:
    """Make FGSM; RobustPoseError for a number of steps other than 1."""
    if steps not in (None, 1):
        raise RobustPoseError(f"attack 'fgsm' takes one step, got {steps}")
    return FGSM()


FGSM_SPEC = AttackSpec(make=fgsm, cost="1 gradient", summary="One step along the sign of the gradient")
