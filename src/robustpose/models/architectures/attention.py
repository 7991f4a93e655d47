"""Attention-HG: Chu, Yang, Ouyang, Ma, Yuille, Wang, "Multi-Context Attention for Human Pose Estimation", CVPR
2017, arXiv 1702.07432; official code bearpaw/pose-attention.

A stacked hourglass with three additions. Hourglass residual units have a larger receptive field through a pooled
branch. Attention maps, computed from the features of every scale and smoothed by a conditional random field (mean
field, three iterations of one learned kernel), weight the features of each stack. The later half of the stacks
also has one attention map per keypoint, so that each keypoint's heatmap has its own weighted features.

As published, there are 8 stacks, the first 4 with holistic and the last 4 with part attention; the last stack is
twice as wide, and the stem's first convolution has full resolution. The attention maps of coarser scales are in
the paper but not in the official code, which weights the finest features only; we include them (0.1% of the
parameters). A keypoint's attention is a scalar per cell, so it is applied after the 1x1 convolution that computes
the heatmap: the result is the same without K copies of the features. The compact size has 2 stacks, the second
with part attention, and a smaller kernel because its maps have half the size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.architectures.hourglass import Residual
from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


class HourglassResidual(nn.Module):
    """A residual module with a third branch: two 3x3 convolutions at half the resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = Residual(channels, channels)
        self.pooled = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="nearest"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> the same shape; h and w must be even."""
        out: Tensor = self.residual(x) + self.pooled(x)
        return out


class ScaledHourglass(nn.Module):
    """An hourglass that returns its features at every scale; finer scales have more residual units."""

    def __init__(self, channels: int, *, depth: int) -> None:
        super().__init__()
        units = [HourglassResidual(channels) for _ in range(depth - 2)]
        self.stay = nn.Sequential(Residual(channels, channels), *units)
        self.down = Residual(channels, channels)
        self.inner: ScaledHourglass | Residual = (
            ScaledHourglass(channels, depth=depth - 1) if depth > 1 else Residual(channels, channels)
        )
        self.up = Residual(channels, channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, channels, h, w) -> features of `depth` scales, coarsest first, the last of x's shape."""
        low = self.down(F.max_pool2d(x, 2))
        scales = self.inner(low) if isinstance(self.inner, ScaledHourglass) else []
        innermost = scales[-1] if scales else self.inner(low)
        raised = F.interpolate(self.up(innermost), scale_factor=2, mode="nearest")
        return [*scales, self.stay(x) + raised]


def mean_field(unary: Tensor, spread: nn.Module, *, iterations: int = 3) -> Tensor:
    """Smooth scores by mean field: belief = sigmoid(unary + spread(belief)), starting from `unary`.

    unary (N, M, h, w) -> beliefs of the same shape, in (0, 1).
    """
    belief = unary
    for _ in range(iterations):
        belief = torch.sigmoid(unary + spread(belief))
    return belief


