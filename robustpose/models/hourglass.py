"""Stacked hourglass: Newell, Yang, Deng, "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016,
arXiv 1603.06937; official code umich-vl/pose-hg-train.

Each stack looks at the whole picture at five scales and writes its own heatmaps; every stack is supervised, and
its heatmaps are fed to the next. Here: nearest-neighbour upsampling and pre-activation bottlenecks as published;
the compact size is narrower and has one residual module at each place (the paper studied has two).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


class Residual(nn.Module):
    """Pre-activation bottleneck (He et al. 2016, arXiv 1603.05027): 1x1, 3x3, 1x1 at half the width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = outputs // 2
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(middle), nn.Conv2d(middle, middle, 3, padding=1, bias=False)
        self.bn3, self.conv3 = nn.BatchNorm2d(middle), nn.Conv2d(middle, outputs, 1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h, w)."""
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        out: Tensor = y + self.skip(x)
        return out


def residuals(channels: int, *, modules: int) -> nn.Sequential:
    """Chain residual modules of one width."""
    return nn.Sequential(*(Residual(channels, channels) for _ in range(modules)))


class Hourglass(nn.Module):
    """Down `depth` scales and up again, adding what each scale saw on the way down."""

    def __init__(self, channels: int, *, depth: int, modules: int) -> None:
        super().__init__()
        self.stay = residuals(channels, modules=modules)
        self.down = residuals(channels, modules=modules)
        self.inner: nn.Module = (
            Hourglass(channels, depth=depth - 1, modules=modules)
            if depth > 1
            else residuals(channels, modules=modules)
        )
        self.up = residuals(channels, modules=modules)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> the same shape; h and w must be divisible by 2 ** depth."""
        low = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        out: Tensor = self.stay(x) + F.interpolate(low, scale_factor=2, mode="nearest")
        return out


class StackedHourglass(nn.Module):
    """`stacks` hourglasses in a row on a quarter of the input's resolution.

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage (N, K, H/4, W/4) a stack.
    """

    def __init__(
        self,
        *,
        stacks: int,
        channels: int,
        modules: int,
        stem: int,
        input_size: tuple[int, int],
        skeleton: Skeleton = MPII_16,
        depth: int = 4,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = HeatmapHead(input_size=input_size, heatmap_size=heatmap_size, sigma=1.0)
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            Residual(stem, stem * 2),
            nn.MaxPool2d(2),
            Residual(stem * 2, stem * 2),
            Residual(stem * 2, channels),
        )
        k = len(skeleton)
        self.hourglasses = nn.ModuleList(
            nn.Sequential(
                Hourglass(channels, depth=depth, modules=modules),
                residuals(channels, modules=modules),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for _ in range(stacks)
        )
        self.to_heatmaps = nn.ModuleList(nn.Conv2d(channels, k, 1) for _ in range(stacks))
        self.from_features = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(stacks - 1))
        self.from_heatmaps = nn.ModuleList(nn.Conv2d(k, channels, 1) for _ in range(stacks - 1))

    def forward(self, images: Tensor) -> PoseOutput:
        """Find keypoints; see the class for shapes."""
        x = self.stem(images)
        stages: list[Tensor] = []
        for i, hourglass in enumerate(self.hourglasses):
            features = hourglass(x)
            stages.append(self.to_heatmaps[i](features))
            if i < len(self.from_features):
                x = x + self.from_features[i](features) + self.from_heatmaps[i](stages[-1])
        keypoints, scores = self.head.decode(stages[-1])
        return PoseOutput(keypoints=keypoints, scores=scores, stages=tuple(stages))


def shg2(size: str) -> StackedHourglass:
    """Two stacks: 2-SHG."""
    if size == "published":
        return StackedHourglass(stacks=2, channels=256, modules=2, stem=64, input_size=(256, 256))
    return StackedHourglass(stacks=2, channels=64, modules=1, stem=16, input_size=(128, 128))
