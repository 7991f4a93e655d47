"""Alarms: signs that an attack failed, so that what it left is no robustness; docs/alarms.md explains each.

After the flags of AutoAttack (Croce, Hein 2020, arXiv 2003.01690) and "Indicators of Attack Failure" (Pintor et
al. 2022, arXiv 2106.09947), for models that find keypoints.
"""

from robustpose.alarms.alarm import Alarm
from robustpose.alarms.comparing import black_box_beats, more_hurts_less
from robustpose.alarms.probing import probe

ALARMS: dict[str, str] = {
    "zero-gradient": "the objective's gradient is 0 where the objective is not at its highest",
    "cut-gradient": "the model's output moves with the picture, but no gradient says so",
    "randomness": "the same picture twice gives two answers",
    "batch-dependence": "a person's answer depends on who else is in the batch",
    "loss-without-score": "the attack raises its objective and no keypoint is lost",
    "more-hurts-less": "a larger budget, or more steps, leaves more of the score",
    "black-box-beats": "an attack without gradients leaves less than one with them",
}

__all__ = ["ALARMS", "Alarm", "black_box_beats", "more_hurts_less", "probe"]
