"""Stacked hourglass: Newell, Yang, Deng, "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016,
arXiv 1603.06937; official code umich-vl/pose-hg-train.

Each stack processes the whole image at five scales and predicts heatmaps, which are supervised and fed to the next
stack. As published, there are nearest-neighbour upsampling and pre-activation bottlenecks, and one residual module
at each position, as in the authors' 8-stack release (their nModules = 1; 25 M parameters). The paper that we
re-run does not give this number; its authors' code has two (12.6 M for 2 stacks). The compact size is narrower.
"""

import torch
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
    """Downsample by `depth` scales and upsample again, with a skip connection at each scale."""

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
    """`stacks` hourglasses in sequence at a quarter of the input's resolution.

    modules     residual modules at each position
    stem        channels of the stem's convolution and of its first two residual modules
    mean        RGB in [0, 1], subtracted from the images
    foreground  see HeatmapHead

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage (N, K, H/4, W/4) per stack.
    """

    def __init__(
        self,
        *,
        stacks: int,
        channels: int,
        modules: int,
        stem: tuple[int, int, int],
        input_size: tuple[int, int],
        skeleton: Skeleton = MPII_16,
        depth: int = 4,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        foreground: float = 0.0,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = HeatmapHead(input_size=input_size, heatmap_size=heatmap_size, sigma=1.0, foreground=foreground)
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1), persistent=False)
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(stem[0]),
            nn.ReLU(),
            Residual(stem[0], stem[1]),
            nn.MaxPool2d(2),
            Residual(stem[1], stem[2]),
            Residual(stem[2], channels),
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
        """Predict keypoints; see the class for shapes."""
        x = self.stem(images - self.mean)
        stages: list[Tensor] = []
        for i, hourglass in enumerate(self.hourglasses):
            features = hourglass(x)
            stages.append(self.to_heatmaps[i](features))
            if i < len(self.from_features):
                x = x + self.from_features[i](features) + self.from_heatmaps[i](stages[-1])
        keypoints, scores = self.head.decode(stages[-1])
        return PoseOutput(keypoints=keypoints, scores=scores, stages=tuple(stages))


def shg2(size: str, skeleton: Skeleton = MPII_16) -> StackedHourglass:
    """Stacked hourglass with two stacks: 2-SHG."""
    return _published(skeleton, stacks=2) if size == "published" else _compact(skeleton, stacks=2)


def shg8(size: str, skeleton: Skeleton = MPII_16) -> StackedHourglass:
    """Stacked hourglass with eight stacks: 8-SHG."""
    return _published(skeleton, stacks=8) if size == "published" else _compact(skeleton, stacks=8)


def _published(skeleton: Skeleton, *, stacks: int) -> StackedHourglass:
    return StackedHourglass(
        stacks=stacks, channels=256, modules=1, stem=(64, 128, 128), input_size=(256, 256), skeleton=skeleton
    )


def _compact(skeleton: Skeleton, *, stacks: int) -> StackedHourglass:
    return StackedHourglass(
        stacks=stacks,
        channels=64,
        modules=1,
        stem=(16, 32, 32),
        input_size=(128, 128),
        skeleton=skeleton,
        foreground=20.0,
    )
