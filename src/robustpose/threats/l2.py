"""L2: the Euclidean norm of an image's change is at most eps.

`project` and `step` account for [0, 1] exactly: they scale the change, clip it to [0, 1], and choose the scale so
that the clipped change uses the whole budget. Clipping after scaling, as is often done, wastes budget.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from robustpose.threats.levels import LEVELS, per_image, room_towards, round_in_ball
from robustpose.threats.spec import Floats, ThreatSpec, check_budget

_ROUNDS = 100
"""Upper bound on the iterations of `_reach`; it has always converged earlier, and each iteration is closer."""


@dataclass(frozen=True)
class L2:
    """The Euclidean norm of the change is at most eps, with pixel values in [0, 1].

    RobustPoseError for an eps that is negative or not finite. A change of 8/255 everywhere in a crop of 128 x 128
    has norm 7.
    """

    eps: float

    def __post_init__(self) -> None:
        check_budget(self.eps, self.name)

    @property
    def name(self) -> str:
        """The name in results."""
        return "l2"

    @property
    def holds_8bit(self) -> bool:
        """Whether one value may change by an 8-bit level."""
        return self.eps * LEVELS >= 1 - 1e-9

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Return the nearest allowed images: images + t (adv - images), clipped, with the largest t <= 1."""
        change = adv - images
        room = room_towards(images, change).flatten(1)
        budget = per_image(images, self.eps if eps is None else eps)
        share = _reach(change.abs().flatten(1), room, budget)[:, :, None, None]
        return torch.where(share >= 1, adv, images + share * change).clamp(0.0, 1.0)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the steepest direction; where values reach the end of [0, 1], the others move further."""
        slope = grad.abs().flatten(1)
        slope = slope / slope.amax(dim=1, keepdim=True).clamp_min(1e-30)
        room = room_towards(images, grad).flatten(1)
        budget = per_image(images, self.eps)
        move = torch.minimum(_reach(slope, room, budget) * slope, room)
        return grad.sign() * (move / budget.clamp_min(1e-30)).reshape(grad.shape)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw uniformly from the ball, then project."""
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype).flatten(1)
        radius = torch.rand(len(images), 1, generator=generator, dtype=images.dtype) ** (1 / noise.shape[1])
        noise = self.eps * radius * noise / torch.linalg.vector_norm(noise, dim=1, keepdim=True).clamp_min(1e-30)
        return self.project(images, images + noise.reshape(images.shape).to(images.device))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the norm of each image's change (N,)."""
        change = (adv.double() - images.double()).flatten(1)
        return change.square().sum(dim=1).sqrt().to(images.dtype)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round to 8-bit levels inside the ball, with about the same norm: see levels.round_in_ball."""
        return round_in_ball(images, adv, eps=self.eps, power=2)


def _reach(change: Tensor, room: Tensor, eps: Tensor) -> Tensor:
    """Return the largest t (N, 1) for which min(t x change, room) (N, D), both >= 0, has a norm of at most eps (N,
    1).

    Each iteration finds the values that are clipped at the current t and solves for t with them fixed. No value is
    marked as clipped too early, so t rises to the solution and never exceeds it.
    """
    reach = torch.zeros_like(eps)
    for _ in range(_ROUNDS):
        full = reach * change >= room
        spent = torch.where(full, room, 0.0).square().sum(dim=1, keepdim=True)
        slope = torch.where(full, 0.0, change).square().sum(dim=1, keepdim=True)
        ahead = ((eps.square() - spent).clamp(min=0.0) / slope.clamp_min(1e-30)).sqrt()
        if bool((ahead <= reach * (1 + 1e-6)).all()):
            break
        reach = torch.maximum(reach, ahead)
    return reach


def _best_move(eps: float, room: Floats, slope: Floats) -> Floats:
    """Find by bisection how far to move along the slope, with each value clipped to its room."""
    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low * high) ** 0.5 if low else high / 2
        within = np.linalg.norm(np.minimum(middle * slope, room)) <= eps
        low, high = (middle, high) if within else (low, middle)
    return np.minimum(low * slope, room)


L2_SPEC = ThreatSpec(
    make=L2,
    rule="may change the image by at most eps in the L2 norm, with pixel values in [0, 1]",
    example="2 or 0.5",
    unit="L2",
    norm=2.0,
    format=lambda eps: f"{eps:g} in L2",
    best_move=_best_move,
    budgets=(0.3, 2.0, 4.0),
)
