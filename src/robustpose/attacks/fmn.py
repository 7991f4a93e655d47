"""FMN: Pintor, Roli, Brendel, Biggio, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
NeurIPS 2021, arXiv 2102.12827.

FMN searches for the smallest successful perturbation: the budget of an image shrinks after a success and grows
after a failure. Differences from the paper:

- The loss has one part per keypoint, and a run records the smallest size at which each keypoint was lost.
- The number of keypoints that must be lost rises from one to all during a run. Asking for all of them at once
  would skip the sizes that break only one or two. With `each`, every keypoint gets a run of its own, which finds
  smaller sizes.
- Steps follow the threat's steepest direction, scaled by the current budget, instead of the normalised gradient.
  This works for every norm and image size.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustpose.attack_types import Loss, LossOfParts, MinimumNorms, Threat
from robustpose.attacks.spec import AttackSpec
from robustpose.errors import RobustPoseError

_STEP = (1.0, 0.2)
"""First and last step size, as a share of the current budget."""
_CLIMB = 8.0
"""Log of the largest factor by which the budget can grow in a run over all parts: about 3000 times."""
_CLOSE_IN = (0.3, 0.01)
"""First and last relative change of the budget in a run for one part: gamma in the paper."""


@dataclass(frozen=True)
class FMN:
    """The smallest perturbations under which a model loses one, two, ... all keypoints, up to the threat's eps.

    steps  gradients per run
    each   one run per keypoint instead of one for all: smaller sizes at up to K times the cost
    """

    steps: int = 100
    each: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RobustPoseError(f"fmn: steps must be at least 1, got {self.steps}")

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        """Return the images that `search` finds."""
        return self.search(loss, images, threat, generator).images

    def search(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> MinimumNorms:
        """Return the image that lost most keypoints, and the smallest size at which each keypoint was lost.

        RobustPoseError for a loss without parts.
        """
        if not isinstance(loss, LossOfParts):
            raise RobustPoseError("fmn needs an objective with a value per keypoint: margin or keypoints")
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
        """Search for the smallest perturbations that lose one, two, ... all keypoints of `goal` (N, K)."""
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
    """Return the size at which the next keypoint would be lost if the margins were linear."""
    slope = (gradient * direction).sum(dim=(1, 2, 3)).clamp_min(1e-12)
    missing = torch.where(asked & (margins <= 0), -margins, torch.inf).amin(dim=1)
    return (missing / slope).clamp(min=threat.eps / 256, max=threat.eps)


class _Record:
    """Results over all images of a search: the smallest size per keypoint, and the image that lost most."""

    def __init__(self, images: Tensor, counted: Tensor, threat: Threat) -> None:
        self.images, self.counted, self.eps = images, counted, threat.eps
        self.minimum_norm = torch.where(counted, torch.inf, torch.nan).to(images)
        self.rank = images.new_full((len(images),), -torch.inf)

    def note(self, adv: Tensor, rows: Tensor, margins: Tensor, size: Tensor) -> None:
        """Update with images (M, 3, H, W) of the people `rows`, their margins (M, K) and sizes (M,)."""
        lost = (margins > 0) & self.counted[rows]
        here = torch.where(lost, size[:, None], self.minimum_norm[rows])
        self.minimum_norm[rows] = torch.minimum(here, self.minimum_norm[rows])
        # Rank by the number of lost keypoints, then by their mean margin.
        sure = torch.where(self.counted[rows], margins.clamp(-1.0, 1.0), 0.0).mean(dim=1) / 2
        rank = lost.sum(dim=1) + sure
        better = rank > self.rank[rows]
        self.rank[rows] = torch.where(better, rank, self.rank[rows])
        kept = torch.where(better[:, None, None, None], adv, self.images[rows])
        self.images = self.images.index_copy(0, rows, kept)


def _parts_and_gradient(loss: LossOfParts, adv: Tensor, rows: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the margins (M, K), and the gradient of the sum of those that are asked for and not lost yet."""
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
    """Make FMN with one run for all keypoints, by default of 100 steps."""
    return FMN() if steps is None else FMN(steps=steps)


def fmn_each(*, targeted: bool, steps: int | None = None) -> FMN:
    """Make FMN with one run per keypoint, by default of 100 steps each."""
    return FMN(each=True) if steps is None else FMN(steps=steps, each=True)


FMN_SPEC = AttackSpec(
    make=fmn,
    cost="100 gradients",
    summary="The smallest perturbation at which one, two, ... all keypoints are lost",
    objective="margin",
    needs_parts=True,
)
FMN_EACH_SPEC = AttackSpec(
    make=fmn_each,
    cost="100 gradients per keypoint",
    summary="FMN with a run per keypoint: smaller sizes at up to K times the cost",
    objective="margin",
    needs_parts=True,
)
