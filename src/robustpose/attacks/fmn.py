"""FMN: Pintor, Roli, Brendel, Biggio, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
NeurIPS 2021, arXiv 2102.12827.

Looks for the smallest perturbation instead of the worst one of a given size: the budget of each picture shrinks
while it is lost and grows while it is not. Here a loss is made of parts, the keypoints, and every picture on the
way tells of all of them, so a run gives the smallest size at which each was lost. Asked for all keypoints at once,
FMN jumps past the sizes that take one or two; so the number that must be lost rises in the course of a run from
one to all, and the budget with it: one run gives a whole curve. By itself each keypoint takes less, and a run of
its own. Steps go along the threat's steepest direction, in shares of the budget of the moment, instead of along
the gradient divided by its length: that serves every norm and needs no number for the size of the picture.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, LossOfParts, MinimumNorms, Threat
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError

_STEP = (1.0, 0.2)
"""First and last step, as a share of the budget of the moment."""
_CLIMB = 8.0
"""How far the budget can rise in a run that loses part after part, as a logarithm: 3000 times."""
_CLOSE_IN = (0.3, 0.01)
"""First and last change of the budget of a run for one part: gamma in the paper."""


@dataclass(frozen=True)
class FMN:
    """The smallest perturbations that make a model lose one, two, ... all keypoints, up to the threat's eps.

    steps  gradients of a run
    each   a run for every keypoint by itself instead of one for all: up to K times the cost, and closer for each
    """

    steps: int = 100
    each: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RobustPoseError(f"fmn: steps must be at least 1, got {self.steps}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return what `search` finds without the sizes."""
        return self.search(loss, images, threat, generator).images

    def search(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> MinimumNorms:
        """Return the picture that lost most keypoints, and the smallest size at which each was lost.

        RobustPoseError for a loss without parts.
        """
        if not isinstance(loss, LossOfParts):
            raise RobustPoseError("fmn needs an objective that says which keypoints are lost: margin or keypoints")
        record = _Record(images, loss.counted, threat)
        if not self.each:
            self._run(loss, images, threat, record, loss.counted)
        else:
            for part in range(loss.counted.shape[1]):
                goal = torch.zeros_like(loss.counted)
                goal[:, part] = loss.counted[:, part]
                self._run(loss, images, threat, record, goal)
        return MinimumNorms(images=record.images, minimum_norm=record.minimum_norm)

    def _run(self, loss: LossOfParts, images: Tensor, threat: Threat, record: "_Record", goal: Tensor) -> None:
        """Search for the smallest pictures of each person for which one, two, ... all of the goal are lost."""
        rows = (goal & (record.minimum_norm != 0)).any(dim=1).nonzero().flatten()
        if len(rows) == 0:
            return
        origin, asked = images[rows], goal[rows]
        adv, parts, free, budget = origin, asked.sum(dim=1), rows, origin.new_zeros(len(rows))
        for step in range(self.steps):
            margins, gradient = _parts_and_gradient(loss, adv, rows, asked)
            size = threat.size(origin, adv)
            record.note(adv, rows, margins, size)
            lost = ((margins > 0) & asked).sum(dim=1)
            direction = threat.step(gradient, origin)
            if step == 0:
                free, budget = lost, _first_budget(gradient, direction, margins, asked, threat)
            else:
                wanted = free + ((parts - free) * (step / self.steps)).ceil().clamp(min=1)
                pace = 1 + (_annealed(*_CLOSE_IN, step / self.steps) if self.each else _CLIMB / self.steps)
                budget = torch.where(lost >= wanted, budget / pace, budget * pace).clamp(max=threat.eps)
            share = _annealed(*_STEP, step / self.steps)
            reach = (share * budget)[:, None, None, None]
            adv = threat.project(origin, adv + reach * direction, eps=budget)
        with torch.no_grad():
            record.note(adv, rows, loss.parts(adv, rows), threat.size(origin, adv))


def _first_budget(gradient: Tensor, direction: Tensor, margins: Tensor, asked: Tensor, threat: Threat) -> Tensor:
    """Return the size at which the next part would be lost if the margins were linear."""
    slope = (gradient * direction).sum(dim=(1, 2, 3)).clamp_min(1e-12)
    missing = torch.where(asked & (margins <= 0), -margins, torch.inf).amin(dim=1)
    return (missing / slope).clamp(min=threat.eps / 256, max=threat.eps)


class _Record:
    """What all pictures on the way tell: the smallest size per part, and the picture that lost most."""

    def __init__(self, images: Tensor, counted: Tensor, threat: Threat) -> None:
        self.images, self.counted, self.eps = images, counted, threat.eps
        self.minimum_norm = torch.where(counted, torch.inf, torch.nan).to(images)
        self.rank = images.new_full((len(images),), -torch.inf)

    def note(self, adv: Tensor, rows: Tensor, margins: Tensor, size: Tensor) -> None:
        """Take in pictures (M, 3, H, W) of the people `rows` with their margins (M, K)."""
        lost = (margins > 0) & self.counted[rows]
        here = torch.where(lost, size[:, None], self.minimum_norm[rows])
        self.minimum_norm[rows] = torch.minimum(here, self.minimum_norm[rows])
        # As many as possible lost; among those the surest.
        sure = torch.where(self.counted[rows], margins.clamp(-1.0, 1.0), 0.0).mean(dim=1) / 2
        rank = lost.sum(dim=1) + sure
        better = rank > self.rank[rows]
        self.rank[rows] = torch.where(better, rank, self.rank[rows])
        kept = torch.where(better[:, None, None, None], adv, self.images[rows])
        self.images = self.images.index_copy(0, rows, kept)


def _parts_and_gradient(loss: LossOfParts, adv: Tensor, rows: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the margins (M, K), and the gradient of those that are asked for and not lost yet."""
    adv = adv.detach().requires_grad_(True)
    with torch.enable_grad():
        margins = loss.parts(adv, rows)
        total = torch.where(asked & (margins <= 0), margins, 0.0).sum()
    if not total.requires_grad:
        raise RobustPoseError(
            "no gradient reaches the images: the model or the objective cuts it (detach, argmax)"
        )
    (gradient,) = torch.autograd.grad(total, adv)
    return margins.detach(), gradient


def _annealed(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def fmn(*, targeted: bool, steps: int | None = None) -> FMN:
    """Make FMN for all keypoints together: 100 steps, unless `steps` says otherwise."""
    return FMN() if steps is None else FMN(steps=steps)


def fmn_each(*, targeted: bool, steps: int | None = None) -> FMN:
    """Make FMN for every keypoint by itself: 100 steps each, unless `steps` says otherwise."""
    return FMN(each=True) if steps is None else FMN(steps=steps, each=True)


FMN_SPEC = AttackSpec(
    make=fmn,
    summary="The smallest perturbation at which one, two, ... all keypoints are lost",
    objective="margin",
    needs_parts=True,
)
FMN_EACH_SPEC = AttackSpec(
    make=fmn_each,
    summary="FMN for every keypoint by itself: closer sizes for up to K times the cost",
    objective="margin",
    needs_parts=True,
)
