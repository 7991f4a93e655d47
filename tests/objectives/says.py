"""Models with outputs written by a test, and the losses of an objective on them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robustpose.models.heads import CoordinateHead, HeatmapHead, OffsetHead, SimCCHead
from robustpose.objectives import Aim, Margin, Objective
from robustpose.skeletons import Skeleton
from robustpose.types import Head, PoseOutput
from tests.conftest import TINY

ONE = Skeleton(name="one", keypoints=("nose",), limbs=())
MAPS = HeatmapHead(input_size=TINY, heatmap_size=(4, 6))
NUMBERS = CoordinateHead(input_size=TINY)
CLASSES = SimCCHead(input_size=TINY, split=2.0, sigma=3.0)
"""24 bins for x, 16 for y."""
OFFSETS = OffsetHead(input_size=(33, 49), heatmap_size=(3, 4))
FREE = Margin(enough=100.0)


@dataclass
class Says:
    """A model with a fixed raw output for every image."""

    raw: Tensor
    head: Head
    skeleton: Skeleton = ONE
    input_size: tuple[int, int] = TINY

    def __call__(self, images: Tensor) -> PoseOutput:
        keypoints, scores = self.head.decode(self.raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(self.raw,))


def aim(x: float, y: float, *, radius: float, visible: bool = True) -> Aim:
    return Aim(torch.tensor([[[x, y]]]), torch.tensor([[visible]]), torch.tensor([radius]))


def margin(model: Says, where: Aim, *, objective: Objective = FREE, targeted: bool = False) -> Tensor:
    rows = torch.arange(len(model.raw))
    return objective.bind(model, where, targeted=targeted)(torch.zeros(len(rows), 3, *TINY), rows)


def one_map(**heights: float) -> Says:
    """Write heights at cells: c2r1=0.7 is column 2, row 1, whose centre is pixel (4.5, 2.5)."""
    raw = torch.zeros(1, 1, 4, 6)
    for name, height in heights.items():
        raw[0, 0, int(name[3]), int(name[1])] = height
    return Says(raw.requires_grad_(True), MAPS)
