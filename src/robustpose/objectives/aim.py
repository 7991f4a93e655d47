"""What an attack is to bring about: the pose to leave or to reach, and within which distance it counts."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.metrics import PCK, PCKH, Pck
from robustpose.types import Batch, PoseModel


@dataclass(frozen=True)
class Aim:
    """The pose that an attack leaves, or, targeted, wants the model to see.

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


class ListedObjective(Objective, Protocol):
    """An objective of OBJECTIVES, with what is known of it."""

    @property
    def version(self) -> int:
        """To be raised when it computes another loss; part of the keys of stored results."""
        ...

    @property
    def phrase(self) -> str:
        """What it raises, for people: 'the model's own training loss'."""
        ...

    @property
    def needs_radius(self) -> bool:
        """Whether its loss depends on what the metric takes for correct, and says so of each keypoint."""
        ...


def correct_radius(batch: Batch, metric: Pck | None = None) -> Tensor:
    """Return the distance (N, K) within which a metric takes a keypoint for correct; NaN where it is unknown.

    By default that of PCKh@0.5 where everyone has a head size, else that of PCK@0.1.
    """
    chosen = metric or (PCKH if bool(torch.isfinite(batch.head_size).all()) else PCK)
    radius = chosen.radius(
        batch.skeleton,
        head_size=batch.head_size.double().cpu().numpy(),
        box_side=batch.box_side.double().cpu().numpy(),
        area=None if batch.area is None else batch.area.double().cpu().numpy(),
        crops=batch.crops.double().cpu().numpy(),
    )
    return torch.from_numpy(radius).to(batch.head_size)


def counting(model: PoseModel, aim: Aim) -> Aim:
    """Return an aim of which only what the score counts is visible, without a NaN.

    What does not count may be NaN, and a NaN that is multiplied by 0 on the way back is still NaN.
    """
    scored = torch.tensor(model.skeleton.counted, device=aim.visible.device)
    counted = aim.visible & scored & torch.isfinite(aim.radius)
    return Aim(torch.where(counted[..., None], aim.keypoints, 0.0), counted, torch.nan_to_num(aim.radius, 1.0))
