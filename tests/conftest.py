"""Tiny models and people whose outputs are known in closed form, for all tests."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.objectives import Aim, correct_radius
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseOutput

torch.set_num_threads(1)  # tiny models are slower on two threads, and far slower beside other test processes

TRIO = Skeleton(
    name="trio",
    keypoints=("left_hand", "right_hand", "nose"),
    limbs=(("left_hand", "nose"), ("right_hand", "nose")),
)
TINY = (8, 12)
"""(H, W) of the tiny models' crops: H and W differ, so that swapping them shows."""


class LinearPose(nn.Module):
    """keypoints = W x + b in [-0.5, 0.5] units: every best perturbation is known in closed form."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.skeleton, self.input_size, self.head = TRIO, TINY, CoordinateHead(input_size=TINY)
        generator = torch.Generator().manual_seed(seed)
        size = 3 * TINY[0] * TINY[1]
        self.W = nn.Parameter(torch.randn(2 * len(TRIO), size, generator=generator) / size)
        self.b = nn.Parameter(torch.randn(2 * len(TRIO), generator=generator) / 10)

    def forward(self, images: Tensor) -> PoseOutput:
        raw = (images.flatten(1) @ self.W.T + self.b).reshape(-1, len(self.skeleton), 2)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


class TinyHeatmaps(nn.Module):
    """A smooth two-stage heatmap model of random weights: shg2 in miniature."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.skeleton, self.input_size = TRIO, TINY
        self.head = HeatmapHead(input_size=TINY, heatmap_size=(TINY[0] // 2, TINY[1] // 2))
        k = len(TRIO)
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.first = nn.Conv2d(6, k, 3, padding=1)
        self.second = nn.Conv2d(6 + k, k, 3, padding=1)
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 3

    def forward(self, images: Tensor) -> PoseOutput:
        features = torch.tanh(self.stem(images))
        first = self.first(features)
        second = self.second(torch.cat([features, torch.tanh(first)], dim=1))
        keypoints, scores = self.head.decode(second)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(first, second))


def tiny_batch(n: int = 4, *, seed: int = 0, levels: tuple[int, int] = (0, 255)) -> Batch:
    """Make n people of random 8-bit pictures with levels in a range; the last one lacks its first keypoint."""
    generator = np.random.default_rng([seed, n])
    height, width = TINY
    images = generator.integers(levels[0], levels[1] + 1, size=(n, 3, height, width))
    visible = torch.ones(n, len(TRIO), dtype=torch.bool)
    visible[-1:, 0] = False
    return Batch(
        images=torch.from_numpy(images).float() / 255,
        keypoints=torch.from_numpy(generator.uniform(0, height - 1, size=(n, len(TRIO), 2))).float(),
        visible=visible,
        head_size=torch.full((n,), 2.0),
        box_side=torch.full((n,), 10.0),
        crops=torch.eye(2, 3, dtype=torch.float64).repeat(n, 1, 1),
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=TRIO,
    )


def one_person(batch: Batch, row: int) -> Batch:
    """Cut a batch down to one of its people."""
    keep = slice(row, row + 1)
    return replace(
        batch,
        images=batch.images[keep],
        keypoints=batch.keypoints[keep],
        visible=batch.visible[keep],
        head_size=batch.head_size[keep],
        box_side=batch.box_side[keep],
        crops=batch.crops[keep],
        ids=batch.ids[keep],
    )


def aim_at(batch: Batch) -> Aim:
    """Aim at a batch's truth."""
    return Aim(batch.keypoints, batch.visible, correct_radius(batch))


@pytest.fixture
def linear() -> LinearPose:
    return LinearPose().eval()


@pytest.fixture
def heatmaps() -> TinyHeatmaps:
    return TinyHeatmaps().eval()


@pytest.fixture
def batch() -> Batch:
    return tiny_batch()
