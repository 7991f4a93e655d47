"""Deployment faults: what goes wrong between camera and answer. A new one is one file and one line of FAULTS."""

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.faults.boxes import ASPECT, BORDER, BOX_JITTER, BOX_SCALE, BOX_SHIFT, ORIENTATION, RESIZE_FILTER
from robustpose.faults.decoding import DECODING, HEATMAP_CELLS
from robustpose.faults.imperceptible import NOISE, SUB_PIXEL
from robustpose.faults.inputs import COLOUR_ORDER, MEAN_STD, MIRRORED, VALUE_RANGE
from robustpose.faults.pixels import CAMERA_JPEG, COLOUR_BITS, VIDEO_RANGE
from robustpose.faults.precision import PRECISION
from robustpose.faults.spec import FaultSpec, Level, OnCrop, OnCut, OnModel, OnPhoto, written

FAULTS: dict[str, FaultSpec] = {
    "box-jitter": BOX_JITTER,
    "box-shift": BOX_SHIFT,
    "box-scale": BOX_SCALE,
    "aspect": ASPECT,
    "border": BORDER,
    "orientation": ORIENTATION,
    "resize-filter": RESIZE_FILTER,
    "camera-jpeg": CAMERA_JPEG,
    "colour-bits": COLOUR_BITS,
    "video-range": VIDEO_RANGE,
    "colour-order": COLOUR_ORDER,
    "mean-std": MEAN_STD,
    "value-range": VALUE_RANGE,
    "mirrored": MIRRORED,
    "precision": PRECISION,
    "decoding": DECODING,
    "heatmap-cells": HEATMAP_CELLS,
}

IMPERCEPTIBLE: dict[str, FaultSpec] = {"noise": NOISE, "sub-pixel": SUB_PIXEL}
"""Changes that nobody sees, of which many copies are drawn: the jitter study's."""


def fault_named(name: str) -> FaultSpec:
    """Return a fault by name; RobustPoseError for an unknown one."""
    known = {**FAULTS, **IMPERCEPTIBLE}
    if name not in known:
        raise unknown_name("fault", name, known)
    return known[name]


def check_level(name: str, level: Level) -> None:
    """Raise RobustPoseError for a level that a fault does not have."""
    levels = fault_named(name).levels
    if level not in levels:
        raise RobustPoseError(
            f"fault {name} has the levels {', '.join(map(written, levels))}, got {written(level)}"
        )


__all__ = [
    "FAULTS",
    "IMPERCEPTIBLE",
    "FaultSpec",
    "Level",
    "OnCrop",
    "OnCut",
    "OnModel",
    "OnPhoto",
    "check_level",
    "fault_named",
    "written",
]
