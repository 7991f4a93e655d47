"""Percentage of correct keypoints: a keypoint is correct when it lies within a share of a unit length.

PCKh@0.5   unit = head size, MPII's rule: 0.6 x the head box's diagonal (Andriluka et al. 2014); pelvis and thorax
           are left out; left and right of a joint are averaged; the total pools all labelled keypoints, which is
           the official tool's mean weighted by each joint's number of labels
PCK@0.1    unit = the longer side of the person's box; for nets and data sets that share only some keypoints, or
           that have no head size
KS@0.5     within the distance at which a keypoint's own term of COCO's OKS (metrics/oks.py) is 0.5: under it
           Ronchi and Perona 2017 (arXiv 1707.05388) call a keypoint missed, or swapped; it grows with the person's
           area and with COCO's constant of the keypoint, so hips have more room than eyes
The threshold's edge is correct (distance <= threshold x unit), as in the official tools.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustpose.metrics.oks import sigmas_of
from robustpose.metrics.table import Floats, Table
from robustpose.skeletons import Skeleton

ALL = "all"

_NAMES = {"head_size": "PCKh", "box_side": "PCK", "similarity": "KS"}


@dataclass(frozen=True)
class Pck:
    """PCK at `threshold` x unit, against the truth or against a targeted attack's target pose.

    With the unit 'similarity' the threshold is a keypoint similarity, in (0, 1].
    """

    unit: Literal["head_size", "box_side", "similarity"]
    threshold: float
    against: Literal["truth", "target"] = "truth"

    @property
    def name(self) -> str:
        """The field's name for it: PCKh@0.5, target PCKh@0.5, PCK@0.1."""
        base = f"{_NAMES[self.unit]}@{self.threshold:g}"
        return base if self.against == "truth" else f"target {base}"

    def radius(
        self,
        skeleton: Skeleton,
        *,
        head_size: Floats,
        box_side: Floats,
        area: Floats | None,
        crops: Floats | None,
    ) -> Floats:
        """Return the distance (N, K) within which a keypoint is correct, input pixels; NaN where it is unknown.

        Sizes (N,) in input pixels, area (N,) in photo pixels squared, crops (N, 2, 3) from photo to input pixels.
        """
        if self.unit != "similarity":
            unit = head_size if self.unit == "head_size" else box_side
            return np.repeat(self.threshold * unit[:, None], len(skeleton), axis=1)
        if area is None or crops is None:
            return np.full((len(head_size), len(skeleton)), np.nan)
        # exp(-d^2 / (2 s^2 k^2)) = threshold, with s^2 the area as the net sees it and k = 2 sigma
        scale = np.sqrt(area * np.abs(np.linalg.det(crops[:, :, :2])))
        radius: Floats = scale[:, None] * 2 * sigmas_of(skeleton) * np.sqrt(-2 * np.log(self.threshold))
        return radius

    def radius_of(self, table: Table) -> Floats:
        """Return the radius (N, K) for the people of a table."""
        return self.radius(
            table.skeleton,
            head_size=table.head_size,
            box_side=table.box_side,
            area=table.area,
            crops=table.crops,
        )

    def hits(self, table: Table) -> Floats:
        """Say of each keypoint (N, K) whether it is correct: 1 or 0, NaN where it does not count.

        ValueError where the table has no target poses to be held against.
        """
        truth, visible = table.keypoints, table.visible
        if self.against == "target":
            if table.target is None or table.target_visible is None:
                raise ValueError(f"{self.name} needs the targets of a targeted attack; the table has none")
            truth, visible = table.target, table.target_visible
        radius = self.radius_of(table)
        distance = np.linalg.norm(table.predicted - truth, axis=2)
        counts = visible & np.asarray(table.skeleton.counted) & np.isfinite(radius)
        # A broken prediction (NaN or infinite) is wrong, not missing: the comparison is then False.
        return np.where(counts, (distance <= radius).astype(float), np.nan)


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
