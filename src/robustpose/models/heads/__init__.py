"""How models write keypoints, behind one interface (types.Head). What is not visible does not count, NaN included.

A file holds a head and, where spec files may name it, its HeadFormat: the keys it takes and how tensors are read.
"""

from robustpose.models.heads.classes import SIMCC, SimCCHead
from robustpose.models.heads.coordinates import COORDINATES, CoordinateHead
from robustpose.models.heads.heatmaps import HEATMAP, HeatmapHead
from robustpose.models.heads.offsets import CENTRE, OFFSETS, CentreHead, OffsetHead
from robustpose.models.heads.tensors import HeadFormat, OutputSpec

HEADS: dict[str, HeadFormat] = {
    "heatmap": HEATMAP,
    "coordinates": COORDINATES,
    "offsets": OFFSETS,
    "centre": CENTRE,
    "simcc": SIMCC,
}
"""Heads that spec files may name."""

__all__ = [
    "HEADS",
    "CentreHead",
    "CoordinateHead",
    "HeadFormat",
    "HeatmapHead",
    "OffsetHead",
    "OutputSpec",
    "SimCCHead",
]
