"""HeadFormat: how a spec file names a head, and how tensors of a model that others trained are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models.keys import Key
from robustpose.skeletons import Skeleton
from robustpose.types import Head


@dataclass(frozen=True)
class OutputSpec:
    """What a spec file says of a model's outputs.

    name    of the model
    stages  names of the output tensors
    select  which channels or rows are the skeleton's keypoints; empty for all
    keys    the values of the head's own keys, as far as they are given
    """

    name: str
    skeleton: Skeleton
    input_size: tuple[int, int]
    layout: Literal["NHWC", "NCHW"]
    stages: tuple[str, ...]
    select: tuple[int, ...]
    keys: Mapping[str, Any]

    def check_rows(self, place: int, rows: int, what: str) -> None:
        """Raise RobustPoseError unless a stage's `rows` heatmaps or rows hold the skeleton's keypoints."""
        stage, keypoints = self.stages[place], len(self.skeleton)
        if self.select and max(self.select) >= rows:
            raise RobustPoseError(
                f"stage {stage!r} has {rows} {what}, but select of spec {self.name!r} names "
                f"number {max(self.select)}"
            )
        if not self.select and rows != keypoints:
            raise RobustPoseError(
                f"stage {stage!r} has {rows} {what} for the {keypoints} keypoints of {self.skeleton.name}; "
                f"say in spec {self.name!r} which of them are keypoints with `select`"
            )


@dataclass(frozen=True)
class HeadFormat:
    """How a spec file names a head: its name is its key in HEADS.

    keys      the keys of its own that a spec file may have: what is expected, in words, and a check
    required  those that it must have
    make      returns the head
    stages    reads the model's outputs as the raw outputs of the head, first to last
    check     (spec, number of a stage, its shape (N, ...)); RobustPoseError where the head cannot be read from it
    parts     of a head that reads several tensors as one raw output: their names, and the maps of K keypoints
    selects   whether a spec file may select keypoints; by default if every tensor is an output of its own
    scores    reads scores (N, K) beside the head's own; None: it has none
    """

    keys: Mapping[str, Key]
    required: tuple[str, ...]
    make: Callable[[OutputSpec], Head]
    stages: Callable[[OutputSpec, tuple[Tensor, ...]], tuple[Tensor, ...]]
    check: Callable[[OutputSpec, int, tuple[int, ...]], None]
    parts: Mapping[str, Callable[[int], int]] = field(default_factory=dict)
    scores: Callable[[OutputSpec, tuple[Tensor, ...]], Tensor | None] = lambda spec, outputs: None
    selects: bool | None = None

    @property
    def takes_select(self) -> bool:
        """Whether a spec file may select keypoints."""
        return not self.parts if self.selects is None else self.selects


def map_of(spec: OutputSpec, output: Tensor) -> Tensor:
    """Return an output as maps (N, K, h, w)."""
    maps = output.permute(0, 3, 1, 2) if spec.layout == "NHWC" else output
    if spec.select:
        maps = maps[:, list(spec.select)]
    return maps.contiguous()


def count_maps(spec: OutputSpec, place: int, shape: tuple[int, ...]) -> int:
    """Return how many maps an output of shape (N, ...) holds; RobustPoseError unless they are of heatmap_size."""
    channels_last, (h, w) = spec.layout == "NHWC", spec.keys["heatmap_size"]
    size = shape[1:3] if channels_last else shape[2:]
    if len(shape) != 4 or tuple(size) != (h, w):
        raise RobustPoseError(
            f"stage {spec.stages[place]!r} has shape {list(shape)}, but spec {spec.name!r} says {spec.layout} "
            f"heatmaps of {h} x {w}"
        )
    return shape[3] if channels_last else shape[1]
