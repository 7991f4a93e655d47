"""Faults of reading heatmaps: another decoding, another place of the cells."""

from dataclasses import replace
from typing import get_args

from torch import Tensor

from robustpose.defences.defended import Defended
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.faults.spec import FaultSpec, Level, OnModel
from robustpose.geometry import Lattice
from robustpose.models.heads import HeatmapHead
from robustpose.types import DescribedHead, PoseModel, PoseOutput

_DECODINGS = ("argmax", "quarter")


def _head_of(model: PoseModel) -> HeatmapHead:
    if isinstance(model.head, HeatmapHead):
        return model.head
    kind = model.head.kind if isinstance(model.head, DescribedHead) else type(model.head).__name__
    raise RobustPoseError(f"it predicts {kind}, not plain heatmaps")


def _reading(model: PoseModel, head: HeatmapHead) -> PoseModel:
    """Return the model with its last heatmaps read by another head."""

    def answer(model: PoseModel, images: Tensor) -> PoseOutput:
        output = model(images)
        keypoints, scores = head.decode(output.stages[-1])
        return replace(output, keypoints=keypoints, scores=scores)

    return Defended(model, answer)


def _decoded(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    if level not in _DECODINGS:
        raise unknown_name("level of fault decoding", str(level), _DECODINGS)
    head = _head_of(model)
    if head.decoding == level:
        raise RobustPoseError(f"{level} is its own decoding")
    return _reading(model, replace(head, decoding=level))  # type: ignore[arg-type]


def _placed(model: PoseModel, level: Level, calibration: Tensor) -> PoseModel:
    if level not in get_args(Lattice):
        raise unknown_name("level of fault heatmap-cells", str(level), get_args(Lattice))
    head = _head_of(model)
    if head.lattice == level:
        raise RobustPoseError(f"its cells lie at {level}")
    return _reading(model, replace(head, lattice=level))  # type: ignore[arg-type]


DECODING = FaultSpec(
    OnModel(_decoded),
    summary="Heatmaps decoded by the highest cell where a quarter offset is right, or the reverse",
    phrase="heatmaps decoded by the {level} rule",
    levels=_DECODINGS,
)
HEATMAP_CELLS = FaultSpec(
    OnModel(_placed),
    summary="Heatmap cells scaled to pixels by another convention than the model was trained with",
    phrase="heatmap cells taken to lie at {level}",
    levels=("centres", "corners", "ends"),
)
