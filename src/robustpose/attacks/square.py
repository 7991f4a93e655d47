"""Square: Andriushchenko, Croce, Flammarion, Hein, "Square Attack: a query-efficient black-box adversarial attack
via random search", ECCV 2020, arXiv 1912.00049.

Random search that changes one square of the perturbation at a time and keeps the change if the loss does not fall.
It needs predictions only. Here everyone in a batch gets the same squares and signs, so a person's result does not
depend on the rest of the batch. Changes without effect are kept too, because keypoints decoded by argmax move in
jumps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, Threat
from robustpose.attacks.pgd import higher
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError
from robustpose.threats import norm_of

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries, out of 10000, after which the area of the squares halves; as in the paper."""

NORMS = (math.inf, 2.0)
"""Of the Lp balls in which it knows how to draw squares."""

Propose = Callable[[Tensor, int, Generator], Tensor]
"""(current images, side of the square, generator) -> images that differ in one square."""


@dataclass(frozen=True)
class Square:
    """Random search over squares.

    steps  queries, one forward pass each
    share  of the image area that the first squares cover
    """

    steps: int = 1000
    share: float = 0.8

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RobustPoseError(f"square: steps must be at least 1, got {self.steps}")
        if not 0 < self.share <= 1:
            raise RobustPoseError(f"square: share must lie in (0, 1], got {self.share:g}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return the last accepted image; RobustPoseError for threats other than linf and l2."""
        rows = torch.arange(len(images), device=images.device)
        with torch.no_grad():
            best, propose = _begin(images, threat, generator)
            highest = loss(best, rows)
            for query in range(1, self.steps):
                tried = propose(best, self._side(query, tuple(images.shape[2:])), generator)
                losses = loss(tried, rows)
                even = (losses == highest)[:, None, None, None]
                best, highest = higher(tried, losses, torch.where(even, tried, best), highest)
        return best

    def _side(self, query: int, size: tuple[int, ...]) -> int:
        """Return the side of the square of a query."""
        done = query / self.steps * 10000
        share = self.share / 2 ** sum(done > each for each in _HALVINGS)
        return min(max(round(math.sqrt(share * size[0] * size[1])), 1), *size)


def _begin(images: Tensor, threat: Threat, generator: Generator) -> tuple[Tensor, Propose]:
    """Return the first images, and the function that proposes changes."""
    channels, height, width = images.shape[1:]
    if norm_of(threat.name) == math.inf:
        stripes = _signs((1, channels, 1, width), images, generator)
        return threat.project(images, images + threat.eps * stripes), _flat_squares(images, threat)
    if norm_of(threat.name) == 2:
        side = max(min(height, width) // 5, 1)
        tiles = torch.zeros_like(images[:1])
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                wave = _wave(side, images, generator) * _signs((1, channels, 1, 1), images, generator)
                tiles[:, :, top : top + side, left : left + side] = wave
        start = images + threat.eps * threat.step(tiles.expand_as(images), images)
        return threat.project(images, start), _moved_squares(images, threat)
    raise RobustPoseError(f"square supports linf and l2, got {threat.name}")


def _flat_squares(images: Tensor, threat: Threat) -> Propose:
    """Propose for linf: inside the square each channel changes by +eps or -eps, constant over the square."""

    def propose(adv: Tensor, side: int, generator: Generator) -> Tensor:
        inside = _square(images, side, generator)
        sign = _signs((1, images.shape[1], 1, 1), images, generator)
        return torch.where(inside, threat.project(images, images + threat.eps * sign), adv)

    return propose


def _moved_squares(images: Tensor, threat: Threat) -> Propose:
    """Propose for l2: move the change of one square, and any unused budget, into another square as a wave."""

    def propose(adv: Tensor, side: int, generator: Generator) -> Tensor:
        side = min(max(side, 3), *images.shape[2:])
        change = adv - images
        taker, giver = _square(images, side, generator), _square(images, side, generator)
        wave = torch.zeros_like(images[:1])
        sign = _signs((1, images.shape[1], 1, 1), images, generator)
        wave[taker.expand_as(wave)] = (_wave(side, images, generator) * sign).flatten()
        held = _lengths(torch.where(taker | giver, change, 0.0))
        left = (threat.eps**2 - change.square().sum(dim=(1, 2, 3), keepdim=True)).clamp(min=0.0)
        shape = wave + _unit(torch.where(taker, change, 0.0))
        filled = _unit(shape) * (held.square() + left / images.shape[1]).sqrt()
        moved = torch.where(taker, filled, torch.where(giver, 0.0, change))
        whole = moved.square().sum(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        return threat.project(images, images + moved * (threat.eps / whole))

    return propose


def _square(images: Tensor, side: int, generator: Generator) -> Tensor:
    """Draw a square as a mask (1, 1, H, W)."""
    height, width = images.shape[2:]
    top = int(torch.randint(height - side + 1, (1,), generator=generator))
    left = int(torch.randint(width - side + 1, (1,), generator=generator))
    inside = torch.zeros(1, 1, height, width, dtype=torch.bool, device=images.device)
    inside[:, :, top : top + side, left : left + side] = True
    return inside


def _signs(shape: tuple[int, ...], images: Tensor, generator: Generator) -> Tensor:
    return (torch.randint(2, shape, generator=generator) * 2 - 1).to(images)


def _wave(side: int, images: Tensor, generator: Generator) -> Tensor:
    """Return a wave (side, side) of L2 norm 1: a bump beside its negative, vertically or horizontally."""
    half = side // 2
    wave = torch.cat([_bump(half, side), -_bump(side - half, side)])
    if bool(torch.randint(2, (1,), generator=generator)):
        wave = wave.T
    return (wave / wave.square().sum().sqrt()).to(images)


def _bump(height: int, width: int) -> Tensor:
    """Return a sum of nested rectangles around the centre; the outer ones add less."""
    rows, columns = torch.arange(height) - height // 2, torch.arange(width) - width // 2
    ring = torch.maximum(rows.abs()[:, None], columns.abs()[None, :])
    adds = 1 / torch.arange(1, max(height, width) + 1).double().square()
    return adds.flip(0).cumsum(0).flip(0)[ring]


def _lengths(change: Tensor) -> Tensor:
    """Return the L2 norm of each channel's change (N, C, 1, 1)."""
    return change.square().sum(dim=(2, 3), keepdim=True).sqrt()


def _unit(change: Tensor) -> Tensor:
    return change / _lengths(change).clamp_min(1e-12)


def square(*, targeted: bool, steps: int | None = None) -> Square:
    """Make Square, by default with 1000 queries."""
    return Square() if steps is None else Square(steps=steps)


SQUARE_SPEC = AttackSpec(
    make=square,
    cost="1000 queries",
    summary="Random search over squares of the image, from scores alone",
    needs="scores",
    norms=NORMS,
    objective="margin",
)
