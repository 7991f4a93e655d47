"""Scores of other tasks, in percent with 95% bootstrap intervals over people.

accuracy   share of people whose class is right
mean_iou   mean over classes of intersection over union, both summed over people first: Everingham et al. 2010,
           "The Pascal Visual Object Classes (VOC) Challenge"; a class neither true nor predicted does not count
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustpose.metrics.bootstrap import Estimate, from_draws, redraws
from robustpose.metrics.table import Bools, Floats


def accuracy(correct: Bools, *, seed: int = 0) -> Estimate:
    """Score N answers, each right or wrong."""
    hits = np.asarray(correct, dtype=float)
    weights = redraws(len(hits), seed=seed)
    with np.errstate(invalid="ignore"):
        value = 100.0 * np.asarray(hits.sum()) / len(hits) if len(hits) else np.asarray(np.nan)
        draws = 100.0 * (weights @ hits) / max(1, len(hits))
    return from_draws(value, draws, len(hits))


def mean_iou(intersections: Floats, unions: Floats, *, seed: int = 0) -> Estimate:
    """Score segmentations from each person's pixels (N, C) in the intersection and the union of each class."""
    weights = redraws(len(unions), seed=seed)
    value = _mean_ratio(intersections.sum(axis=0), unions.sum(axis=0))
    draws = _mean_ratio(weights @ intersections, weights @ unions)
    return from_draws(value, draws, len(unions))


def overlaps(predicted: NDArray[Any], truth: NDArray[Any], *, classes: int) -> tuple[Floats, Floats]:
    """Count pixels of maps (N, H, W): the intersection and the union (N, C) of each class."""
    hits = [(predicted == c) & (truth == c) for c in range(classes)]
    either = [(predicted == c) | (truth == c) for c in range(classes)]
    return (
        np.stack([each.sum(axis=(1, 2)) for each in hits], axis=1).astype(float),
        np.stack([each.sum(axis=(1, 2)) for each in either], axis=1).astype(float),
    )


def _mean_ratio(intersections: Floats, unions: Floats) -> Floats:
    """Return 100 x the mean over the classes (..., C) that are there."""
    there = unions > 0
    ratios = np.where(there, intersections / np.where(there, unions, 1.0), 0.0)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.asarray(100.0 * ratios.sum(axis=-1) / there.sum(axis=-1))
    return mean
