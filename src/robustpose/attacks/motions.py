"""The motions that spatial attacks try: a lattice, random motions, and gradient steps.

Engstrom, Tran, Tsipras, Schmidt, Madry, "Exploring the Landscape of Spatial Robustness", ICML 2019, arXiv
1712.02779, who find the first-order attack the weakest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose import geometry
from robustpose.attacks.spatial import MotionLoss
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError
from robustpose.threats.motion import PARTS, Motion


@dataclass(frozen=True)
class Lattice:
    """Every motion of a lattice.

    steps   largest number of motions, one forward pass each: see threats.Motion.lattice; 775 is the paper's 31x5x5
    beyond  how pixels beyond the image are filled
    """

    steps: int = 99
    beyond: geometry.Beyond = "black"

    def __post_init__(self) -> None:
        _check_steps("spatial", self.steps)

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the lattice from the smallest motion, the same for everyone."""
        for motion in threat.lattice(self.steps):
            yield motion.expand(people, -1)


@dataclass(frozen=True)
class WorstOfK:
    """The worst of random motions and the identity.

    steps   random motions, one forward pass each
    beyond  how pixels beyond the image are filled
    """

    steps: int = 10
    beyond: geometry.Beyond = "black"

    def __post_init__(self) -> None:
        _check_steps("worst_of_k", self.steps)

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the identity, then random motions, the same for everyone, so that the batch does not matter."""
        yield torch.zeros(people, len(PARTS), dtype=torch.float64)
        for motion in threat.sample(self.steps, generator=generator):
            yield motion.expand(people, -1)


@dataclass(frozen=True)
class FirstOrder:
    """Sign steps on the motion that raise the training loss against the moved truth, from a random start.

    steps      gradients
    step_size  as a share of the reach
    beyond     how pixels beyond the image are filled
    """

    steps: int = 20
    step_size: float = 0.1
    beyond: geometry.Beyond = "black"

    def __post_init__(self) -> None:
        _check_steps("spatial_gradient", self.steps)

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the identity, the random start, and the motion after each step."""
        yield torch.zeros(people, len(PARTS), dtype=torch.float64)
        motions = threat.sample(1, generator=generator).expand(people, -1)
        yield motions
        for _ in range(self.steps):
            at = motions.detach().requires_grad_(True)
            with torch.enable_grad():
                raised = loss(at).sum()
            (gradient,) = torch.autograd.grad(raised, at)
            motions = threat.project(motions + self.step_size * threat.reach * gradient.sign())
            yield motions


def _check_steps(name: str, steps: int) -> None:
    if steps < 1:
        raise RobustPoseError(f"{name}: steps must be at least 1, got {steps}")


def spatial(*, targeted: bool, steps: int | None = None) -> Lattice:
    """Make the lattice attack, by default with at most 99 motions."""
    _refuse_targets("spatial", targeted=targeted)
    return Lattice() if steps is None else Lattice(steps=steps)


def worst_of_k(*, targeted: bool, steps: int | None = None) -> WorstOfK:
    """Make the worst-of-k attack, by default with 10 random motions."""
    _refuse_targets("worst_of_k", targeted=targeted)
    return WorstOfK() if steps is None else WorstOfK(steps=steps)


def spatial_gradient(*, targeted: bool, steps: int | None = None) -> FirstOrder:
    """Make the first-order attack, by default with 20 gradients."""
    _refuse_targets("spatial_gradient", targeted=targeted)
    return FirstOrder() if steps is None else FirstOrder(steps=steps)


def _refuse_targets(name: str, *, targeted: bool) -> None:
    if targeted:
        raise RobustPoseError(f"{name} is untargeted: it takes no --targeted")


SPATIAL_SPEC = AttackSpec(
    make=spatial,
    cost="99 queries",
    summary="The worst of a lattice of the threat's motions (rotations, shifts, scalings)",
    kind="spatial",
    needs="decisions",
    objective=None,
    sentence="the worst of at most {steps} motions of a lattice, by the number of lost keypoints",
)
WORST_OF_K_SPEC = AttackSpec(
    make=worst_of_k,
    cost="10 queries",
    summary="The worst of k random motions",
    kind="spatial",
    needs="decisions",
    objective=None,
    sentence="the worst of {steps} random motions and the identity, by the number of lost keypoints",
)
SPATIAL_GRADIENT_SPEC = AttackSpec(
    make=spatial_gradient,
    cost="20 gradients",
    summary="Gradient steps on the motion, from a random start",
    kind="spatial",
    objective=None,
    sentence="the worst of the identity, a random motion, and {steps} gradient steps that raise the training loss",
)
