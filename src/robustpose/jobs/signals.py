"""What a model's output says beside its keypoints: what a detector of attacks could look at.

score       (N, K) the head's own confidence; of heatmaps the highest cell
divergence  (N, K) of heatmap models: Kullback-Leibler divergence, in nats, of the map (negative cells 0, sum 1)
            from the Gaussian that the head would draw at the keypoint found; the paper studied reports that it
            hardly changes under attack. NaN where the map has no positive cell. Of models that draw bones too,
            that of the keypoints' own maps, from which they are read.

Beside them, of what an attack found and the model does not say:

smallest    (N, K) of minimum-norm attacks: see types.MinimumNorms
beaten      (N, K) of ensembles: 1 where any image of the person, not only the worst, took the keypoint
motion      (N, 4) of spatial attacks: how each person was moved
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
    """Read the signals (N, K) of an output."""
    signals = {"score": _array(output.scores)}
    if isinstance(model.head, SignallingHead):
        more = model.head.signals(output.stages[-1], output.keypoints)
        signals |= {name: _array(values) for name, values in more.items()}
    return signals


def found_by(attacked: Attacked) -> dict[str, Floats]:
    """Return what an attack found beside its images."""
    found = {
        MINIMUM_NORM: attacked.minimum_norm,
        BEATEN: attacked.beaten,
        MOTION: None if attacked.moved is None else attacked.moved.motions,
    }
    return {name: _array(values) for name, values in found.items() if values is not None}


def _array(values: Tensor) -> Floats:
    array: Floats = np.asarray(values.detach().cpu().double().numpy())
    return array
