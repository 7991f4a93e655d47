"""What a net's output says beside its keypoints: what a detector of attacks could look at.

score       (N, K) the head's own confidence; of heatmaps the highest cell
divergence  (N, K) of heatmap nets: Kullback-Leibler divergence, in nats, of the map (negative cells 0, sum 1) from
            the Gaussian that the head would draw at the keypoint found; the paper studied reports that it hardly
            changes under attack. NaN where the map has no positive cell. Of nets that draw bones too, that of the
            keypoints' own maps, from which they are read.
smallest    (N, K) of attacks of least size, which is no signal of the net: see types.Searched
"""

import numpy as np
import torch
from torch import Tensor

from robustpose.jobs.results import Floats
from robustpose.models.architectures.dlcm import PartsHead
from robustpose.models.heads import HeatmapHead
from robustpose.types import PoseModel, PoseOutput

BEATEN = "beaten"
"""Name of what is stored beside the signals of an ensemble's worst pictures, (N, K): 1 where any picture of the
person, not only the worst, gave the attacker the keypoint."""
MOTION = "motion"
"""Name of what is stored beside the signals of a spatial attack, (N, 4): how each person was moved."""
_SMALLEST = 1e-12


def signals_of(net: PoseModel, output: PoseOutput, *, smallest: Tensor | None = None) -> dict[str, Floats]:
    """Read the signals (N, K) of an output; `smallest` is what an attack of least size found."""
    signals = {"score": _array(output.scores)}
    if smallest is not None:
        signals["smallest"] = _array(smallest)
    if isinstance(net.head, HeatmapHead):
        signals["divergence"] = _array(divergence(net.head, output.stages[-1], output.keypoints))
    elif isinstance(net.head, PartsHead):
        joints = output.stages[-1][:, : net.head.keypoints]
        signals["divergence"] = _array(divergence(net.head.joints, joints, output.keypoints))
    return signals


def divergence(head: HeatmapHead, maps: Tensor, keypoints: Tensor) -> Tensor:
    """Return KL(map || Gaussian at the keypoint) (N, K) of heatmaps (N, K, h, w)."""
    positive = maps.clamp_min(0).flatten(2).double()
    ours = positive / positive.sum(dim=2, keepdim=True)
    ideal = head.encode(keypoints.double()).flatten(2)
    ideal = (ideal / ideal.sum(dim=2, keepdim=True)).clamp_min(_SMALLEST)
    terms = torch.where(ours > 0, ours * (ours.clamp_min(_SMALLEST).log() - ideal.log()), 0.0)
    return torch.where(positive.sum(dim=2) > 0, terms.sum(dim=2), float("nan"))


def _array(values: Tensor) -> Floats:
    array: Floats = np.asarray(values.detach().cpu().double().numpy())
    return array
