"""Alarms: signs that an attack failed, so that a high score is not robustness; docs/alarms.md explains each.

After the flags of AutoAttack (Croce, Hein 2020, arXiv 2003.01690) and "Indicators of Attack Failure" (Pintor et
al. 2022, arXiv 2106.09947), for keypoint models.
"""

from robustpose.alarms.checks import Alarm, black_box_beats, more_hurts_less, probe

ALARMS: dict[str, str] = {
    "zero-gradient": "the gradient of the objective is 0 although the objective is not at its maximum",
    "cut-gradient": "the model's output depends on the image, but its gradient is 0",
    "randomness": "two passes with the same image give different outputs",
    "batch-dependence": "a person's output depends on the rest of the batch",
    "loss-without-score": "the attack increases its objective, but no keypoint becomes wrong",
    "more-hurts-less": "the score is higher with a larger budget or more steps",
    "black-box-beats": "the score is lower under a gradient-free attack than under a gradient attack",
}

__all__ = ["ALARMS", "Alarm", "black_box_beats", "more_hurts_less", "probe"]
