"""Margins as objectives: how close each keypoint is to being wrong."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustpose.attack_types import Loss, LossOfParts
from robustpose.errors import RobustPoseError
from robustpose.models.heads.margins import distances
from robustpose.objectives.aim import Aim, counting
from robustpose.types import Head, MarginHead, PoseModel


@dataclass(frozen=True)
class Margin:
    """How close each keypoint is to being wrong: -1 at the truth, 0 at the metric's radius, positive beyond.

    Heatmaps        the highest cell outside the radius minus the highest cell inside, in units of the target's
                    peak
    with offsets    the same; a cell is inside where the keypoint that it predicts is inside
    Coordinates     the distance in radii, minus 1
    Classes (x, y)  as for a heatmap whose cells are pairs of bins with the sum of their logits, in units of the
                    training target's margin

    In a targeted attack the sign is reversed: 0 is where the keypoint enters the target's radius. Keypoints that
    the metric does not count (pelvis, thorax) are ignored.

    enough  margins are clipped here, so that no gradient is spent on lost keypoints; above 0, so that neither
            8-bit rounding nor steps for other keypoints make a lost keypoint correct again
    """

    version: ClassVar[int] = 1
    needs_radius: ClassVar[bool] = True
    phrase: ClassVar[str] = "the margin of the keypoints that are not lost yet"

    enough: float = 0.1

    @staticmethod
    def serves(head: Head) -> bool:
        """Say whether a model with this head has margins."""
        return isinstance(head, MarginHead)

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> LossOfParts:
        """Return the mean margin of the visible keypoints; RobustPoseError for a head without margins."""
        return _of_the_last_stage(model, aim, targeted=targeted, enough=self.enough)


@dataclass(frozen=True)
class SoftMargin:
    """The margin, with a gradient for every competing location instead of the highest one only.

    Under a small budget, the location outside the radius that is highest now often cannot be raised above the true
    one. Here the maximum has the gradient of a log-sum-exp: the weight of a location falls by a factor e for each
    `softness` that it is below the highest. The value remains the margin. For coordinates, where no locations
    compete, this is Margin.

    softness  in units of the target's peak
    enough    as in Margin, but smaller, to spend more gradient on the keypoints that are not lost
    """

    version: ClassVar[int] = 1
    needs_radius: ClassVar[bool] = True
    phrase: ClassVar[str] = "the margin of the keypoints that are not lost yet, over all competing locations"

    softness: float = 0.05
    enough: float = 0.02

    def __post_init__(self) -> None:
        if not (math.isfinite(self.softness) and self.softness > 0):
            raise RobustPoseError(f"soft_margin: softness must be > 0, got {self.softness}; for 0 use margin")

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> LossOfParts:
        """Return the mean margin of the visible keypoints; RobustPoseError for a head without margins."""
        if isinstance(model.head, MarginHead) and not model.head.places_compete:
            return Margin().bind(model, aim, targeted=targeted)
        return _of_the_last_stage(model, aim, targeted=targeted, enough=self.enough, softness=self.softness)


@dataclass(frozen=True)
class Keypoints:
    """The margin of the decoded keypoints: their distance in radii, minus 1.

    It works for every model, and for every attack without gradients. Keypoints decoded by argmax have no gradient.

    enough  as in Margin
    """

    version: ClassVar[int] = 1
    needs_radius: ClassVar[bool] = True
    phrase: ClassVar[str] = "the distance of the decoded keypoints that are not lost yet"

    enough: float = 0.1

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> LossOfParts:
        """Return the mean margin of the visible keypoints."""
        known = counting(model, aim)
        return MeanMargin(
            of=lambda adv, rows: distances(model(adv).keypoints, known.keypoints[rows], known.radius[rows]),
            counted=known.visible,
            enough=self.enough,
            sign=-1.0 if targeted else 1.0,
        )


@dataclass(frozen=True)
class MeanMargin:
    """The mean over a person's counted keypoints of the margins `of`, each clipped at `enough`.

    It is both a LossOfParts and a CappedLoss.
    """

    of: Loss
    counted: Tensor
    enough: float
    sign: float

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the mean (M,); 0 for people without a counted keypoint."""
        margin = self.parts(adv, rows).clamp(max=self.enough)
        return margin.sum(dim=1) / self.counted[rows].sum(dim=1).clamp(min=1)

    @property
    def cap(self) -> Tensor:
        """The largest value (N,): `enough`, or 0 for people without a counted keypoint."""
        most = torch.where(self.counted, self.enough, 0.0)
        return most.sum(dim=1) / self.counted.sum(dim=1).clamp(min=1)

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the margins (M, K), 0 where a keypoint does not count."""
        return torch.where(self.counted[rows], self.sign * self.of(adv, rows), 0.0)


def _of_the_last_stage(
    model: PoseModel, aim: Aim, *, targeted: bool, enough: float, softness: float = 0.0
) -> MeanMargin:
    if not isinstance(model.head, MarginHead):
        raise RobustPoseError(
            f"margins need a head with heatmaps, coordinates or classes, got {type(model.head).__name__}; "
            "use training_loss, or keypoints for an attack without gradients"
        )
    known = counting(model, aim)
    margins = model.head.margins(known.keypoints, known.radius, softness=softness)
    return MeanMargin(
        of=lambda adv, rows: margins(model(adv).stages[-1], rows),
        counted=known.visible,
        enough=enough,
        sign=-1.0 if targeted else 1.0,
    )
