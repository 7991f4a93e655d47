"""IGSM, also called BIM: Kurakin, Goodfellow, Bengio, "Adversarial examples in the physical world", ICLR 2017
workshop, arXiv 1607.02533; the paper's IGSM-U-N and IGSM-T-N.

N sign steps from the clean image, clipped after each. There is no random start, and the last iterate is the
result. The paper clips to the eps ball only; here images are also clipped to [0, 1].
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from robustpose.attack_types import Loss, Threat
from robustpose.attacks.gradient import input_gradient
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError

UNTARGETED_STEP = 5 / 12
TARGETED_STEP = 1 / 8
"""Middle of the ranges that the paper searched, as a share of eps: [1/3, 1/2] untargeted, [1/9, 1/7] targeted."""


@dataclass(frozen=True)
class IGSM:
    """Iterated sign steps.

    steps      10 untargeted and 20 targeted in the paper, 100 for its strongest setting
    step_size  as a share of eps
    """

    stops_at_cap: ClassVar[bool] = True
    steps: int = 10
    step_size: float = UNTARGETED_STEP

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RobustPoseError(f"igsm: steps must be at least 1, got {self.steps}")
        if not self.step_size > 0:
            raise RobustPoseError(f"igsm: step_size must be > 0 (a share of eps), got {self.step_size:g}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return the last of `steps` iterates."""
        (last,) = deque(self.iterates(loss, images, threat, generator), maxlen=1)
        return last

    def iterates(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the image after each step: the k-th is what IGSM of k steps returns."""
        adv = images
        for _ in range(self.steps):
            ahead = threat.step(input_gradient(loss, adv), images)
            adv = threat.project(images, adv + self.step_size * threat.eps * ahead)
            yield adv


def igsm(*, targeted: bool, steps: int | None = None) -> IGSM:
    """Make IGSM with the paper's settings: by default 10 steps untargeted, 20 targeted."""
    if targeted:
        return IGSM(steps=20 if steps is None else steps, step_size=TARGETED_STEP)
    return IGSM(steps=10 if steps is None else steps, step_size=UNTARGETED_STEP)


IGSM_SPEC = AttackSpec(
    make=igsm, cost="10 gradients", summary="Iterated sign steps from the image, last iterate; the paper's attack"
)
