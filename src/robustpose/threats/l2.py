"""L2: the change of a picture, as a vector of all its values, may be eps long.

With [0, 1] honoured exactly: the nearest allowed picture of any other lies on the ray to it, clipped, and the best
move for a linear loss on the ray along its gradient. Clipping after scaling, as is often done, gives away budget.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from robustpose.threats.levels import LEVELS, per_picture, room_towards, round_in_ball
from robustpose.threats.spec import Floats, ThreatSpec, check_budget

_ROUNDS = 100
"""More than the sets of full values that were ever seen to follow each other; each round ends nearer."""


@dataclass(frozen=True)
class L2:
    """The Euclidean length of the change is at most eps, with pixel values in [0, 1].

    RobustPoseError for an eps that is negative or not finite. At 8/255 everywhere a crop of 128 x 128 is 7 long.
    """

    eps: float

    def __post_init__(self) -> None:
        check_budget(self.eps, self.name)

    @property
    def name(self) -> str:
        """As it stands in results."""
        return "l2"

    @property
    def holds_8bit(self) -> bool:
        """Whether one value may move by a level."""
        return self.eps * LEVELS >= 1 - 1e-9

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Return the nearest allowed pictures: images + t (adv - images), clipped, with the largest t <= 1."""
        change = adv - images
        room = room_towards(images, change).flatten(1)
        budget = per_picture(images, self.eps if eps is None else eps)
        share = _reach(change.abs().flatten(1), room, budget)[:, :, None, None]
        return torch.where(share >= 1, adv, images + share * change).clamp(0.0, 1.0)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the direction of the gradient; where a value meets the end of [0, 1], the others go further."""
        slope = grad.abs().flatten(1)
        slope = slope / slope.amax(dim=1, keepdim=True).clamp_min(1e-30)
        room = room_towards(images, grad).flatten(1)
        budget = per_picture(images, self.eps)
        move = torch.minimum(_reach(slope, room, budget) * slope, room)
        return grad.sign() * (move / budget.clamp_min(1e-30)).reshape(grad.shape)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw uniformly from the ball, then go to the nearest allowed picture."""
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype).flatten(1)
        radius = torch.rand(len(images), 1, generator=generator, dtype=images.dtype) ** (1 / noise.shape[1])
        noise = self.eps * radius * noise / torch.linalg.vector_norm(noise, dim=1, keepdim=True).clamp_min(1e-30)
        return self.project(images, images + noise.reshape(images.shape).to(images.device))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the length of each picture's change (N,)."""
        change = (adv.double() - images.double()).flatten(1)
        return change.square().sum(dim=1).sqrt().to(images.dtype)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round to levels inside the ball, of the same length as far as it goes: see levels.round_in_ball."""
        return round_in_ball(images, adv, eps=self.eps, power=2)


def _reach(change: Tensor, room: Tensor, eps: Tensor) -> Tensor:
    """Return the largest t (N, 1) for which min(t x change, room) (N, D), both >= 0, is at most eps (N, 1) long.

    Which values are full is guessed from the t so far: none that is not; so t never passes the answer, and the set
    grows until it is right.
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
    """Move longer and longer along the slope, each value up to its room."""
    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low * high) ** 0.5 if low else high / 2
        within = np.linalg.norm(np.minimum(middle * slope, room)) <= eps
        low, high = (middle, high) if within else (low, middle)
    return np.minimum(low * slope, room)


L2_SPEC = ThreatSpec(
    make=L2,
    rule="may change the picture by a vector of at most eps, in units of the whole range (in L2)",
    example="2 or 0.5",
    unit="L2",
    format=lambda eps: f"{eps:g} in L2",
    best_move=_best_move,
    budgets=(0.3, 2.0, 4.0),
)
