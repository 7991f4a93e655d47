"""What a net's output says beside its keypoints: what a detector of attacks could look at.

score       (N, K) the head's own confidence; of heatmaps the highest cell
divergence  (N, K) of heatmap nets: Kullback-Leibler divergence, in nats, of the map (negative cells 0, sum 1) from
            the Gaussian that the head would draw at the keypoint found; the paper studied reports that it hardly
            changes under attack. NaN where the map has no positive cell. Of nets that draw bones too, that of the
            keypoints' own maps, from which they are read.
smallest    (N, K) of attacks of least size, which is no signal of the net: see types.Searched
"""

import numpy as np
from torch import Tensor

from robustpose.jobs.results import Floats
from robustpose.types import PoseModel, PoseOutput, SignallingHead

BEATEN = "beaten"
"""Name of what is stored beside the signals of an ensemble's worst pictures, (N, K): 1 where any picture of the
person, not only the worst, gave the attacker the keypoint."""
MOTION = "motion"
"""Name of what is stored beside the signals of a spatial attack, (N, 4): how each person was moved."""


def signals_of(net: PoseModel, output: PoseOutput, *, smallest: Tensor | None = None) -> dict[str, Floats]:
    """Read the signals (N, K) of an output; `smallest` is what an attack of least size found."""
    signals = {"score": _array(output.scores)}
    if smallest is not None:
        signals["smallest"] = _array(smallest)
    if isinstance(net.head, SignallingHead):
        more = net.head.signals(output.stages[-1], output.keypoints)
        signals |= {name: _array(values) for name, values in more.items()}
    return signals


def _array(values: Tensor) -> Floats:
    array: Floats = np.asarray(values.detach().cpu().double().numpy())
    return array
