"""The decision itself, as what an attacker raises: how far each keypoint is from being wrong."""

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
    """How near each keypoint is to being wrong, on one scale for heatmaps and coordinates: -1 right, 0 the edge.

    Of a heatmap: its highest cell outside the radius less its highest cell inside, in peaks of the training bump.
    Of heatmaps with offsets the same, a cell being inside where it says that the keypoint is inside.
    Of coordinates: the distance in radii, less 1. Of classes for x and y: as of the heatmap whose cells are pairs
    of bins, each the sum of its two logits, in the margin that the training target has. Targeted, the other way
    round: 0 is where the keypoint comes to lie within the target's radius. Keypoints that the score leaves out
    (pelvis, thorax) are left out.

    enough  a margin above it counts no more, so no gradient is spent on keypoints that are lost; it is above 0 so
            that rounding to 8 bits and the other keypoints' steps do not bring one back
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
        """Return the mean margin of the visible keypoints; RobustPoseError for a head that has none."""
        return _of_the_last_stage(model, aim, targeted=targeted, enough=self.enough)


@dataclass(frozen=True)
class SoftMargin:
    """The margin, with a gradient for every place that may come to win instead of the highest alone.

    Under a small budget the place outside the radius that is highest now is often not one that can be raised above
    the true one, and a step that raises it alone is lost. Here a place outside gets a share of the gradient that
    falls by e for each `softness` that it lies below the highest: the gradient of a log-sum-exp. What is compared,
    stepped by and kept is the margin as it is. On coordinates, where no places compete, it is Margin.

    softness  in peaks of the training bump
    enough    as of Margin, and less: the sooner a keypoint counts no more, the more is spent on the others
    """

    version: ClassVar[int] = 1
    needs_radius: ClassVar[bool] = True
    phrase: ClassVar[str] = "the margin of the keypoints that are not lost yet, raising all places that compete"

    softness: float = 0.05
    enough: float = 0.02

    def __post_init__(self) -> None:
        if not (math.isfinite(self.softness) and self.softness > 0):
            raise RobustPoseError(f"soft_margin: softness must be above 0, got {self.softness}; 0 is margin")

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> LossOfParts:
        """Return the mean margin of the visible keypoints; RobustPoseError for a head that has none."""
        if isinstance(model.head, MarginHead) and not model.head.places_compete:
            return Margin().bind(model, aim, targeted=targeted)
        return _of_the_last_stage(model, aim, targeted=targeted, enough=self.enough, softness=self.softness)


@dataclass(frozen=True)
class Keypoints:
    """The margin of the keypoints that a model answers with: their distance in radii, less 1.

    It asks for nothing else, so it serves every model, also one that can only be called; and every attack that
    takes no gradients. Where keypoints are read off a map by its highest cell no gradient comes through.

    enough  as of Margin
    """

    version: ClassVar[int] = 1
    needs_radius: ClassVar[bool] = True
    phrase: ClassVar[str] = "the distance of the answered keypoints that are not lost yet"

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
    """The mean over a person's counted keypoints of what `of` says, up to `enough` each.

    It is both a attack_types.LossOfParts and a types.CappedLoss.
    """

    of: Loss
    counted: Tensor
    enough: float
    sign: float

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        """Return the mean (M,); 0 for a person of whom nothing counts."""
        margin = self.parts(adv, rows).clamp(max=self.enough)
        return margin.sum(dim=1) / self.counted[rows].sum(dim=1).clamp(min=1)

    @property
    def cap(self) -> Tensor:
        """`enough` (N,); 0 for a person of whom nothing counts."""
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
            f"margins need heatmaps, coordinates or classes, this model has a {type(model.head).__name__}; "
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
