"""Which motions spatial attacks try: the lattice, random ones, and those of gradient steps.

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
    """Every motion of a lattice: exhaustive, so it knows no bad luck.

    steps   motions at most, a forward each: see threats.Motion.lattice; 775 is the paper's 31 x 5 x 5
    beyond  what lies beyond the picture
    """

    steps: int = 99
    beyond: geometry.Beyond = "black"

    def __post_init__(self) -> None:
        _check_steps("spatial", self.steps)

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield the lattice, the same motion for everyone, from the smallest."""
        for motion in threat.lattice(self.steps):
            yield motion.expand(people, -1)


@dataclass(frozen=True)
class WorstOfK:
    """The worst of random motions and none.

    steps   motions, a forward each
    beyond  what lies beyond the picture
    """

    steps: int = 10
    beyond: geometry.Beyond = "black"

    def __post_init__(self) -> None:
        _check_steps("worst_of_k", self.steps)

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield none, then the draws, the same for everyone, so that who else is there does not matter."""
        yield torch.zeros(people, len(PARTS), dtype=torch.float64)
        for motion in threat.sample(self.steps, generator=generator):
            yield motion.expand(people, -1)


@dataclass(frozen=True)
class FirstOrder:
    """Sign steps on the motion itself, up the training loss against the moved truth, from a random motion.

    steps      gradients
    step_size  as a share of the reach
    beyond     what lies beyond the picture
    """

    steps: int = 20
    step_size: float = 0.1
    beyond: geometry.Beyond = "black"

    def __post_init__(self) -> None:
        _check_steps("spatial_gradient", self.steps)

    def motions(self, loss: MotionLoss, people: int, threat: Motion, generator: Generator, /) -> Iterator[Tensor]:
        """Yield none, the random start, and the motion after each step."""
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
    """Make the lattice of motions: 99 at most, unless `steps` says otherwise."""
    _refuse_targets("spatial", targeted=targeted)
    return Lattice() if steps is None else Lattice(steps=steps)


def worst_of_k(*, targeted: bool, steps: int | None = None) -> WorstOfK:
    """Make the worst of k random motions: 10, unless `steps` says otherwise."""
    _refuse_targets("worst_of_k", targeted=targeted)
    return WorstOfK() if steps is None else WorstOfK(steps=steps)


def spatial_gradient(*, targeted: bool, steps: int | None = None) -> FirstOrder:
    """Make the first-order attack: 20 gradients, unless `steps` says otherwise."""
    _refuse_targets("spatial_gradient", targeted=targeted)
    return FirstOrder() if steps is None else FirstOrder(steps=steps)


def _refuse_targets(name: str, *, targeted: bool) -> None:
    if targeted:
        raise RobustPoseError(
            f"{name} moves people away from what a model can read, towards no pose: no --targeted"
        )


SPATIAL_SPEC = AttackSpec(
    make=spatial,
    summary="The worst of a lattice of rotations and shifts, or of the threat's other motions",
    kind="spatial",
    needs="decisions",
    objective=None,
    sentence="the worst of {steps} motions of a lattice at most, by how many keypoints are lost",
)
WORST_OF_K_SPEC = AttackSpec(
    make=worst_of_k,
    summary="The worst of k random motions",
    kind="spatial",
    needs="decisions",
    objective=None,
    sentence="the worst of {steps} random motions, or none, by how many keypoints are lost",
)
SPATIAL_GRADIENT_SPEC = AttackSpec(
    make=spatial_gradient,
    summary="Gradient steps on the motion itself, from a random one",
    kind="spatial",
    objective=None,
    sentence="the worst of no motion, a random one, and those of {steps} gradient steps up the training loss",
)
