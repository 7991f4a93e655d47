"""Flip test: a model's answer averaged with its answer to the mirrored image, as published scores often are.

Raw outputs are averaged before they are decoded, as in the code of Newell et al. 2016 (arXiv 1603.06937) and Sun
et al. 2019 (arXiv 1902.09212). Scores that a model gives beside its coordinates are averaged, too; those that a
head decodes are read from the averaged output. A flip test costs twice the passes.
"""

import torch
from torch import Tensor

from robustpose import geometry
from robustpose.defences.defended import Defended
from robustpose.errors import RobustPoseError
from robustpose.types import DescribedHead, MirroringHead, PoseModel, PoseOutput


def flip_tested(model: PoseModel) -> PoseModel:
    """Return a model with a flip test; RobustPoseError where its head cannot be mirrored."""
    if not isinstance(model.head, MirroringHead):
        raise RobustPoseError(
            f"its head, {type(model.head).__name__}, does not say how its output is mirrored; a flip test needs a "
            "method mirrored(raw, order)"
        )
    return Defended(model, _both_ways)


def _both_ways(model: PoseModel, images: Tensor) -> PoseOutput:
    head, order = model.head, model.skeleton.flip_order
    assert isinstance(head, MirroringHead)
    # One pass of twice the images: a model that runs twice cannot be searched by its fused copy.
    both = model(torch.cat([images, geometry.flip_images(images)]))
    halves = [raw.chunk(2) for raw in both.stages]
    stages = tuple((plain + head.mirrored(mirrored, order)) / 2 for plain, mirrored in halves)
    keypoints, scores = head.decode(stages[-1])
    if isinstance(head, DescribedHead) and not head.decodes_scores:
        plain, mirrored = both.scores.chunk(2)
        scores = (plain + mirrored[:, list(order)]) / 2
    return PoseOutput(keypoints=keypoints, scores=scores, stages=stages)
