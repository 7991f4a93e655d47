"""Alarms: signs that an attack failed, so that a high score is not robustness; docs/alarms.md explains each.

After the flags of AutoAttack (Croce, Hein 2020, arXiv 2003.01690) and "Indicators of Attack Failure" (Pintor et
al. 2022, arXiv 2106.09947), for keypoint models.
"""

from robustpose.alarms.checks import Alarm, black_box_beats, more_hurts_less, probe
from robustpose.alarms.useless import is_far_below, mean_pose, nothing_moved, useless

ALARMS: dict[str, str] = {
    "no-keypoint-right": "no keypoint is right on the clean images",
    "chance-level": "the clean score is not better than that of predicting the mean pose of the data",
    "below-spec": "the clean score is far below the one that the model spec states",
    "nothing-moved": "the attack changed no prediction of anybody",
    "no-target": "no person has a target pose, so a targeted attack attacked nobody",
    "zero-gradient": "the gradient of the objective is 0 although the objective is not at its maximum",
    "cut-gradient": "the model's output depends on the image, but its gradient is 0",
    "randomness": "two passes with the same image give different outputs",
    "batch-dependence": "a person's output depends on the rest of the batch",
    "loss-without-score": "the attack increases its objective, but no keypoint becomes wrong",
    "more-hurts-less": "the score is higher with a larger budget or more steps",
    "black-box-beats": "the score is lower under a gradient-free attack than under a gradient attack",
}

__all__ = [
    "ALARMS",
    "Alarm",
    "black_box_beats",
    "is_far_below",
    "mean_pose",
    "more_hurts_less",
    "nothing_moved",
    "probe",
    "useless",
]
