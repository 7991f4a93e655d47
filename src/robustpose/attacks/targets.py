"""Target poses for targeted attacks, drawn as in the paper.

Each person's target is the true pose of another person of the data, drawn at random. No keypoint that the model
predicts for the clean image may be correct for the target, so the attack starts at a target score of 0. A pose
with less than half of the counted keypoints labelled cannot be a target.
"""

import numpy as np

from robustpose.metrics import KeypointMetric
from robustpose.metrics.hits import radius_of
from robustpose.metrics.table import Bools, Floats, Table


def draw_targets(clean: Table, pool: Table, *, metric: KeypointMetric, seed: int) -> tuple[Floats, Bools]:
    """Draw a target for each person of `clean` from the true poses of `pool`.

    Returns keypoints (N, K, 2) in input pixels and a mask (N, K) of those that the target sets. It is all False
    for a person for whom no pose of the pool qualifies; they do not count in target scores. The draw depends on
    the seed, the person's id and the prediction, not on the rest of the batch.
    """
    n, k = len(clean), len(clean.skeleton)
    keypoints, visible = np.zeros((n, k, 2)), np.zeros((n, k), bool)
    counted = np.asarray(clean.skeleton.counted)
    radius = radius_of(metric, clean)
    others, names = np.arange(len(pool)), np.asarray(pool.ids)
    for i, name in enumerate(clean.ids):
        generator = np.random.default_rng([seed, *name.encode()])
        distance = np.linalg.norm(pool.keypoints - clean.predicted[i], axis=2)  # (pool, K)
        asked = pool.visible & counted
        overlaps = (asked & (distance <= radius[i])).any(axis=1)
        enough = asked.sum(axis=1) >= counted.sum() / 2
        eligible = others[~overlaps & enough & (names != name)]
        if len(eligible):
            choice = generator.choice(eligible)
            keypoints[i], visible[i] = pool.keypoints[choice], pool.visible[choice]
    return keypoints, visible
