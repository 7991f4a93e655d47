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
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from robustpose.metrics.bootstrap import Scores
from robustpose.metrics.coco import sigmas_of
from robustpose.metrics.hits import hits_within, percent_of_hits, radius_of, scores_of_hits
from robustpose.metrics.table import Floats, Table
from robustpose.skeletons import Skeleton
from robustpose.types import PoseDataset

_NAMES = {"head_size": "PCKh", "box_side": "PCK", "similarity": "KS"}
_SIMILAR = "a keypoint is correct if its object keypoint similarity (COCO) is at least"
_UNITS = {"head_size": "head sizes", "box_side": "of the longer side of the person’s box"}


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

    @property
    def rule(self) -> str:
        """When a keypoint is correct."""
        if self.unit == "similarity":
            return f"{_SIMILAR} {self.threshold:g}"
        if self.unit == "head_size" and self.threshold == 0.5:
            return "a keypoint is correct if it lies within half a head size of the ground truth"
        within = f"{self.threshold:g} {_UNITS[self.unit]}"
        return f"a keypoint is correct if it lies within {within} of the ground truth"

    def against_target(self) -> "Pck":
        """Return the metric that compares with the target pose of a targeted attack."""
        return replace(self, against="target")

    def within(self, share: float) -> "Pck":
        """Return the metric at a share of the threshold."""
        return replace(self, threshold=round(share * self.threshold, 6))

    def defined(self, table: Table) -> bool:
        """Say whether the unit is known for anyone."""
        return bool(np.isfinite(radius_of(self, table)).any())

    def __call__(self, table: Table) -> Mapping[str, float]:
        """Return the score of all keypoints and of each body part, in percent."""
        return percent_of_hits(self.hits(table), table.skeleton)

    def scores(self, table: Table, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples."""
        return scores_of_hits(self.hits(table), table.skeleton, seed=seed)

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

    def hits(self, table: Table) -> Floats:
        """Return 1 for each correct keypoint (N, K), 0 for wrong ones, NaN where it does not count.

        ValueError where the metric needs target poses and the table has none.
        """
        return hits_within(self, table, targets=self.against == "target")


PCKH = Pck("head_size", 0.5, summary="PCKh@0.5: keypoints within half a head size of the truth")
PCK = Pck("box_side", 0.1, summary="PCK@0.1: keypoints within a tenth of the box's longer side of the truth")
KS = Pck("similarity", 0.5, summary="KS@0.5: keypoints whose own term of COCO's OKS is at least 0.5")
