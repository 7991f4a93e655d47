"""Percentage of correct keypoints: a keypoint is correct when it lies within a share of a unit length.

PCKh@0.5   unit = head size, MPII's rule: 0.6 x the head box's diagonal (Andriluka et al. 2014); pelvis and thorax
           are left out; left and right of a joint are averaged; the total pools all labelled keypoints, which is
           the official tool's mean weighted by each joint's number of labels
PCK@0.1    unit = the longer side of the person's box; for nets and data sets that share only some keypoints, or
           that have no head size
The threshold's edge is correct (distance <= threshold x unit), as in the official tools.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustpose.metrics.table import Floats, Table
from robustpose.skeletons import Skeleton

ALL = "all"


@dataclass(frozen=True)
class Pck:
    """PCK at `threshold` x unit, against the truth or against a targeted attack's target pose."""

    unit: Literal["head_size", "box_side"]
    threshold: float
    against: Literal["truth", "target"] = "truth"

    @property
    def name(self) -> str:
        """The field's name for it: PCKh@0.5, target PCKh@0.5, PCK@0.1."""
        base = f"{'PCKh' if self.unit == 'head_size' else 'PCK'}@{self.threshold:g}"
        return base if self.against == "truth" else f"target {base}"

    def hits(self, table: Table) -> Floats:
        """Say of each keypoint (N, K) whether it is correct: 1 or 0, NaN where it does not count.

        ValueError where the table has no target poses to be held against.
        """
        truth, visible = table.keypoints, table.visible
        if self.against == "target":
            if table.target is None or table.target_visible is None:
                raise ValueError(f"{self.name} needs the targets of a targeted attack; the table has none")
            truth, visible = table.target, table.target_visible
        unit = table.head_size if self.unit == "head_size" else table.box_side
        distance = np.linalg.norm(table.predicted - truth, axis=2)
        counts = visible & np.asarray(table.skeleton.counted) & np.isfinite(unit)[:, None]
        # A broken prediction (NaN or infinite) is wrong, not missing: the comparison is then False.
        return np.where(counts, (distance <= self.threshold * unit[:, None]).astype(float), np.nan)


def totals(hits: Floats) -> tuple[Floats, Floats]:
    """Count per keypoint: correct (K,) and labelled (K,)."""
    return np.nansum(hits, axis=0), np.isfinite(hits).sum(axis=0).astype(float)


def percentages(correct: Floats, labelled: Floats, skeleton: Skeleton) -> dict[str, Floats]:
    """Turn counts (..., K) into percent (...) for 'all' and for each body part, left and right averaged.

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
