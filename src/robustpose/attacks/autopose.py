"""autopose: the worst of several attacks that fail in different ways, with nothing to tune but eps.

After AutoAttack: Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks", ICML 2020, arXiv 2003.01690. What counts in pose is each keypoint, so two worst cases are
kept: that of each person's one worst picture, and that of each keypoint over all pictures. The protocol is on
docs/autopose.md; whoever changes what stands here changes VERSION.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robustpose.attacks.apgd import APGD
from robustpose.attacks.fmn import FMN
from robustpose.attacks.square import Square
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints, Margin, Objective, SoftMargin, TrainingLoss
from robustpose.types import Attack, Head

VERSION = 3


@dataclass(frozen=True)
class Move:
    """One attack of the ensemble.

    share      of the budget of gradients
    elsewhere  towards a pose in which each keypoint lies on another of the same person's, not just away
    unbeaten   only at the keypoints that no move before has beaten, where a person has such
    """

    name: str
    attack: Callable[[int], Attack]
    objective: Objective
    share: float
    elsewhere: bool = False
    unbeaten: bool = False


@dataclass(frozen=True)
class Autopose:
    """Moves in turn, each on the people who are not lost altogether; a person's answer is the worst picture.

    gradients  of a person at most, over all moves; a pass without a gradient counts half of one
    """

    gradients: int = 500

    def __post_init__(self) -> None:
        if self.gradients < 20:
            raise RobustPoseError(f"autopose: gradients must be at least 20, got {self.gradients}")

    def moves(self, head: Head) -> tuple[Move, ...]:
        """Return the moves against nets with such a head: where it has no margins, on what it was trained on."""
        if Margin.serves(head):
            return MOVES
        of_any_net = {"minimal": None, "square": Keypoints()}
        moves = ((move, of_any_net.get(move.name, TrainingLoss())) for move in MOVES)
        return tuple(replace(move, objective=objective) for move, objective in moves if objective is not None)

    def made(self, move: Move) -> Attack:
        """Make a move's attack with its share of the budget."""
        return move.attack(max(1, int(self.gradients * move.share)))


def _apgd(gradients: int) -> Attack:
    return APGD(steps=gradients)


def _apgd_at_random(gradients: int) -> Attack:
    """Two tries of half the steps: the second starts at random, where a flat place around the picture ends."""
    return APGD(steps=max(1, gradients // 2), restarts=2)


def _fmn(gradients: int) -> Attack:
    return FMN(steps=gradients)


def _square(gradients: int) -> Attack:
    """A query is a pass, which is half a gradient."""
    return Square(steps=2 * gradients)


MOVES: tuple[Move, ...] = (
    Move("margin", _apgd, SoftMargin(), 0.3),
    Move("training loss", _apgd, TrainingLoss(), 0.1),
    Move("elsewhere", _apgd, Margin(), 0.14, elsewhere=True),
    Move("unbeaten", _apgd_at_random, SoftMargin(), 0.2, unbeaten=True),
    Move("minimal", _fmn, Margin(), 0.12, unbeaten=True),
    Move("square", _square, Margin(), 0.14),
)
"""In the order in which they are made: the strongest first, for who is lost altogether costs no more."""


def elsewhere(keypoints: Tensor, asked: Tensor, radius: Tensor) -> Tensor:
    """Return a wrong place (N, K, 2) for each keypoint: where the nearest other one of the same person is.

    In input pixels. It lies beyond the radius (N, K) by half of it at least, so that who gets there is lost. Where
    a person has no such keypoint it is two radii to the right. A net sees something there already, so the way is
    short, and whoever else is in the batch does not matter.
    """
    n, k = asked.shape
    apart = torch.cdist(keypoints, keypoints)  # (N, K, K)
    fits = asked[:, None, :] & (apart > 1.5 * radius[:, :, None])
    nearest = torch.where(fits, apart, torch.inf).argmin(dim=2)
    chosen = keypoints.gather(1, nearest[..., None].expand(n, k, 2))
    right = torch.stack([2 * radius, torch.zeros_like(radius)], dim=-1)
    return torch.where(fits.any(dim=2)[..., None], chosen, keypoints + right)


def autopose(*, targeted: bool, steps: int | None = None) -> Autopose:
    """Make autopose: 500 gradients a person at most, unless `steps` says otherwise."""
    return Autopose() if steps is None else Autopose(gradients=steps)
