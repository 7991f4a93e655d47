"""Target poses for people in photos: those of rendered people, in the same crop."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from robustpose.data import open_dataset
from robustpose.errors import RobustPoseError
from robustpose.geometry import Floats, crop_points, uncrop_points
from robustpose.skeletons import Skeleton
from robustpose.types import PoseModel

_POOL = 24
"""Rendered people whose poses are tried in a random order."""
_SIDE = 64
"""Side of their crops, in pixels: only the poses are used."""


def target_poses(
    model: PoseModel, before: Sequence[Floats], crops: Sequence[Floats], *, seed: int, radius: Sequence[float]
) -> list[Floats]:
    """Draw for each person the pose (K, 2) of a rendered person, in photo pixels of that person's crop.

    As in attacks.draw_targets, no keypoint of the clean prediction is within the radius of its target already, if
    any pose allows that. Keypoints that rendered people lack are NaN. RobustPoseError if the model has no keypoint
    in common with them.
    """
    height, width = model.input_size
    poses = _poses(model.skeleton) * (width, height) - 0.5
    if not np.isfinite(poses).any():
        raise RobustPoseError("a targeted attack on a photo needs a model with keypoints of MPII")
    drawn = []
    for person, (seen, crop, reach) in enumerate(zip(before, crops, radius, strict=True)):
        order = np.random.default_rng([seed, person]).permutation(len(poses))
        near = np.linalg.norm(poses - crop_points(seen, crop), axis=2) <= reach * crop[0, 0]
        first = min(order, key=lambda row: int(near[row].sum()))  # ties: the first in the random order
        drawn.append(uncrop_points(poses[first], crop))
    return drawn


@cache
def _poses(skeleton: Skeleton) -> Floats:
    """Return poses (N, K, 2) of rendered people as fractions of their crop, NaN where they are not known."""
    batch = open_dataset("synthpose").load(range(_POOL), input_size=(_SIDE, _SIDE)).in_skeleton(skeleton)
    known = np.where(batch.visible.numpy()[..., None], batch.keypoints.double().numpy(), np.nan)
    return (known + 0.5) / _SIDE
