"""Offsets of a model's clean keypoints from the truth, by body part, on both sides.

A model trained with other label conventions than the data's has a consistent offset even if it is accurate: its
hips lie lower, or further apart. Medians are used because confused limbs are not a matter of labels; the share of
correct keypoints shows those.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustpose.metrics import Estimate, Table
from robustpose.metrics.bootstrap import from_draws
from robustpose.metrics.table import Bools, Floats

Way = Literal["found", "error", "down", "outward"]

FOUND: Way = "found"
WAYS: tuple[Way, ...] = ("error", "down", "outward")
"""The kinds of offset that are medians of distances."""

_TOO_CLOSE = 0.05
"""Left and right closer than this fraction of the box side, as in side views, define no outward direction."""


@dataclass(frozen=True)
class Offset:
    """An offset of a model's clean keypoints of a body part, left and right together.

    way       'found', the score in %; or a median in % of the box side: 'error', the distance; 'down' in the
              image; 'outward', away from the opposite keypoint
    rendered, photos  on each side, with n people
    change    rendered - photos
    """

    model: str
    part: str
    way: Way
    rendered: Estimate
    photos: Estimate
    change: Estimate


@dataclass(frozen=True)
class Sampled:
    """A statistic of n people and its D bootstrap draws."""

    value: float
    draws: Floats
    n: int

    @property
    def estimate(self) -> Estimate:
        """The value with its interval."""
        return from_draws(np.float64(self.value), self.draws, self.n)  # type: ignore[arg-type]


def offset(model: str, part: str, way: Way, *, rendered: Sampled, photos: Sampled) -> Offset:
    """Compare a model's statistic on both sides; the draws must be independent."""
    change = Sampled(
        rendered.value - photos.value, rendered.draws - photos.draws, min(rendered.n, photos.n)
    ).estimate
    return Offset(model, part, way, rendered=rendered.estimate, photos=photos.estimate, change=change)


def distances(table: Table, way: Way) -> Floats:
    """Return each keypoint's offset (N, K) in % of the box side; NaN where it is not counted."""
    off = (table.predicted - table.keypoints) / table.box_side[:, None, None]
    if way == "error":
        found = np.linalg.norm(off, axis=2)
    elif way == "down":
        found = off[..., 1]
    else:
        found = (off * _outward(table)).sum(axis=2)
    counts = table.visible & np.asarray(table.skeleton.counted)
    return np.where(counts, 100.0 * found, np.nan)


def medians(distances: Floats, weights: Floats) -> Sampled:
    """Return the lower median of distances (N, k), and of each draw with people weights (D, N) times.

    Draws without counted keypoints are NaN.
    """
    person, column = np.nonzero(np.isfinite(distances))
    values = distances[person, column]
    order = np.argsort(values, kind="stable")
    values, person = values[order], person[order]
    everyone = np.ones((1, weights.shape[1]))
    found = [_weighted(values, each[:, person]) for each in (everyone, weights)]
    return Sampled(value=float(found[0][0]), draws=found[1], n=len(set(person.tolist())))


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Return medians (D,) of sorted values (L,), each counted weights (D, L) times."""
    if len(values) == 0:
        return np.full(len(weights), np.nan)
    below = weights.cumsum(axis=1)
    middle = (2 * below < below[:, -1:]).sum(axis=1)
    return np.where(below[:, -1] > 0, values[np.minimum(middle, len(values) - 1)], np.nan)


def _outward(table: Table) -> Floats:
    """Return unit vectors (N, K, 2) from the opposite true keypoint to each; NaN where undefined."""
    partner = np.array(table.skeleton.flip_order)
    apart = table.keypoints - table.keypoints[:, partner]
    length = np.linalg.norm(apart, axis=2, keepdims=True)
    known: Bools = table.visible & table.visible[:, partner]
    far = length[..., 0] > _TOO_CLOSE * table.box_side[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((known & far)[..., None], apart / length, np.nan)
