"""The aim of an attack: a pose to move away from or towards, and the radius within which keypoints are correct."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.metrics import PCK, PCKH
from robustpose.metrics.table import Floats
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseModel


@dataclass(frozen=True)
class Aim:
    """The pose that an untargeted attack moves away from and a targeted one moves towards.

    keypoints  (N, K, 2) input pixels
    visible    (N, K) bool: the keypoints that count
    radius     (N, K) input pixels, within which a keypoint is correct; (N,) is one radius per person
    """

    keypoints: Tensor
    visible: Tensor
    radius: Tensor

    def __post_init__(self) -> None:
        if self.radius.ndim == 1:
            object.__setattr__(self, "radius", self.radius[:, None].expand(self.visible.shape))


class Objective(Protocol):
    """Makes the loss of a batch from a model and an aim."""

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        """Return the loss to raise: away from the aim, or towards it when targeted."""
        ...


class ListedObjective(Objective, Protocol):
    """An objective of OBJECTIVES, with its facts."""

    @property
    def version(self) -> int:
        """Raised when it computes another loss; part of the keys of stored results."""
        ...

    @property
    def phrase(self) -> str:
        """Its description for users: 'the model's own training loss'."""
        ...

    @property
    def needs_radius(self) -> bool:
        """Whether its loss depends on the metric's radius and has a value per keypoint."""
        ...


class HasRadius(Protocol):
    """What knows the distance within which a keypoint is correct: a metric such as metrics.Pck."""

    def radius(
        self,
        skeleton: Skeleton,
        *,
        head_size: Floats,
        box_side: Floats,
        area: Floats | None,
        crops: Floats | None,
    ) -> Floats:
        """Return the distance (N, K) in input pixels; NaN where it is unknown. See metrics.Pck.radius."""
        ...


def correct_radius(batch: Batch, metric: HasRadius | None = None) -> Tensor:
    """Return the distance (N, K) within which a metric counts a keypoint as correct; NaN where it is unknown.

    The default is the radius of PCKh@0.5 where everyone has a head size, else of PCK@0.1.
    """
    chosen: HasRadius = metric or (PCKH if bool(torch.isfinite(batch.head_size).all()) else PCK)
    radius = chosen.radius(
        batch.skeleton,
        head_size=batch.head_size.cpu().double().numpy(),
        box_side=batch.box_side.cpu().double().numpy(),
        area=None if batch.area is None else batch.area.cpu().double().numpy(),
        crops=batch.crops.cpu().double().numpy(),
    )
    return torch.from_numpy(radius).to(batch.head_size)


def counting(model: PoseModel, aim: Aim) -> Aim:
    """Return the aim with only the counted keypoints visible, and without NaN.

    Keypoints that do not count may be NaN, and 0 x NaN would be NaN in the backward pass.
    """
    scored = torch.tensor(model.skeleton.counted, device=aim.visible.device)
    counted = aim.visible & scored & torch.isfinite(aim.radius)
    return Aim(torch.where(counted[..., None], aim.keypoints, 0.0), counted, torch.nan_to_num(aim.radius, 1.0))
