"""L1: the absolute changes of an image's values sum to at most eps. Attacks change few values, each by much.

After Croce, Hein, "Mind the Box: l1-APGD for Sparse Adversarial Attacks on Image Classifiers", ICML 2021, arXiv
2103.01208: `project` projects onto the intersection of the ball and [0, 1], and `step` changes as many values as
it takes to spend the budget, each up to the end of [0, 1].
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from robustpose.threats.levels import LEVELS, per_image, room_towards, round_in_ball
from robustpose.threats.spec import Floats, ThreatSpec, check_budget


@dataclass(frozen=True)
class L1:
    """The sum of the absolute changes of all values is at most eps, with pixel values in [0, 1].

    RobustPoseError for an eps that is negative or not finite.
    """

    eps: float

    def __post_init__(self) -> None:
        check_budget(self.eps, self.name)

    @property
    def name(self) -> str:
        """The name in results."""
        return "l1"

    @property
    def holds_8bit(self) -> bool:
        """Whether one value may change by an 8-bit level."""
        return self.eps * LEVELS >= 1 - 1e-9

    def project(self, images: Tensor, adv: Tensor, /, *, eps: Tensor | None = None) -> Tensor:
        """Return the nearest allowed images: every change shrinks by the same amount and is clipped."""
        change = adv - images
        size, room = change.abs().flatten(1).double(), room_towards(images, change).flatten(1).double()
        budget = per_image(images, self.eps if eps is None else eps).double()
        less = _shrinkage(size, room, budget)
        kept = torch.minimum((size - less).clamp(min=0.0), room).to(images.dtype).reshape(images.shape)
        untouched = (less == 0)[:, :, None, None]
        nearest = torch.where(untouched, adv, images + change.sign() * kept).clamp(0.0, 1.0)
        # Rounding in the sums could leave a tiny change even with a budget of 0.
        return torch.where((budget > 0)[:, :, None, None], nearest, images)

    def step(self, grad: Tensor, images: Tensor, /) -> Tensor:
        """Return the step that moves the steepest values to the end of [0, 1] until the budget is spent."""
        slope, order = grad.abs().flatten(1).sort(dim=1, descending=True)
        room = room_towards(images, grad).flatten(1).gather(1, order).double()
        room = torch.where(slope > 0, room, 0.0)
        before = room.cumsum(dim=1) - room
        move = torch.minimum((self.eps - before).clamp(min=0.0), room) / max(self.eps, 1e-30)
        spread = torch.zeros_like(room).scatter(1, order, move)
        return grad.sign() * spread.to(grad.dtype).reshape(grad.shape)

    def sample(self, images: Tensor, /, generator: Generator | None = None) -> Tensor:
        """Draw uniformly from the ball, then project."""
        uniform = torch.rand(images.shape, generator=generator, dtype=torch.float64).flatten(1)
        sign = torch.rand(images.shape, generator=generator, dtype=torch.float64).flatten(1) < 0.5
        rest = torch.rand(len(images), 1, generator=generator, dtype=torch.float64)
        waits, last = -uniform.clamp_min(1e-300).log(), -rest.clamp_min(1e-300).log()
        noise = self.eps * torch.where(sign, -waits, waits) / (waits.sum(dim=1, keepdim=True) + last)
        return self.project(images, images + noise.to(images).reshape(images.shape))

    def size(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Return the sum of each image's absolute changes (N,)."""
        return (adv.double() - images.double()).abs().flatten(1).sum(dim=1).to(images.dtype)

    def round_to_8bit(self, images: Tensor, adv: Tensor, /) -> Tensor:
        """Round to 8-bit levels inside the ball, with about the same norm: see levels.round_in_ball."""
        return round_in_ball(images, adv, eps=self.eps, power=1)


def _shrinkage(size: Tensor, room: Tensor, eps: Tensor) -> Tensor:
    """Return the smallest s >= 0 (N, 1) for which the sum of clip(size - s, 0, room) is at most eps.

    As a function of s the sum is piecewise linear, with knots at s = size and s = size - room.
    """
    starts, ends = size, (size - room).clamp(min=0.0)
    counts = torch.cat([torch.ones_like(starts), -torch.ones_like(ends), torch.zeros_like(eps)], dim=1)
    knots, order = torch.cat([starts, ends, torch.zeros_like(eps)], dim=1).sort(dim=1, descending=True)
    rising = counts.gather(1, order).cumsum(dim=1)[:, :-1]
    sums = torch.cat([torch.zeros_like(eps), (rising * (knots[:, :-1] - knots[:, 1:])).cumsum(dim=1)], dim=1)
    # s lies between the first knot at which the sum exceeds eps and the knot before it.
    beyond = sums > eps
    place = beyond.to(torch.uint8).argmax(dim=1, keepdim=True).clamp(min=1)
    surplus = sums.gather(1, place) - eps
    found = knots.gather(1, place) + surplus / rising.gather(1, place - 1).clamp(min=1.0)
    return torch.where(beyond.any(dim=1, keepdim=True), found, 0.0)


def _best_move(eps: float, room: Floats, slope: Floats) -> Floats:
    """Move the steepest values first, each to the end of its room."""
    move = np.zeros_like(room)
    left = eps
    for place in np.argsort(-slope, axis=None):
        move.flat[place] = min(float(room.flat[place]), left)
        left -= float(move.flat[place])
    return move


L1_SPEC = ThreatSpec(
    make=L1,
    rule="may change the image by at most eps in the L1 norm, with pixel values in [0, 1]",
    example="12 or 0.5",
    unit="L1",
    norm=1.0,
    format=lambda eps: f"{eps:g} in L1",
    best_move=_best_move,
    budgets=(0.6, 12.0),
)
