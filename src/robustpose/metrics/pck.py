"""Percentage of correct keypoints: a keypoint is correct if its distance is at most threshold x a unit length.

PCKh@0.5   the unit is MPII's head size, 0.6 x the diagonal of the head box (Andriluka et al. 2014). Pelvis and
           thorax do not count. Left and right of a joint are averaged. The total pools all labelled keypoints,
           which equals the official tool's mean weighted by each joint's number of labels
PCK@0.1    the unit is the longer side of the person's box; for data without head sizes, and for models and data
           that share only some keypoints
KS@0.5     correct where the keypoint's own term of COCO's OKS (metrics/coco.py) is at least 0.5; below it Ronchi
           and Perona 2017 (arXiv 1707.05388) call a keypoint missed or swapped. The radius grows with the person's
           area and with COCO's constant of the keypoint: it is larger for hips than for eyes
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from robustpose.metrics.bootstrap import Scores, redraws
from robustpose.metrics.coco import sigmas_of
from robustpose.metrics.table import Floats, Table
from robustpose.skeletons import Skeleton
from robustpose.types import PoseDataset

ALL = "all"

_NAMES = {"head_size": "PCKh", "box_side": "PCK", "similarity": "KS"}


@dataclass(frozen=True)
class Pck:
    """PCK at `threshold` x unit, against the truth or against a targeted attack's target pose.

    With the unit 'similarity' the threshold is a keypoint similarity, in (0, 1].

    summary  one line for `robustpose list metrics`
    """

    redraws: ClassVar[Literal["people"]] = "people"

    unit: Literal["head_size", "box_side", "similarity"]
    threshold: float
    against: Literal["truth", "target"] = "truth"
    summary: str = field(default="", compare=False, repr=False)

    @property
    def name(self) -> str:
        """The usual name: PCKh@0.5, target PCKh@0.5, PCK@0.1."""
        base = f"{_NAMES[self.unit]}@{self.threshold:g}"
        return base if self.against == "truth" else f"target {base}"

    def lacks(self, people: PoseDataset) -> str:
        """Name what the unit needs and the data set does not have for everyone; '' if nothing is missing."""
        if self.unit == "head_size" and not people.has_head_sizes:
            return "head sizes"
        if self.unit == "similarity" and not getattr(people, "has_areas", False):
            return "areas of people"
        return ""

    def defined(self, table: Table) -> bool:
        """Say whether the unit is known for anyone."""
        return bool(np.isfinite(self.radius_of(table)).any())

    def __call__(self, table: Table) -> Mapping[str, float]:
        """Return the score of all keypoints and of each body part, in percent."""
        values = percentages(*totals(self.hits(table)), table.skeleton)
        return {part: float(value) for part, value in values.items()}

    def scores(self, table: Table, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples."""
        hits = self.hits(table)
        weights = redraws(len(table), seed=seed)
        values = percentages(*totals(hits), table.skeleton)
        people = _people(hits, table.skeleton)
        return Scores(
            values={part: float(value) for part, value in values.items()},
            draws=percentages(*weighted_totals(hits, weights), table.skeleton),
            people=people,
            units=people,
        )

    def radius(
        self,
        skeleton: Skeleton,
        *,
        head_size: Floats,
        box_side: Floats,
        area: Floats | None,
        crops: Floats | None,
    ) -> Floats:
        """Return the distance (N, K) in input pixels within which a keypoint is correct; NaN where unknown.

        Sizes (N,) in input pixels, area (N,) in photo pixels squared, crops (N, 2, 3) from photo to input pixels.
        """
        if self.unit != "similarity":
            unit = head_size if self.unit == "head_size" else box_side
            return np.repeat(self.threshold * unit[:, None], len(skeleton), axis=1)
        if area is None or crops is None:
            return np.full((len(head_size), len(skeleton)), np.nan)
        # exp(-d^2 / (2 s^2 k^2)) = threshold, with s^2 the area as the model sees it and k = 2 sigma
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
        """Return 1 for each correct keypoint (N, K), 0 for wrong ones, NaN where it does not count.

        ValueError where the metric needs target poses and the table has none.
        """
        truth, visible = table.keypoints, table.visible
        if self.against == "target":
            if table.target is None or table.target_visible is None:
                raise ValueError(f"{self.name} needs target poses; the table has none")
            truth, visible = table.target, table.target_visible
        radius = self.radius_of(table)
        distance = np.linalg.norm(table.predicted - truth, axis=2)
        counts = visible & np.asarray(table.skeleton.counted) & np.isfinite(radius)
        # A prediction that is NaN or infinite is wrong, not missing: the comparison is then False.
        return np.where(counts, (distance <= radius).astype(float), np.nan)


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


PCKH = Pck("head_size", 0.5, summary="PCKh@0.5: keypoints within half a head size of the truth")
PCK = Pck("box_side", 0.1, summary="PCK@0.1: keypoints within a tenth of the box's longer side of the truth")
KS = Pck("similarity", 0.5, summary="KS@0.5: keypoints whose own term of COCO's OKS is at least 0.5")
