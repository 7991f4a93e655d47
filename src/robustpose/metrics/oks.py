"""Object keypoint similarity: COCO's measure of how near a predicted pose is to the true one, from 0 to 1.

Lin et al. 2014, "Microsoft COCO: Common Objects in Context", arXiv 1405.0312; Ronchi and Perona 2017,
"Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", arXiv 1707.05388. As in pycocotools:

    OKS = mean over the labelled keypoints i of exp(-d_i^2 / (2 * s^2 * k_i^2)),   k_i = 2 * sigma_i

d_i is the distance between prediction and truth, s^2 the area of the annotation: COCO's field `area`, which is
that of the person's segmentation and not of the box. The sigmas are COCO's constants, a tenth of .26 nose, .25
eyes, .35 ears, .79 shoulders, .72 elbows, .62 wrists, 1.07 hips, .87 knees and .89 ankles: skeletons.COCO_17.

For people without a labelled keypoint the official code measures how far a prediction lies outside of twice their
box, so that such predictions are ignored instead of being wrong. Here nobody is asked to find such people: NaN.
"""

import numpy as np

from robustpose.metrics.table import Bools, Floats
from robustpose.skeletons import COCO_17, Skeleton


def sigmas_of(skeleton: Skeleton) -> Floats:
    """Return each keypoint's constant (K,): the skeleton's own, else COCO's by name, NaN where it has none."""
    named = dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))
    return np.array(skeleton.sigmas or [named.get(name, np.nan) for name in skeleton.keypoints])


def oks(predicted: Floats, truth: Floats, visible: Bools, *, area: Floats, sigmas: Floats) -> Floats:
    """Return the similarity (N,) of poses (N, K, 2) to the truth, over the keypoints labelled `visible` (N, K).

    area (N,) in the square of the points' unit, sigmas (K,). A broken prediction (NaN or infinite) is as far as
    can be. NaN for people without a labelled keypoint or an area; a keypoint without a sigma does not count.
    """
    counts = visible & np.isfinite(sigmas)
    with np.errstate(invalid="ignore", over="ignore"):
        squares = ((predicted - truth) ** 2).sum(axis=2)
    squares = np.where(np.isnan(squares), np.inf, squares)
    # the area cannot be 0 in the official code either
    exponents = squares / (2 * sigmas) ** 2 / (area + np.spacing(1))[:, None] / 2
    similar = np.where(counts, np.exp(-exponents), 0.0)
    with np.errstate(invalid="ignore"):
        mean: Floats = similar.sum(axis=1) / counts.sum(axis=1)
    return np.where(np.isfinite(area), mean, np.nan)
