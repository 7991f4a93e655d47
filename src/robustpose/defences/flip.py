"""Flip test: the output is averaged with the output for the mirrored image, as published scores often are.

Raw outputs are averaged before decoding, as in the code of Newell et al. 2016 (arXiv 1603.06937) and Sun et al.
2019 (arXiv 1902.09212). Scores that a model returns beside its coordinates are averaged too; scores that the head
decodes come from the averaged output. A flip test needs twice the passes.
"""

import torch
from torch import Tensor

from robustpose import geometry
from robustpose.defences.defended import Defended
from robustpose.errors import RobustPoseError
from robustpose.types import DescribedHead, MirroringHead, PoseModel, PoseOutput


def flip_tested(model: PoseModel) -> PoseModel:
    """Return a model with a flip test; RobustPoseError where its head does not support mirroring."""
    if not isinstance(model.head, MirroringHead):
        raise RobustPoseError(
            f"a flip test needs a head with a method mirrored(raw, order), which {type(model.head).__name__} lacks"
        )
    return Defended(model, _both_ways)


def _both_ways(model: PoseModel, images: Tensor) -> PoseOutput:
    head, order = model.head, model.skeleton.flip_order
    assert isinstance(head, MirroringHead)
    # One pass with twice the images: a model whose layers run twice cannot be fused.
    both = model(torch.cat([images, geometry.flip_images(images)]))
    halves = [raw.chunk(2) for raw in both.stages]
    stages = tuple((plain + head.mirrored(mirrored, order)) / 2 for plain, mirrored in halves)
    keypoints, scores = head.decode(stages[-1])
    if isinstance(head, DescribedHead) and not head.decodes_scores:
        plain, mirrored = both.scores.chunk(2)
        scores = (plain + mirrored[:, list(order)]) / 2
    return PoseOutput(keypoints=keypoints, scores=scores, stages=stages)
