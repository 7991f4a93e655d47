"""RayS: Chen, Gu, "RayS: A Ray Searching Method for Hard-label Adversarial Attack", KDD 2020, arXiv 2006.12792.

RayS sees only which keypoints are correct, not by how much. A perturbation is a radius times a vector of signs.
The attack flips blocks of signs: the whole image, then halves, quarters and so on. It keeps a flip if the decision
changes at a smaller radius. In the paper the decision is the class. Here it is whether one more keypoint is lost
than before; once that needs a radius of at most eps, the attack goes on to the next keypoint.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, LossOfParts, Threat
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError
from robustpose.threats import norm_of

_HALVINGS = 8
"""Queries of the binary search for a radius: to 1/256 of it."""

Count = Callable[[Tensor, Tensor], Tensor]
"""(images, people's rows) -> number of lost keypoints."""


@dataclass(frozen=True)
class RayS:
    """Search over sign vectors from decisions alone.

    steps  queries, one forward pass each; a person may exceed it by at most a dozen
    """

    steps: int = 1000

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RobustPoseError(f"rays: steps must be at least 1, got {self.steps}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return the image that lost most keypoints; RobustPoseError for a loss without parts."""
        if not isinstance(loss, LossOfParts):
            raise RobustPoseError("rays needs an objective with a value per keypoint: margin or keypoints")
        if norm_of(threat.name) != math.inf:
            raise RobustPoseError(f"rays supports linf, got {threat.name}")
        with torch.no_grad():
            return self._search(loss, images, threat.eps)

    def _search(self, loss: LossOfParts, images: Tensor, eps: float) -> Tensor:
        used = torch.zeros(len(images), dtype=torch.long, device=images.device)
        signs = torch.ones_like(images).flatten(1)

        def count(adv: Tensor, rows: Tensor) -> Tensor:
            used[rows] += 1
            return ((loss.parts(adv, rows) > 0) & loss.counted[rows]).sum(dim=1)

        def along(rows: Tensor, ways: Tensor, radius: Tensor) -> Tensor:
            moved = images[rows].flatten(1) + radius[:, None] * ways
            return moved.clamp(0.0, 1.0).reshape(-1, *images.shape[1:])

        def falls_at(rows: Tensor, ways: Tensor, radius: Tensor) -> Tensor:
            return count(along(rows, ways, radius), rows) >= wanted[rows]

        best = images
        wanted = count(images, torch.arange(len(images), device=images.device)) + 1
        radius = torch.full_like(signs[:, 0], torch.inf)
        for block in chain([slice(0, 0)], _blocks(signs.shape[1])):
            rows = ((wanted <= loss.counted.sum(dim=1)) & (used < self.steps)).nonzero().flatten()
            if len(rows) == 0:
                break
            ways = signs[rows]
            ways[:, block] *= -1
            reach = radius[rows].clamp(max=1.0)
            falls = falls_at(rows, ways, reach)
            rows, ways, reach = rows[falls], ways[falls], reach[falls]
            if len(rows) == 0:
                continue
            signs[rows] = ways
            radius[rows] = _closest(partial(falls_at, rows, ways), reach)
            inside = radius[rows] <= eps
            rows, ways = rows[inside], ways[inside]
            if len(rows):
                best = best.index_copy(0, rows, along(rows, ways, radius[rows]))
                full = along(rows, ways, torch.full_like(radius[rows], eps))
                there = count(full, rows)
                more = (there >= wanted[rows]).nonzero().flatten()
                best = best.index_copy(0, rows[more], full[more])
                wanted[rows] = torch.maximum(there, wanted[rows]) + 1
                radius[rows] = torch.inf
        return best


def _blocks(size: int) -> Iterator[slice]:
    """Yield the whole image, its halves, its quarters, ..., each value, and start again."""
    while True:
        length = size
        while True:
            for start in range(0, size, length):
                yield slice(start, start + length)
            if length == 1:
                break
            length = (length + 1) // 2


def _closest(falls: Callable[[Tensor], Tensor], reach: Tensor) -> Tensor:
    """Return the smallest radius (M,) up to `reach` at which the decision still changes, by binary search."""
    low, high = torch.zeros_like(reach), reach
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fallen = falls(middle)
        low, high = torch.where(fallen, low, middle), torch.where(fallen, middle, high)
    return high


def rays(*, targeted: bool, steps: int | None = None) -> RayS:
    """Make RayS, by default with 1000 queries."""
    return RayS() if steps is None else RayS(steps=steps)


RAYS_SPEC = AttackSpec(
    make=rays,
    cost="1000 queries",
    summary="Search over sign vectors from decisions alone: which keypoints are correct",
    needs="decisions",
    norms=(math.inf,),
    objective="keypoints",
    needs_parts=True,
)
