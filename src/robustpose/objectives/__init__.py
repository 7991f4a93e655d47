"""Objectives: the loss per person that an attack raises.

training_loss      the loss that the model was trained on, at its last stage; the paper's choice. It keeps rising
                   for keypoints that are already lost
training_loss_all  the same, summed over all stages
margin             how close each keypoint is to being wrong; constant once it is wrong
soft_margin        the margin, with a gradient for every competing location instead of the highest one only
keypoints          the margin of the decoded keypoints, for models that return nothing else
"""

from robustpose.objectives.aim import Aim, HasRadius, ListedObjective, Objective, correct_radius
from robustpose.objectives.margin import Keypoints, Margin, MeanMargin, SoftMargin
from robustpose.objectives.training import TrainingLoss

OBJECTIVES: dict[str, ListedObjective] = {
    "training_loss": TrainingLoss("last"),
    "training_loss_all": TrainingLoss("all"),
    "margin": Margin(),
    "soft_margin": SoftMargin(),
    "keypoints": Keypoints(),
}

__all__ = [
    "OBJECTIVES",
    "Aim",
    "HasRadius",
    "Keypoints",
    "ListedObjective",
    "Margin",
    "MeanMargin",
    "Objective",
    "SoftMargin",
    "TrainingLoss",
    "correct_radius",
]
