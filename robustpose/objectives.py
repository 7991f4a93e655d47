"""What an attacker raises, per person. An attack sees only this number: it knows nothing of pose.

training_loss  what the net was trained on: the paper's choice; it goes on rising on keypoints that are lost
margin         the decision itself: how far each keypoint is from being wrong, and nothing once it is
keypoints      the same of the keypoints alone, for nets that say nothing else
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.metrics import METRICS, Pck
from robustpose.models.architectures.dlcm import PartsHead
from robustpose.models.heads import CoordinateHead, HeatmapHead, SimCCHead
from robustpose.models.offset_heads import CentreHead, OffsetHead
from robustpose.types import Batch, Head, Loss, LossOfParts, PoseModel


@dataclass(frozen=True)
class Aim:
    """The pose that an attack leaves, or, targeted, wants the net to see.

    keypoints  (N, K, 2) input pixels
    visible    (N, K) bool: the keypoints that are asked for
    radius     (N, K) input pixels: a keypoint is correct within it; (N,) is the same for all of a person's
    """

    keypoints: Tensor
    visible: Tensor
    radius: Tensor

    def __post_init__(self) -> None:
        if self.radius.ndim == 1:
            object.__setattr__(self, "radius", self.radius[:, None].expand(self.visible.shape))


class Objective(Protocol):
    """Makes the loss of a batch out of a model and an aim."""

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        """Return the loss to raise: away from the aim, or towards it when targeted."""
        ...


@dataclass(frozen=True)
class TrainingLoss:
    """The net's own training loss, as in the paper studied: heatmap MSE or coordinate MSE.

    stages  'last' attacks the net's final output; 'all' the sum over all supervised stages (the suffix -ALL)
    """

    stages: Literal["last", "all"] = "last"

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        """Return the training loss against the truth, or minus the training loss against the target pose."""
        target = model.head.encode(aim.keypoints)
        sign = -1.0 if targeted else 1.0

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            stages = model(adv).stages
            attacked = stages if self.stages == "all" else stages[-1:]
            losses = [model.head.loss(raw, target[rows], aim.visible[rows]) for raw in attacked]
            return sign * sum(losses[1:], start=losses[0])

        return loss


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

    enough: float = 0.1

    @staticmethod
    def serves(head: Head) -> bool:
        """Say whether a net with this head has margins."""
        return isinstance(head, HeatmapHead | PartsHead | CoordinateHead | OffsetHead | CentreHead | SimCCHead)

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> LossOfParts:
        """Return the mean margin of the visible keypoints; RobustPoseError for a head that has none."""
        known = _counting(model, aim)
        margins = _margins(model.head, known)
        return MeanMargin(
            of=lambda adv, rows: margins(model(adv).stages[-1], rows),
            counted=known.visible,
            enough=self.enough,
            sign=-1.0 if targeted else 1.0,
        )


@dataclass(frozen=True)
class Keypoints:
    """The margin of the keypoints that a net answers with: their distance in radii, less 1.

    It asks for nothing else, so it serves every net, also one that can only be called; and every attack that takes
    no gradients. Where keypoints are read off a map by its highest cell no gradient comes through.

    enough  as of Margin
    """

    enough: float = 0.1

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> LossOfParts:
        """Return the mean margin of the visible keypoints."""
        known = _counting(model, aim)
        return MeanMargin(
            of=lambda adv, rows: _distance_margins(model(adv).keypoints, known, rows),
            counted=known.visible,
            enough=self.enough,
            sign=-1.0 if targeted else 1.0,
        )


@dataclass(frozen=True)
class MeanMargin:
    """The mean over a person's counted keypoints of what `of` says, up to `enough` each.

    It is both a types.LossOfParts and a types.CappedLoss.
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


def correct_radius(batch: Batch, metric: Pck | None = None) -> Tensor:
    """Return the distance (N, K) within which a metric takes a keypoint for correct; NaN where it is unknown.

    By default that of PCKh@0.5 where everyone has a head size, else that of PCK@0.1.
    """
    chosen = metric or METRICS["pckh" if bool(torch.isfinite(batch.head_size).all()) else "pck"]
    radius = chosen.radius(
        batch.skeleton,
        head_size=batch.head_size.double().cpu().numpy(),
        box_side=batch.box_side.double().cpu().numpy(),
        area=None if batch.area is None else batch.area.double().cpu().numpy(),
        crops=batch.crops.double().cpu().numpy(),
    )
    return torch.from_numpy(radius).to(batch.head_size)


OBJECTIVES: dict[str, Objective] = {
    "training_loss": TrainingLoss("last"),
    "training_loss_all": TrainingLoss("all"),
    "margin": Margin(),
    "keypoints": Keypoints(),
}


ASK_FOR_A_RADIUS = frozenset({"margin", "keypoints"})
"""Objectives whose loss depends on what the metric takes for correct; they tell of each keypoint whether it is."""


def _counting(model: PoseModel, aim: Aim) -> Aim:
    """Return an aim of which only what the score counts is visible, without a NaN.

    What does not count may be NaN, and a NaN that is multiplied by 0 on the way back is still NaN.
    """
    scored = torch.tensor(model.skeleton.counted, device=aim.visible.device)
    counted = aim.visible & scored & torch.isfinite(aim.radius)
    return Aim(torch.where(counted[..., None], aim.keypoints, 0.0), counted, torch.nan_to_num(aim.radius, 1.0))


