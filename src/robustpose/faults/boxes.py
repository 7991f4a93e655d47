"""Faults of cutting: a detector's box, the crop's shape, the resize filter, the border, the orientation."""

from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.random import Generator

from robustpose.errors import unknown_name
from robustpose.faults.cutting import Border, Box, Cutting, Filter, overlap
from robustpose.faults.spec import FaultSpec, Level, OnCut, as_number

_HALVINGS = 60
_FARTHEST = 4.0
"""Of a jitter: such a step along any direction leaves boxes that hardly overlap."""


def _moved(box: Box, *, dx: float, dy: float, wider: float, taller: float) -> Box:
    """Move a box by shares of its sides, and multiply its sides, about its centre."""
    x, y, w, h = box
    middle_x, middle_y = x + w / 2 + dx * w, y + h / 2 + dy * h
    return (middle_x - wider * w / 2, middle_y - taller * h / 2, wider * w, taller * h)


def _jittered(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    """Draw a direction of error, in place and in the logarithms of the sides; go until the IoU is the level."""
    wanted = as_number(level, "box-jitter")
    dx, dy, dw, dh = rng.normal(0, 1, 4) / 2
    length = np.linalg.norm([dx, dy, dw, dh])

    def at(step: float) -> Box:
        far = step / length
        return _moved(cutting.box, dx=far * dx, dy=far * dy, wider=np.exp(far * dw), taller=np.exp(far * dh))

    near, far = 0.0, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if overlap(cutting.box, at(middle)) > wanted else (near, middle)
    return replace(cutting, box=at(near))


def _shifted(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    share, angle = as_number(level, "box-shift"), rng.uniform(0, 2 * np.pi)
    x, y, w, h = cutting.box
    far = share * max(w, h)
    return replace(cutting, box=(x + far * np.cos(angle), y + far * np.sin(angle), w, h))


def _scaled(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    factor = as_number(level, "box-scale")
    return replace(cutting, box=_moved(cutting.box, dx=0, dy=0, wider=factor, taller=factor))


def _shaped(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    shapes = {"stretched": "stretched", "black bars": "bars"}
    if level not in shapes:
        raise unknown_name("level of fault aspect", str(level), shapes)
    return replace(cutting, shape=shapes[str(level)])  # type: ignore[arg-type]


def _filtered(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    if level not in get_args(Filter):
        raise unknown_name("level of fault resize-filter", str(level), get_args(Filter))
    return replace(cutting, filter=level)  # type: ignore[arg-type]


def _bordered(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    if level not in get_args(Border):
        raise unknown_name("level of fault border", str(level), get_args(Border))
    return replace(cutting, border=level)  # type: ignore[arg-type]


def _turned(cutting: Cutting, level: Level, rng: Generator) -> Cutting:
    return replace(cutting, quarters=round(as_number(level, "orientation") / 90))


BOX_JITTER = FaultSpec(
    OnCut(_jittered),
    summary="A detector's box: shifted and scaled at random until it overlaps the right one by so much",
    phrase="boxes that overlap the right one by an IoU of {level}",
    levels=(0.95, 0.9, 0.8, 0.7, 0.6, 0.5),
    unit="IoU with the right box",
    right=1.0,
    typical=0.8,
)
BOX_SHIFT = FaultSpec(
    OnCut(_shifted),
    summary="The box shifted in a random direction",
    phrase="boxes shifted by {level} of their longer side",
    levels=(0.05, 0.1, 0.2, 0.3),
    unit="share of the box's longer side",
    right=0.0,
    typical=0.1,
)
BOX_SCALE = FaultSpec(
    OnCut(_scaled),
    summary="A box or a padding too small or too large: 0.8 is a padding of 1 instead of 1.25",
    phrase="boxes {level} times the right size",
    levels=(0.7, 0.8, 0.9, 1.1, 1.2, 1.5),
    unit="times the right size",
    right=1.0,
    typical=0.8,
)
ASPECT = FaultSpec(
    OnCut(_shaped),
    summary="The box stretched to the crop's shape, or black bars beside it, instead of more of the photo",
    phrase="the box {level} instead of extended to the crop's shape",
    levels=("stretched", "black bars"),
)
RESIZE_FILTER = FaultSpec(
    OnCut(_filtered),
    summary="The crop resized by another filter than bilinear interpolation",
    phrase="crops resized by the filter {level} instead of bilinear",
    levels=("nearest", "area", "cubic", "lanczos"),
)
BORDER = FaultSpec(
    OnCut(_bordered),
    summary="Beyond the photo something else than black: YOLO's grey, the edge pixels repeated, white",
    phrase="{level} instead of black beyond the photo",
    levels=("grey", "edge", "white"),
)
ORIENTATION = FaultSpec(
    OnCut(_turned),
    summary="The photo turned by quarters, as where its EXIF orientation is ignored",
    phrase="the photo turned by {level} degrees",
    levels=(90.0, 180.0, 270.0),
)
