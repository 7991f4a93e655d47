"""HeadFormat: how a model spec names a head, and how the output tensors of an imported model are read."""

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
    """The part of a model spec that describes the outputs.

    name    of the model
    stages  names of the output tensors
    select  indices of the channels or rows that are the skeleton's keypoints; empty for all
    keys    values of the head's own keys, as given
    """

    name: str
    skeleton: Skeleton
    input_size: tuple[int, int]
    layout: Literal["NHWC", "NCHW"]
    stages: tuple[str, ...]
    select: tuple[int, ...]
    keys: Mapping[str, Any]

    def check_rows(self, place: int, rows: int, what: str) -> None:
        """Raise RobustPoseError unless the number of a stage's heatmaps or rows fits the skeleton."""
        stage, keypoints = self.stages[place], len(self.skeleton)
        if self.select and max(self.select) >= rows:
            raise RobustPoseError(
                f"stage {stage!r} has {rows} {what}, but select of spec {self.name!r} has index {max(self.select)}"
            )
        if not self.select and rows != keypoints:
            raise RobustPoseError(
                f"stage {stage!r} has {rows} {what} for the {keypoints} keypoints of {self.skeleton.name}; "
                f"choose those of the keypoints with `select` in spec {self.name!r}"
            )


@dataclass(frozen=True)
class HeadFormat:
    """How a model spec describes a head. Its name is its key in HEADS.

    keys      the head's own keys in a spec: the expected value in words, and a check
    required  the keys that a spec must have
    make      returns the head
    stages    converts the model's outputs to the head's raw outputs, first to last
    check     (spec, index of a stage, its shape (N, ...)); RobustPoseError where the shape does not fit
    parts     for heads that read several tensors as one raw output: their names, and number of maps for K
              keypoints
    selects   whether a spec may select keypoints; by default only if each tensor is a separate stage
    scores    reads scores (N, K) that the model gives itself; None without them
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
    """Return the number of maps in an output of shape (N, ...); RobustPoseError unless they have heatmap_size."""
    channels_last, (h, w) = spec.layout == "NHWC", spec.keys["heatmap_size"]
    size = shape[1:3] if channels_last else shape[2:]
    if len(shape) != 4 or tuple(size) != (h, w):
        raise RobustPoseError(
            f"stage {spec.stages[place]!r} has shape {list(shape)}, but spec {spec.name!r} has {spec.layout} "
            f"heatmaps of {h} x {w}"
        )
    return shape[3] if channels_last else shape[1]
