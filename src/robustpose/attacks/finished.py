"""People on whom an attack has nothing left to gain are left out of its passes.

A saturating loss (types.CappedLoss) says how high it can go for each person. Once a picture of a person got there,
no other picture of that person can do better, and at that picture the gradient is 0. An attack that returns the
best picture, or walks from picture to picture and stands still where the gradient is 0, ends with what it would
have ended with; such an attack says so (types.Attack: `settles`). One that shrinks a perturbation after it
succeeded does not, and is given every pass.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from robustpose.types import Loss

_NEAR = 1e-6
"""Rounding of a mean over keypoints."""


@dataclass
class Unfinished:
    """A loss that runs the net only for people of whom no picture has reached their `cap` (N,).

    The others' pictures have the loss -inf, so that none of them replaces the one that got there, and the
    gradient 0.
    """

    loss: Loss
    cap: Tensor
    finished: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.finished = torch.zeros_like(self.cap, dtype=torch.bool)

    def __call__(self, adv: Tensor, rows: Tensor) -> Tensor:
        """Return the losses (M,) of images (M, 3, H, W) of the people `rows`."""
        alive = ~self.finished[rows]
        if bool(alive.all()):
            losses = self.loss(adv, rows)
        elif bool(alive.any()):
            # The pictures of the finished stay in the graph, with nothing that depends on them.
            losses = adv.new_full((len(rows),), -torch.inf).masked_scatter(
                alive, self.loss(adv[alive], rows[alive])
            )
        else:
            return adv.flatten(1).sum(dim=1) * 0 - torch.inf
        there = losses.detach() >= self.cap[rows] - _NEAR
        self.finished[rows[there]] = True
        return losses
