"""KeypointMetric: the protocol of main metrics, which are means over hits of keypoints; and shared functions.

A keypoint is a hit when it lies within a radius of the truth. Attacks use the radius, findings use the hits.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from robustpose.metrics.bootstrap import Metric, Scores, redraws
from robustpose.metrics.table import Floats, Table
from robustpose.skeletons import Skeleton
from robustpose.types import PoseDataset

ALL = "all"


@runtime_checkable
class KeypointMetric(Metric, Protocol):
    """A metric that is a mean over keypoints, so that it can be a study's main one; it redraws people."""

    @property
    def rule(self) -> str:
        """When a keypoint is correct, as a sentence: 'a keypoint is correct if ...'."""
        ...

    def lacks(self, people: PoseDataset, /) -> str:
        """Name what the metric needs of every person and the data set does not have; empty if nothing."""
        ...

    def radius(
        self,
        skeleton: Skeleton,
        /,
        *,
        head_size: Floats,
        box_side: Floats,
        area: Floats | None,
        crops: Floats | None,
    ) -> Floats:
        """Return the distance (N, K) within which a keypoint is correct, input pixels; NaN where it is unknown.

        Sizes (N,) in input pixels, area (N,) in photo pixels squared, crops (N, 2, 3) from photo to input pixels.
        """
        ...

    def hits(self, table: Table, /) -> Floats:
        """Return 1 for each correct keypoint (N, K), 0 for wrong ones, NaN where it does not count."""
        ...

    def scores(self, table: Table, /, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples: `scores_of_hits` of its hits."""
        ...

    def against_target(self) -> "KeypointMetric":
        """Return the same metric, compared with the target pose of a targeted attack."""
        ...

    def within(self, share: float, /) -> "KeypointMetric":
        """Return the same metric at `share` of the threshold, which is stricter below 1."""
        ...


def radius_of(metric: KeypointMetric, table: Table) -> Floats:
    """Return a metric's radius (N, K) for the people of a table."""
    return metric.radius(
        table.skeleton,
        head_size=table.head_size,
        box_side=table.box_side,
        area=table.area,
        crops=table.crops,
    )


def hits_within(metric: KeypointMetric, table: Table, *, targets: bool = False) -> Floats:
    """Return 1 for each keypoint (N, K) within a metric's radius, 0 for others, NaN where it does not count.

    targets  whether to compare predictions with the target poses; ValueError if the table has none
    """
    truth, visible = table.keypoints, table.visible
    if targets:
        if table.target is None or table.target_visible is None:
            raise ValueError(f"{metric.name} needs target poses; the table has none")
        truth, visible = table.target, table.target_visible
    radius, distance = radius_of(metric, table), np.linalg.norm(table.predicted - truth, axis=2)
    counts = visible & np.asarray(table.skeleton.counted) & np.isfinite(radius)
    # A prediction that is NaN or infinite is wrong, not missing: the comparison is then False.
    return np.where(counts, (distance <= radius).astype(float), np.nan)


def percent_of_hits(hits: Floats, skeleton: Skeleton) -> Mapping[str, float]:
    """Score hits (N, K), in percent: all keypoints, and each body part."""
    values = percentages(*totals(hits), skeleton)
    return {part: float(value) for part, value in values.items()}


def scores_of_hits(hits: Floats, skeleton: Skeleton, *, seed: int = 0) -> Scores:
    """Score hits (N, K) and their bootstrap samples."""
    weights = redraws(len(hits), seed=seed)
    people = _people(hits, skeleton)
    return Scores(
        values=percent_of_hits(hits, skeleton),
        draws=percentages(*weighted_totals(hits, weights), skeleton),
        people=people,
        units=people,
    )


def totals(hits: Floats) -> tuple[Floats, Floats]:
    """Count per keypoint: correct (K,) and labelled (K,)."""
    return np.nansum(hits, axis=0), np.isfinite(hits).sum(axis=0).astype(float)


def weighted_totals(hits: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Count correct and labelled keypoints (D, K) of hits (N, K), with people weighted by (D, N)."""
    known = np.isfinite(hits)
    return weights @ np.where(known, hits, 0.0), weights @ known


def percentages(correct: Floats, labelled: Floats, skeleton: Skeleton) -> dict[str, Floats]:
    """Return percentages (...) from counts (..., K) for 'all' and each body part, left and right averaged.

    NaN where nothing is labelled.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        each = 100.0 * correct / labelled
        scores = {ALL: 100.0 * correct.sum(axis=-1) / labelled.sum(axis=-1)}
        for part, rows in skeleton.groups.items():
            sides = each[..., list(rows)]
            known = np.isfinite(sides)
            scores[part] = np.where(known, sides, 0.0).sum(axis=-1) / known.sum(axis=-1)
    return scores


def _people(hits: Floats, skeleton: Skeleton) -> dict[str, int]:
    """Count the people with a counted keypoint: overall and for each body part."""
    known = np.isfinite(hits)
    parts = {part: known[:, list(rows)] for part, rows in skeleton.groups.items()}
    return {part: int(each.any(axis=1).sum()) for part, each in {ALL: known, **parts}.items()}