class Attention(nn.Module):
    """Compute attention maps from features; each map has its own kernel, shared by all iterations."""

    def __init__(self, channels: int, *, maps: int, kernel: int) -> None:
        super().__init__()
        self.unary = nn.Conv2d(channels, maps, 3, padding=1)
        self.spread = nn.Conv2d(maps, maps, kernel, padding=kernel // 2, groups=maps)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, maps, h, w) in (0, 1)."""
        return mean_field(self.unary(features), self.spread)


class PartAttention(nn.Module):
    """Compute each keypoint's heatmap from features weighted by its own attention map."""

    def __init__(self, channels: int, *, keypoints: int, kernel: int) -> None:
        super().__init__()
        self.attention = Attention(channels, maps=keypoints, kernel=kernel)
        self.score = nn.Conv2d(channels, keypoints, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(keypoints, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) -> heatmaps (N, K, h, w)."""
        out: Tensor = self.attention(features) * self.score(features) + self.bias
        return out


def linear(inputs: int, outputs: int) -> nn.Sequential:
    """1x1 convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Stack(nn.Module):
    """One hourglass, its holistic attention over all scales, and its heatmaps.

    outputs  channels of the features from which the heatmaps are computed
    parts    whether each keypoint has its own attention map
    """

    def __init__(
        self, channels: int, *, outputs: int, keypoints: int, parts: bool, kernel: int, depth: int
    ) -> None:
        super().__init__()
        self.hourglass = ScaledHourglass(channels, depth=depth)
        self.first, self.second = linear(channels, outputs), linear(outputs, outputs)
        widths = [channels] * (depth - 1) + [outputs]
        self.holistic = nn.ModuleList(Attention(width, maps=1, kernel=kernel) for width in widths)
        self.to_heatmaps: nn.Module = (
            PartAttention(outputs, keypoints=keypoints, kernel=kernel)
            if parts
            else nn.Conv2d(outputs, keypoints, 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, channels, h, w) -> features (N, outputs, h, w) for the next stack, heatmaps (N, K, h, w)."""
        scales = self.hourglass(x)
        features = self.first(scales[-1])
        refined = self.second(features)
        size = refined.shape[2:]
        maps = [
            F.interpolate(attention(scale), size=size, mode="nearest")
            for attention, scale in zip(self.holistic, [*scales[:-1], refined], strict=True)
        ]
        return features, self.to_heatmaps(refined * torch.stack(maps).sum(dim=0))


class AttentionHourglass(nn.Module):
    """`stacks` hourglasses with holistic attention; those of the second half also have part attention.

    stem    channels of the first convolution
    kernel  of the conditional random fields, in cells; odd

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage (N, K, H/4, W/4) per stack.
    """

    def __init__(
        self,
        *,
        stacks: int,
        channels: int,
        stem: int,
        kernel: int,
        input_size: tuple[int, int],
        skeleton: Skeleton = MPII_16,
        depth: int = 4,
        foreground: float = 0.0,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = HeatmapHead(input_size=input_size, heatmap_size=heatmap_size, foreground=foreground)
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 7, padding=3, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            Residual(stem, stem),
            nn.MaxPool2d(2),
            Residual(stem, stem),
            Residual(stem, stem * 2),
            nn.MaxPool2d(2),
            Residual(stem * 2, stem * 2),
            Residual(stem * 2, stem * 2),
            Residual(stem * 2, channels),
        )
        k, last = len(skeleton), stacks - 1
        self.stacks = nn.ModuleList(
            Stack(
                channels,
                outputs=channels * 2 if i == last else channels,
                keypoints=k,
                parts=i >= stacks // 2,
                kernel=kernel,
                depth=depth,
            )
            for i in range(stacks)
        )
        self.from_features = nn.ModuleList(linear(channels, channels) for _ in range(last))
        self.from_heatmaps = nn.ModuleList(nn.Conv2d(k, channels, 1) for _ in range(last))

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        x = self.stem(images)
        stages: list[Tensor] = []
        for i, stack in enumerate(self.stacks):
            features, heatmaps = stack(x)
            stages.append(heatmaps)
            if i < len(self.from_features):
                x = x + self.from_features[i](features) + self.from_heatmaps[i](heatmaps)
        keypoints, scores = self.head.decode(stages[-1])
        return PoseOutput(keypoints=keypoints, scores=scores, stages=tuple(stages))


def attention_hg(size: str, skeleton: Skeleton = MPII_16) -> AttentionHourglass:
    """Hourglass with multi-context attention: Attention-HG."""
    if size == "published":
        return AttentionHourglass(
            stacks=8, channels=256, stem=64, kernel=11, input_size=(256, 256), skeleton=skeleton
        )
    return AttentionHourglass(
        stacks=2, channels=64, stem=8, kernel=5, input_size=(128, 128), foreground=20.0, skeleton=skeleton
    )
