"""What an attacker raises, per person. An attack sees only this number: it knows nothing of pose.

training_loss  what the model was trained on: the paper's choice; it goes on rising on keypoints that are lost
margin         the decision itself: how far each keypoint is from being wrong, and nothing once it is
soft_margin    the same, with a gradient for every place that may come to win, not for the highest alone
keypoints      the margin of the keypoints alone, for models that say nothing else
"""

from robustpose.objectives.aim import Aim, ListedObjective, Objective, correct_radius
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
    "Keypoints",
    "ListedObjective",
    "Margin",
    "MeanMargin",
    "Objective",
    "SoftMargin",
    "TrainingLoss",
    "correct_radius",
]
