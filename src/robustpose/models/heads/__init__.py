"""Heads: encodings of keypoints, with one interface (types.Head). Invisible keypoints do not count and may be NaN.

A file has a head and, if model specs may name it, its HeadFormat: the head's keys and how output tensors are read.
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
"""Heads that model specs may name."""

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