def _margins(head: Head, aim: Aim) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what turns a raw stage and its rows into margins (N, K): above 0 where the keypoint is wrong."""
    if isinstance(head, PartsHead):
        joints = _heatmap_margins(head.joints, aim)
        return lambda raw, rows: joints(raw[:, : head.keypoints], rows)
    if isinstance(head, HeatmapHead):
        return _heatmap_margins(head, aim)
    if isinstance(head, CoordinateHead):
        return _coordinate_margins(head, aim)
    if isinstance(head, OffsetHead | CentreHead):
        return _offset_margins(head, aim)
    if isinstance(head, SimCCHead):
        return _class_margins(head, aim)
    raise RobustPoseError(
        f"objective 'margin' needs heatmaps, coordinates or classes, this net has a {type(head).__name__}; "
        "use training_loss, or keypoints for an attack without gradients"
    )


def _heatmap_margins(head: HeatmapHead, aim: Aim) -> Callable[[Tensor, Tensor], Tensor]:
    h, w = head.heatmap_size
    row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cells = torch.stack([column, row], dim=-1).to(aim.keypoints)
    centres = head.place(cells)
    distance = torch.linalg.vector_norm(centres - aim.keypoints[:, :, None, None], dim=-1)  # (N, K, h, w)
    inside = distance <= aim.radius[:, :, None, None]
    step = float(torch.linalg.vector_norm(head.place(torch.ones(2)) - head.place(torch.zeros(2))))
    far = distance.flatten(2).amin(dim=2) > aim.radius + step
    open_ = inside.flatten(2).any(dim=2) & ~inside.flatten(2).all(dim=2)
    given = _given(inside.flatten(2).any(dim=2), far)

    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        within = raw.masked_fill(~inside[rows], -torch.inf).amax(dim=(2, 3))
        beyond = raw.masked_fill(inside[rows], -torch.inf).amax(dim=(2, 3))
        return torch.where(open_[rows], (beyond - within) / head.peak, given[rows])

    return margins


def _given(inside: Tensor, far: Tensor) -> Tensor:
    """Return the margins of keypoints (N, K) that are decided whatever the net says.

    1 is wrong, for all cells lie `far` beyond the radius; -1 right, for all are inside. In between no cell lies
    within the radius, but what is read between two may: nothing is said, 0.
    """
    return torch.where(far, 1.0, torch.where(inside, -1.0, 0.0))


def _offset_margins(head: OffsetHead | CentreHead, aim: Aim) -> Callable[[Tensor, Tensor], Tensor]:
    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        heights = head.heights(raw)
        offset = head.places(raw).detach() - aim.keypoints[rows][:, :, None, None]
        inside = torch.linalg.vector_norm(offset, dim=-1) <= aim.radius[rows][:, :, None, None]
        # Heights are above 0, so 0 stands for no cell: where none is inside the keypoint is wrong, whatever comes.
        within, beyond = (heights.masked_fill(hidden, 0.0).amax(dim=(2, 3)) for hidden in (~inside, inside))
        return beyond - within

    return margins


def _coordinate_margins(head: CoordinateHead, aim: Aim) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda raw, rows: _distance_margins(head.decode(raw)[0], aim, rows)


def _distance_margins(found: Tensor, aim: Aim, rows: Tensor) -> Tensor:
    offset = found - aim.keypoints[rows]
    # Away from 0, where the norm has no gradient, by far less than a pixel.
    distance = (offset.square().sum(dim=-1) + 1e-12).sqrt()
    return distance / aim.radius[rows] - 1


def _class_margins(head: SimCCHead, aim: Aim) -> Callable[[Tensor, Tensor], Tensor]:
    ly, lx = head.bins
    cells = torch.arange(max(lx, ly)).to(aim.keypoints)
    centres = geometry.cells_to_pixels(
        torch.stack([cells, cells], dim=-1), heatmap_size=head.bins, input_size=head.input_size
    )
    across = (centres[:lx, 0] - aim.keypoints[..., 0:1]).abs()  # (N, K, Lx)
    along, order = (centres[:ly, 1] - aim.keypoints[..., 1:2]).abs().sort(dim=-1)  # (N, K, Ly), nearest first
    radius = aim.radius[:, :, None]
    reach = (radius.square() - across.square()).clamp(min=0).sqrt()
    # How many rows of each column lie within the radius: the first so many of the sorted.
    rows_in = torch.where(across <= radius, torch.searchsorted(along, reach, right=True), 0)  # (N, K, Lx)
    inside, beyond = rows_in > 0, rows_in < ly
    step = float(torch.linalg.vector_norm(centres[1] - centres[0]))
    far = torch.hypot(across.amin(dim=-1), along[..., 0]) > aim.radius + step
    open_ = inside.any(dim=-1) & beyond.any(dim=-1)
    given = _given(inside.any(dim=-1), far)
    # A perfect net's logits fall by this much from the keypoint to the edge of the radius.
    unit = (aim.radius * head.split).square() / (2 * head.sigma**2)

    def margins(raw: Tensor, rows: Tensor) -> Tensor:
        x, y = raw[..., :lx], raw[..., lx : lx + ly].gather(-1, order[rows])
        nearest = y.cummax(dim=-1).values  # of the first so many rows
        furthest = y.flip(-1).cummax(dim=-1).values.flip(-1)  # of the others
        within = x + nearest.gather(-1, (rows_in[rows] - 1).clamp(min=0))
        without = x + furthest.gather(-1, rows_in[rows].clamp(max=ly - 1))
        best_in = within.masked_fill(~inside[rows], -torch.inf).amax(dim=-1)
        best_out = without.masked_fill(~beyond[rows], -torch.inf).amax(dim=-1)
        return torch.where(open_[rows], (best_out - best_in) / unit[rows], given[rows])

    return margins
