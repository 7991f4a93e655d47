"""Scores of other tasks, in percent with 95% bootstrap intervals over people.

accuracy   share of people whose class is correct
mean_iou   mean over classes of intersection over union, both summed over people first: Everingham et al. 2010,
           "The Pascal Visual Object Classes (VOC) Challenge". Classes neither true nor predicted do not count
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustpose.metrics.bootstrap import Estimate, from_draws, redraws
from robustpose.metrics.table import Bools, Floats


def accuracy(correct: Bools, *, seed: int = 0) -> Estimate:
    """Score N predicted classes, each correct or not."""
    hits = np.asarray(correct, dtype=float)
    weights = redraws(len(hits), seed=seed)
    with np.errstate(invalid="ignore"):
        value = 100.0 * np.asarray(hits.sum()) / len(hits) if len(hits) else np.asarray(np.nan)
        draws = 100.0 * (weights @ hits) / max(1, len(hits))
    return from_draws(value, draws, len(hits))


def mean_iou(intersections: Floats, unions: Floats, *, seed: int = 0) -> Estimate:
    """Score segmentations from the pixel counts (N, C) of each person's intersections and unions per class."""
    weights = redraws(len(unions), seed=seed)
    value = _mean_ratio(intersections.sum(axis=0), unions.sum(axis=0))
    draws = _mean_ratio(weights @ intersections, weights @ unions)
    return from_draws(value, draws, len(unions))


def overlaps(predicted: NDArray[Any], truth: NDArray[Any], *, classes: int) -> tuple[Floats, Floats]:
    """Count the pixels of intersection and union (N, C) of each class in label maps (N, H, W)."""
    hits = [(predicted == c) & (truth == c) for c in range(classes)]
    either = [(predicted == c) | (truth == c) for c in range(classes)]
    return (
        np.stack([each.sum(axis=(1, 2)) for each in hits], axis=1).astype(float),
        np.stack([each.sum(axis=(1, 2)) for each in either], axis=1).astype(float),
    )


def _mean_ratio(intersections: Floats, unions: Floats) -> Floats:
    """Return 100 x the mean ratio over the classes (..., C) with a union."""
    there = unions > 0
    ratios = np.where(there, intersections / np.where(there, unions, 1.0), 0.0)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.asarray(100.0 * ratios.sum(axis=-1) / there.sum(axis=-1))
    return mean
