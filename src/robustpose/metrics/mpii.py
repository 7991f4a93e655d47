"""MPII's official table: PCKh@0.5 of seven parts, their mean, PCKh@0.1, and the area under the curve.

Andriluka et al. 2014, with the conventions of the tools behind published numbers (SimpleBaseline, HRNet):

Head               the head top alone
Shoulder to Ankle  mean of left and right
Mean               over all labelled joints except pelvis and thorax, so each joint is weighted by its labels
Mean@0.1           the same at a tenth of the head size
AUC                area under Mean over the thresholds 0, 0.01, ..., 0.50 by the trapezoid rule, in percent
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustpose.metrics.bootstrap import Scores, gathered
from robustpose.metrics.hits import ALL
from robustpose.metrics.pck import PCKH, Pck
from robustpose.metrics.table import Floats, Table

PARTS = {
    "Head": "head_top",
    "Shoulder": "shoulder",
    "Elbow": "elbow",
    "Wrist": "wrist",
    "Hip": "hip",
    "Knee": "knee",
    "Ankle": "ankle",
    "Mean": ALL,
}
_STEPS = 50


@dataclass(frozen=True)
class Area(Pck):
    """The area under the PCK curve from threshold 0 to `threshold`, as a Pck metric."""

    @property
    def name(self) -> str:
        """PCKh AUC."""
        return f"{super().name.partition('@')[0]} AUC"

    def hits(self, table: Table) -> Floats:
        """Return the share of thresholds at which each keypoint (N, K) is correct; NaN where it does not count."""
        area = np.zeros(table.visible.shape)
        for step in range(_STEPS + 1):
            weight = (0.5 if step in (0, _STEPS) else 1.0) / _STEPS
            area += weight * Pck(self.unit, self.threshold * step / _STEPS, self.against).hits(table)
        return area


AUC = Area(unit="head_size", threshold=0.5)
PCKH_TENTH = Pck(unit="head_size", threshold=0.1)


@dataclass(frozen=True)
class MpiiTable:
    """MPII's official table of PCKh; reported beside PCKh on MPII."""

    name: str = "MPII"
    redraws: Literal["people"] = "people"
    table_of: str = "pckh"
    title: str = "MPII's PCKh"

    def defined(self, table: Table) -> bool:
        """Say whether the data are MPII with head sizes."""
        return table.data.partition("[")[0] == "mpii" and PCKH.defined(table)

    def __call__(self, table: Table) -> Mapping[str, float]:
        """Return the columns of the table; NaN where nothing is labelled."""
        return self.scores(table).values

    def scores(self, table: Table, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples."""
        by_part = PCKH.scores(table, seed=seed)
        parts = {name: (by_part, part) for name, part in PARTS.items() if part in by_part.values}
        tenth, area = (metric.scores(table, seed=seed) for metric in (PCKH_TENTH, AUC))
        return gathered({**parts, "Mean@0.1": (tenth, ALL), "AUC": (area, ALL)})
