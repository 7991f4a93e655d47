"""The training loss as an objective."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.objectives.aim import Aim
from robustpose.types import PoseModel


@dataclass(frozen=True)
class TrainingLoss:
    """The model's own training loss, as in the paper: heatmap MSE or coordinate MSE.

    stages  'last' attacks the final stage; 'all' the sum over all supervised stages (the paper's suffix -ALL)
    """

    version: ClassVar[int] = 1
    needs_radius: ClassVar[bool] = False

    stages: Literal["last", "all"] = "last"

    @property
    def phrase(self) -> str:
        """Its description for users."""
        return "the model’s own training loss" + (" summed over all stages" if self.stages == "all" else "")

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        """Return the training loss against the truth, or its negative against the target pose."""
        target = model.head.encode(aim.keypoints)
        sign = -1.0 if targeted else 1.0

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            stages = model(adv).stages
            attacked = stages if self.stages == "all" else stages[-1:]
            losses = [model.head.loss(raw, target[rows], aim.visible[rows]) for raw in attacked]
            return sign * sum(losses[1:], start=losses[0])

        return loss
