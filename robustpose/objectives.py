"""What an attacker raises, per person. An attack sees only this number: it knows nothing of pose."""

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from robustpose.types import Loss, PoseModel


class Objective(Protocol):
    """Makes the loss of a batch out of a model and the pose to leave, or, targeted, the pose to reach."""

    def bind(self, model: PoseModel, keypoints: Tensor, visible: Tensor, /, *, targeted: bool) -> Loss:
        """Return the loss to raise: away from keypoints (N, K, 2), or towards them when targeted."""
        ...


@dataclass(frozen=True)
class TrainingLoss:
    """The net's own training loss, as in the paper studied: heatmap MSE or coordinate MSE.

    stages  'last' attacks the net's final output; 'all' the sum over all supervised stages (the suffix -ALL)
    """

    stages: Literal["last", "all"] = "last"

    def bind(self, model: PoseModel, keypoints: Tensor, visible: Tensor, /, *, targeted: bool) -> Loss:
        """Return the training loss against the truth, or minus the training loss against the target pose."""
        target = model.head.encode(keypoints)
        sign = -1.0 if targeted else 1.0

        def loss(adv: Tensor, rows: Tensor) -> Tensor:
            stages = model(adv).stages
            attacked = stages if self.stages == "all" else stages[-1:]
            losses = [model.head.loss(raw, target[rows], visible[rows]) for raw in attacked]
            return sign * sum(losses[1:], start=losses[0])

        return loss


OBJECTIVES: dict[str, Objective] = {
    "training_loss": TrainingLoss("last"),
    "training_loss_all": TrainingLoss("all"),
}
