"""ImportedPose: a model that others trained, with what its spec says of it, as a PoseModel.

The image's scaling and the reading of the outputs are part of the module, so the gradient reaches [0, 1] RGB.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models.heads import HEADS
from robustpose.models.specs import ModelSpec
from robustpose.types import PoseOutput


class ImportedPose(nn.Module):
    """A graph of another library under a spec; satisfies PoseModel.

    graph        takes the scaled image in the spec's layout, returns the spec's stages
    fingerprint  a hash of the model's file and of what the spec says; part of every result's key
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, graph: Callable[[Tensor], tuple[Tensor, ...]], card: ModelSpec, *, fingerprint: str
    ) -> None:
        super().__init__()
        self.graph, self.card, self.fingerprint = graph, card, fingerprint
        self.name, self.skeleton, self.input_size = card.name, card.skeleton, card.input_size
        self.padding = card.padding
        self.head = HEADS[card.head].make(card.output_spec)
        self.register_buffer("mean", torch.tensor(card.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(card.std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> PoseOutput:
        """Find keypoints in images (N, 3, H, W) in [0, 1]; RobustPoseError where they have another size."""
        if tuple(images.shape[1:]) != (3, *self.input_size):
            raise RobustPoseError(
                f"{self.name}: images must have shape (N, 3, {self.input_size[0]}, {self.input_size[1]}), "
                f"got {tuple(images.shape)}"
            )
        outputs = self.graph(self.prepare(images))
        stages = HEADS[self.card.head].stages(self.card.output_spec, outputs)
        keypoints, decoded = self.head.decode(stages[-1])
        scores = HEADS[self.card.head].scores(self.card.output_spec, outputs)
        return PoseOutput(keypoints=keypoints, scores=decoded if scores is None else scores, stages=stages)

    def prepare(self, images: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) in [0, 1] into what the graph takes."""
        scaled = (images - self.mean) / self.std * self.card.scale
        if self.card.channels == "BGR":
            scaled = scaled.flip(1)
        return scaled.permute(0, 2, 3, 1).contiguous() if self.card.layout == "NHWC" else scaled


def check_stages(card: ModelSpec, shapes: tuple[tuple[int, ...], ...], *, file: str) -> None:
    """Check a spec against the shapes (N, ...) of the model's stages; RobustPoseError where they differ."""
    if len(shapes) != len(card.stages):
        raise ValueError(f"{file}: {len(shapes)} stages for {len(card.stages)} names")
    for place, shape in enumerate(shapes):
        try:
            HEADS[card.head].check(card.output_spec, place, shape)
        except RobustPoseError as error:
            raise RobustPoseError(f"{file}: {error}") from None
