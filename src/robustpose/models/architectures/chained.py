"""Chained: Gkioxari, Toshev, Jaitly, "Chained Predictions Using Convolutional Neural Networks", ECCV 2016, arXiv
1605.02346, as implemented by the paper's authors (their code: Naman-ntc/Pytorch-Human-Pose-Estimation).

Keypoints are predicted one after another. A hidden state starts from the image's features; before each keypoint,
the maps of ALL earlier keypoints are added to it. Each keypoint has its own decoder: sums of 2x2, 4x4 and 6x6
transposed convolutions, twice. So an error at one keypoint affects every later one.

As in the paper, there are ResNet-34 features of 8x8, 64 hidden channels and maps of 32x32 (the original has an
Inception trunk). Our chain starts at the head; the paper's is in MPII's row order, from the right ankle. In its
code two 1x1 convolutions of stride 2 read a map, so only every fourth row and column is used. The published size
does the same. The compact size has 2x2 convolutions, so that every cell is used, and features at stride 16, so
that maps still have 32x32 cells.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models.architectures.resnet import ResNet
from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import COCO_17, MPII_16, Skeleton
from robustpose.types import PoseOutput

FROM_THE_HEAD = (
    *("head_top", "upper_neck", "thorax", "right_shoulder", "left_shoulder"),
    *("right_elbow", "left_elbow", "right_wrist", "left_wrist"),
    *("pelvis", "right_hip", "left_hip", "right_knee", "left_knee", "right_ankle", "left_ankle"),
)
"""The order in which MPII's keypoints are predicted: each after the one that it is attached to."""

FROM_THE_NOSE = COCO_17.keypoints
"""The same for COCO, whose own order has this property."""


class Deception(nn.Module):
    """Compute one map of four times the resolution: the paper's Inception-like deconvolution."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        middle = hidden // 2
        self.start = nn.Conv2d(hidden, middle, 1)
        self.doublings = nn.ModuleList(
            nn.ModuleList(
                nn.ConvTranspose2d(middle, middle, kernel, stride=2, padding=kernel // 2 - 1)
                for kernel in (2, 4, 6)
            )
            for _ in range(2)
        )
        self.end = nn.Conv2d(middle, 1, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, hidden, h, w) -> (N, 1, 4 h, 4 w)."""
        x = self.start(hidden)
        for doubling in self.doublings:
            assert isinstance(doubling, nn.ModuleList)
            x = torch.stack([deconvolve(x) for deconvolve in doubling]).sum(dim=0)
        out: Tensor = self.end(x)
        return out


def take_in(hidden: int, *, kernel: int) -> nn.Sequential:
    """Make the layers from a map (N, 1, 4 h, 4 w) to the hidden state's shape (N, hidden, h, w)."""
    return nn.Sequential(
        nn.Conv2d(1, hidden, 1),
        nn.Conv2d(hidden, hidden, kernel, stride=2),
        nn.BatchNorm2d(hidden),
        nn.Conv2d(hidden, hidden, kernel, stride=2),
        nn.BatchNorm2d(hidden),
    )


class Chained(nn.Module):
    """Predict each keypoint from the image and the maps of all earlier keypoints.

    blocks  of the ResNet; its features have a quarter of the heatmaps' resolution
    kernel  of the stride-2 convolutions that read a map
    order   names of all keypoints in the order of prediction

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage, in the skeleton's order.
    """

    def __init__(
        self,
        *,
        blocks: tuple[int, ...],
        width: int,
        hidden: int,
        kernel: int,
        input_size: tuple[int, int],
        skeleton: Skeleton = MPII_16,
        order: tuple[str, ...] = FROM_THE_HEAD,
        foreground: float = 0.0,
    ) -> None:
        super().__init__()
        if sorted(order) != sorted(skeleton.keypoints):
            raise ValueError(f"order must name every keypoint of {skeleton.name} once, got {', '.join(order)}")
        self.skeleton = skeleton
        self.input_size = input_size
        self.order = order
        stride = 2 ** (len(blocks) + 1) // 4
        self.head = HeatmapHead(
            input_size=input_size,
            heatmap_size=(input_size[0] // stride, input_size[1] // stride),
            foreground=foreground,
        )
        k = len(skeleton)
        self.backbone = ResNet(blocks=blocks, width=width)
        self.start = nn.Conv2d(self.backbone.channels, hidden, 1)
        self.deceptions = nn.ModuleList(Deception(hidden) for _ in range(k))
        self.carry = nn.ModuleList(
            nn.Sequential(nn.Conv2d(hidden, hidden, 1), nn.BatchNorm2d(hidden)) for _ in range(k - 1)
        )
        self.take_in = nn.ModuleList(
            nn.ModuleList(take_in(hidden, kernel=kernel) for _ in range(found)) for found in range(1, k)
        )
        self.rows = [order.index(name) for name in skeleton.keypoints]

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        hidden = self.start(self.backbone(images))
        maps: list[Tensor] = [self.deceptions[0](hidden)]
        for carry, earlier, deception in zip(self.carry, self.take_in, self.deceptions[1:], strict=True):
            assert isinstance(earlier, nn.ModuleList)
            hidden = carry(hidden)
            for seen, take in zip(maps, earlier, strict=True):
                hidden = hidden + take(seen)
            hidden = F.relu(hidden)
            maps.append(deception(hidden))
        raw = torch.cat(maps, dim=1)[:, self.rows]
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def order_for(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the order in which a skeleton's keypoints are predicted; RobustPoseError where none is known."""
    for order in (FROM_THE_HEAD, FROM_THE_NOSE):
        if sorted(order) == sorted(skeleton.keypoints):
            return order
    raise RobustPoseError(
        f"chained predicts keypoints in a fixed order, which is known for {MPII_16.name} and {COCO_17.name}, not "
        f"for {skeleton.name}"
    )


def chained(size: str, skeleton: Skeleton = MPII_16) -> Chained:
    """Sequential prediction, one keypoint after another: Chained."""
    order = order_for(skeleton)
    if size == "published":
        return Chained(
            blocks=(3, 4, 6, 3),
            width=64,
            hidden=64,
            kernel=1,
            input_size=(256, 256),
            skeleton=skeleton,
            order=order,
        )
    return Chained(
        blocks=(3, 4, 6),
        width=20,
        hidden=24,
        kernel=2,
        input_size=(128, 128),
        skeleton=skeleton,
        order=order,
        foreground=20.0,
    )
