"""Signals in a model's output other than the keypoints, which a detector of attacks could use.

score       (N, K) the head's confidence; for heatmaps, the maximum
divergence  (N, K) for heatmap models: Kullback-Leibler divergence, in nats, of the map (negative cells 0, sum 1)
            from the Gaussian that the head would encode at the predicted keypoint; the paper reports that it
            hardly changes under attack. NaN if the map has no positive cell. For models that also predict
            bones, only the keypoint maps count, from which the keypoints are decoded.

Outputs of an attack are stored with them:

smallest    (N, K) for minimum-norm attacks: see attack_types.MinimumNorms
beaten      (N, K) for ensembles: 1 if any image of the person, not only the worst, broke the keypoint
motion      (N, 4) for spatial attacks: the motion of each person
"""

import numpy as np
from torch import Tensor

from robustpose.attacks import Attacked
from robustpose.jobs.results import Floats
from robustpose.types import PoseModel, PoseOutput, SignallingHead

BEATEN = "beaten"
MOTION = "motion"
MINIMUM_NORM = "smallest"


def signals_of(model: PoseModel, output: PoseOutput) -> dict[str, Floats]:
    """Return the signals (N, K) of an output."""
    signals = {"score": _array(output.scores)}
    if isinstance(model.head, SignallingHead):
        more = model.head.signals(output.stages[-1], output.keypoints)
        signals |= {name: _array(values) for name, values in more.items()}
    return signals


def found_by(attacked: Attacked) -> dict[str, Floats]:
    """Return the further outputs of an attack."""
    found = {
        MINIMUM_NORM: attacked.minimum_norm,
        BEATEN: attacked.beaten,
        MOTION: None if attacked.moved is None else attacked.moved.motions,
    }
    return {name: _array(values) for name, values in found.items() if values is not None}


def _array(values: Tensor) -> Floats:
    array: Floats = np.asarray(values.detach().cpu().double().numpy())
    return array
