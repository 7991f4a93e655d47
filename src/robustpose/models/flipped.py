"""Flip test: a net's answer averaged with its answer to the mirrored picture, as published scores often are.

Raw outputs are averaged before they are decoded, as in the code of Newell et al. 2016 (arXiv 1603.06937) and Sun
et al. 2019 (arXiv 1902.09212). It is part of the net, so attacks go through both passes. Off unless asked for: it
costs twice the passes, and studies of attacks, the one run here among them, leave it out.
"""

import hashlib

import torch
from torch import Tensor, nn

from robustpose import geometry
from robustpose.errors import RobustPoseError
from robustpose.models.opened import OpenedModel
from robustpose.skeletons import Skeleton
from robustpose.types import DescribedHead, MirroringHead, PoseModel, PoseOutput


class FlipTested(nn.Module):
    """A net with a flip test; satisfies PoseModel.

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput, each stage the mean of two. The scores that a head
    decodes are read from the means; those that a net gives beside its coordinates are averaged.
    """

    head: MirroringHead

    def __init__(self, net: PoseModel, *, name: str) -> None:
        super().__init__()
        if not isinstance(net.head, MirroringHead):
            raise RobustPoseError(
                f"flip:{name}: its head, {type(net.head).__name__}, does not say how its output is mirrored; "
                "a flip test needs a method mirrored(raw, order)"
            )
        self.net, self.head = net, net.head
        self.differentiable = bool(getattr(net, "differentiable", True))
        if hasattr(net, "padding"):
            self.padding = net.padding

    @property
    def skeleton(self) -> Skeleton:
        """The net's."""
        return self.net.skeleton

    @property
    def input_size(self) -> tuple[int, int]:
        """The net's."""
        return self.net.input_size

    def forward(self, images: Tensor) -> PoseOutput:
        """Find keypoints; see the class for shapes."""
        # One pass of twice the pictures: a net that runs twice cannot be searched by its folded copy.
        both = self.net(torch.cat([images, geometry.flip_images(images)]))
        stages = tuple(self._mean(raw) for raw in both.stages)
        keypoints, scores = self.head.decode(stages[-1])
        if isinstance(self.head, DescribedHead) and not self.head.decodes_scores:
            plain, mirrored = both.scores.chunk(2)
            scores = (plain + mirrored[:, list(self.skeleton.flip_order)]) / 2
        return PoseOutput(keypoints=keypoints, scores=scores, stages=stages)

    def _mean(self, raw: Tensor) -> Tensor:
        """Average the raw outputs (2 N, ...) of pictures and, after them, of their mirrored twins."""
        plain, mirrored = raw.chunk(2)
        return (plain + self.head.mirrored(mirrored, self.skeleton.flip_order)) / 2


def flip_tested(opened: OpenedModel) -> OpenedModel:
    """Return an opened net with a flip test; RobustPoseError where its head cannot be mirrored."""
    return OpenedModel(
        name=f"flip:{opened.name}",
        net=FlipTested(opened.net, name=opened.name).eval(),
        fingerprint=hashlib.sha256(f"flip test of {opened.fingerprint}".encode()).hexdigest(),
    )
