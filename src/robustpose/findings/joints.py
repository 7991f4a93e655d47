"""Scores by body part, named as in the paper, and where the predictions of a joint lie.

A prediction is assigned to the first of these that lies within the metric's threshold:

own      its own true joint, which is the metric's hit
twin     the same joint on the other side
another  the nearest other true joint of the same person
nowhere  if there is none

Only labelled joints that the metric counts are considered.
"""

from collections.abc import Sequence

import numpy as np

from robustpose.findings.statistics import Sample, redraws
from robustpose.metrics import ALL, KeypointMetric, Table
from robustpose.metrics.hits import percentages, radius_of, totals, weighted_totals
from robustpose.metrics.table import Bools, Floats

PAPER_ORDER = ("ankle", "knee", "hip", "neck", "head", "shoulder", "elbow", "wrist")
"""The columns of the paper's table 2."""

TWIN, NOWHERE = "twin", "nowhere"

_PAPER_PARTS = {"upper_neck": "neck", "head_top": "head"}


def part_of(name: str) -> str:
    """Return the paper's name of a body part."""
    return _PAPER_PARTS.get(name, name)


def parts_of(table: Table) -> dict[str, str]:
    """Return a table's counted body parts in the paper's order: {the paper's name: the skeleton's name}."""
    counted = np.asarray(table.skeleton.counted) & table.visible.any(axis=0)
    names = {part_of(part): part for part, rows in table.skeleton.groups.items() if counted[list(rows)].any()}
    order = {part: place for place, part in enumerate(PAPER_ORDER)}
    return dict(sorted(names.items(), key=lambda item: order.get(item[0], len(order))))


def by_part(hits: Floats, table: Table, *, seed: int = 0) -> dict[str, Sample]:
    """Score hits (N, K), 1, 0 or NaN, in percent: over all joints, and each part by the paper's name.

    n counts the people for whom the part can be scored.
    """
    values = percentages(*totals(hits), table.skeleton)
    draws = percentages(*weighted_totals(hits, redraws(len(table), seed=seed)), table.skeleton)
    names = {ALL: ALL, **parts_of(table)}
    groups: dict[str, Sequence[int]] = {ALL: range(len(table.skeleton)), **table.skeleton.groups}
    scorable = np.isfinite(hits)
    return {
        name: Sample(
            np.asarray(values[part]),
            draws[part],
            n=int(scorable[:, list(groups[part])].any(axis=1).sum()),
            right=int((hits[:, list(groups[part])] == 1).any(axis=1).sum()),
        )
        for name, part in names.items()
    }


def places(table: Table, metric: KeypointMetric) -> dict[str, Floats]:
    """Return where each prediction lies: {part, twin or nowhere: (N, K)}, 1 or 0, NaN for uncounted joints.

    A joint's own part means its own place; other parts join the left and right of other joints.
    """
    own = metric.hits(table)
    radius = radius_of(metric, table)
    known = table.visible & np.asarray(table.skeleton.counted)
    apart = np.linalg.norm(table.predicted[:, :, None] - table.keypoints[:, None], axis=3)  # (N, asked, found)
    near = (apart <= radius[:, :, None]) & known[:, None, :]
    joints = np.arange(len(table.skeleton))
    twins = near[:, joints, np.asarray(table.skeleton.flip_order)]
    nearest = np.where(near, apart, np.inf).argmin(axis=2)
    elsewhere = near.any(axis=2) & ~twins & (own == 0)

    def share(there: Bools) -> Floats:
        return np.where(np.isfinite(own), there, np.nan)

    found = {}
    for name, part in parts_of(table).items():
        rows = np.asarray(table.skeleton.groups[part])
        mine = np.isin(joints, rows) & (own == 1)
        found[name] = share(mine | (elsewhere & np.isin(nearest, rows)))
    return {
        **found,
        TWIN: share(twins & (own == 0)),
        NOWHERE: share(~near.any(axis=2) & (own == 0)),
    }
