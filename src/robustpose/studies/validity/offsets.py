"""Where a model's clean keypoints lie off the truth, by body part, on both sides.

A model that is trained to other labels than a data set's is off in one direction, however good it is: its hips lie
lower, or further apart. Medians, for a limb taken for another is not a matter of labels; how many keypoints are
found says that.
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
"""The ways that are medians of distances."""

_TOO_CLOSE = 0.05
"""Of the box side: left and right closer than that, as from the side, have no direction from one to the other."""


@dataclass(frozen=True)
class Offset:
    """How a model's clean keypoints of a body part lie, left and right together.

    way       'found', the score in %; and medians in % of the box side: 'error', the distance; 'down' in the
              picture; 'outward', from the other side's keypoint away
    rendered, photos  on each side, n of people
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
    """A number of the people as they are, and of each of D draws; n people."""

    value: float
    draws: Floats
    n: int

    @property
    def estimate(self) -> Estimate:
        """The number with its interval."""
        return from_draws(np.float64(self.value), self.draws, self.n)  # type: ignore[arg-type]


def offset(model: str, part: str, way: Way, *, rendered: Sampled, photos: Sampled) -> Offset:
    """Hold a model's numbers on both sides against each other; their draws must not depend on each other."""
    change = Sampled(
        rendered.value - photos.value, rendered.draws - photos.draws, min(rendered.n, photos.n)
    ).estimate
    return Offset(model, part, way, rendered=rendered.estimate, photos=photos.estimate, change=change)


def distances(table: Table, way: Way) -> Floats:
    """Measure how far off each keypoint lies (N, K), in % of the box side; NaN where it does not count."""
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
    """Return the median of distances (N, k), and of each draw with people weights (D, N) times.

    The lower one of two middles. Draws in which nobody counts are NaN.
    """
    person, column = np.nonzero(np.isfinite(distances))
    values = distances[person, column]
    order = np.argsort(values, kind="stable")
    values, person = values[order], person[order]
    everyone = np.ones((1, weights.shape[1]))
    found = [_weighted(values, each[:, person]) for each in (everyone, weights)]
    return Sampled(value=float(found[0][0]), draws=found[1], n=len(set(person.tolist())))


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Return medians (D,) of rising values (L,), each counted weights (D, L) times."""
    if len(values) == 0:
        return np.full(len(weights), np.nan)
    below = weights.cumsum(axis=1)
    middle = (2 * below < below[:, -1:]).sum(axis=1)
    return np.where(below[:, -1] > 0, values[np.minimum(middle, len(values) - 1)], np.nan)


def _outward(table: Table) -> Floats:
    """Return unit vectors (N, K, 2) from the other side's true keypoint to each; NaN where there is none."""
    partner = np.array(table.skeleton.flip_order)
    apart = table.keypoints - table.keypoints[:, partner]
    length = np.linalg.norm(apart, axis=2, keepdims=True)
    known: Bools = table.visible & table.visible[:, partner]
    far = length[..., 0] > _TOO_CLOSE * table.box_side[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((known & far)[..., None], apart / length, np.nan)
