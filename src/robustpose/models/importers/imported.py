"""ImportedPose: an imported model with its spec, as a PoseModel.

Scaling of images and conversion of outputs are part of the module, so gradients reach the images in [0, 1]."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.models.heads import HEADS
from robustpose.models.specs import ModelSpec
from robustpose.types import PoseOutput


class ImportedPose(nn.Module):
    """The graph of another library with its spec; satisfies PoseModel.

    graph        takes scaled images in the spec's layout and returns the spec's stages
    fingerprint  a hash of the model's file and the spec; part of the key of every result
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, graph: Callable[[Tensor], tuple[Tensor, ...]], spec: ModelSpec, *, fingerprint: str
    ) -> None:
        super().__init__()
        self.graph, self.spec, self.fingerprint = graph, spec, fingerprint
        self.name, self.skeleton, self.input_size = spec.name, spec.skeleton, spec.input_size
        self.padding = spec.padding
        self.head = HEADS[spec.head].make(spec.output_spec)
        self.register_buffer("mean", torch.tensor(spec.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(spec.std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints in images (N, 3, H, W) in [0, 1]; RobustPoseError for images of another size."""
        if tuple(images.shape[1:]) != (3, *self.input_size):
            raise RobustPoseError(
                f"{self.name}: images must have shape (N, 3, {self.input_size[0]}, {self.input_size[1]}), "
                f"got {tuple(images.shape)}"
            )
        outputs = self.graph(self.prepare(images))
        stages = HEADS[self.spec.head].stages(self.spec.output_spec, outputs)
        keypoints, decoded = self.head.decode(stages[-1])
        scores = HEADS[self.spec.head].scores(self.spec.output_spec, outputs)
        return PoseOutput(keypoints=keypoints, scores=decoded if scores is None else scores, stages=stages)

    def prepare(self, images: Tensor) -> Tensor:
        """Convert images (N, 3, H, W) in [0, 1] to the graph's input."""
        scaled = (images - self.mean) / self.std * self.spec.scale
        if self.spec.channels == "BGR":
            scaled = scaled.flip(1)
        return scaled.permute(0, 2, 3, 1).contiguous() if self.spec.layout == "NHWC" else scaled


def check_stages(spec: ModelSpec, shapes: tuple[tuple[int, ...], ...], *, file: str) -> None:
    """Check a spec against the shapes (N, ...) of the model's stages; RobustPoseError where they differ."""
    if len(shapes) != len(spec.stages):
        raise ValueError(f"{file}: {len(shapes)} stages for {len(spec.stages)} names")
    for place, shape in enumerate(shapes):
        try:
            HEADS[spec.head].check(spec.output_spec, place, shape)
        except RobustPoseError as error:
            raise RobustPoseError(f"{file}: {error}") from None


ONLY = "output"


class StagesOf(nn.Module):
    """A module that returns one tensor, several, or a record of them, as the tuple of a spec's stages.

    A single tensor is named "output". Members of a list or tuple are "0", "1", ..., and "output" is the last one.
    Members of a dictionary or a dataclass have their keys, and "output" if there is only one tensor.
    """

    def __init__(self, model: nn.Module, stages: tuple[str, ...], *, where: str) -> None:
        super().__init__()
        self.model, self.stages, self.where = model, stages, where

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run the module; RobustPoseError where it does not return a stage."""
        named = named_outputs(self.model(x))
        if not named:
            raise RobustPoseError(f"{self.where}: returns no tensor")
        for stage in self.stages:
            if stage not in named:
                raise RobustPoseError(f"{self.where}: {unknown_name('stage', stage, named)}")
        return tuple(named[stage] for stage in self.stages)


def named_outputs(returned: Any) -> dict[str, Tensor]:
    """Return a module's output tensors by name; see StagesOf."""
    if isinstance(returned, Tensor):
        return {ONLY: returned}
    if isinstance(returned, Mapping):
        found = {str(key): value for key, value in returned.items() if isinstance(value, Tensor)}
        return found | ({ONLY: next(iter(found.values()))} if len(found) == 1 else {})
    if is_dataclass(returned):
        return named_outputs({field.name: getattr(returned, field.name) for field in fields(returned)})
    if isinstance(returned, list | tuple):
        found = {str(place): value for place, value in enumerate(returned) if isinstance(value, Tensor)}
        return found | ({ONLY: list(found.values())[-1]} if found else {})
    return {}
