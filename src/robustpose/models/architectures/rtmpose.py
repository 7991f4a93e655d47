"""RTMPose: Jiang, Lu, Zhang, Ma, Han, Lyu, Li, Chen, "RTMPose: Real-Time Multi-Person Pose Estimation based on
MMPose", 2023, arXiv 2303.07399.

A CSPNeXt backbone (Lyu et al. 2022, arXiv 2212.07784), a 7x7 convolution to one map per keypoint, a gated
attention unit (Hua et al. 2022, arXiv 2202.10447) over the flattened maps, and SimCC's two classifications. Parts
have the names of MMPose's state dicts. It is opened from checkpoints only: see models/released.py.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.architectures.layers import Standardise
from robustpose.models.heads import SimCCHead
from robustpose.skeletons import Skeleton
from robustpose.types import PoseOutput

BETA = 10.0
"""Factor of the logits and of the Gaussian targets before their softmax, in RTMPose's loss."""


class Conv(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride)."""
        return F.silu(self.bn(self.conv(x)))


class Separable(nn.Module):
    """A depthwise 5x5 and a pointwise convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise_conv = Conv(width, width, 5, groups=width)
        self.pointwise_conv = Conv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        mixed: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return mixed


class Block(nn.Module):
    """A 3x3, a separable 5x5, and in all stages but the last a shortcut."""

    def __init__(self, width: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1, self.conv2, self.shortcut = Conv(width, width, 3), Separable(width), shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class ChannelAttention(nn.Module):
    """Weigh each channel by a function of the means of all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        weights: Tensor = F.hardsigmoid(self.fc(x.mean(dim=(2, 3), keepdim=True)))
        return x * weights


class CrossStage(nn.Module):
    """Half of the channels through blocks, half around them."""

    def __init__(self, width: int, *, blocks: int, shortcut: bool) -> None:
        super().__init__()
        half = width // 2
        self.main_conv, self.short_conv = Conv(width, half, 1), Conv(width, half, 1)
        self.final_conv = Conv(2 * half, width, 1)
        self.blocks = nn.Sequential(*(Block(half, shortcut=shortcut) for _ in range(blocks)))
        self.attention = ChannelAttention(2 * half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        around, through = self.short_conv(x), self.blocks(self.main_conv(x))
        merged: Tensor = self.final_conv(self.attention(torch.cat([through, around], dim=1)))
        return merged


class PyramidPooling(nn.Module):
    """Maxima over 5x5, 9x9 and 13x13 cells, beside the features themselves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(width, width // 2, 1), Conv(4 * (width // 2), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) -> the same shape."""
        x = self.conv1(x)
        pooled = [F.max_pool2d(x, side, stride=1, padding=side // 2) for side in (5, 9, 13)]
        merged: Tensor = self.conv2(torch.cat([x, *pooled], dim=1))
        return merged


class CSPNeXt(nn.Module):
    """A stem and four stages that halve the resolution; the last one pools.

    width   channels of the stem; each stage has twice as many as the one before
    blocks  per stage
    """

    def __init__(self, *, width: int, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(Conv(3, half, 3, stride=2), Conv(half, half, 3), Conv(half, width, 3))
        for number, count in enumerate(blocks, start=1):
            outputs, last = width * 2**number, number == len(blocks)
            parts: list[nn.Module] = [Conv(outputs // 2, outputs, 3, stride=2)]
            parts += [PyramidPooling(outputs)] if last else []
            parts += [CrossStage(outputs, blocks=count, shortcut=not last)]
            self.add_module(f"stage{number}", nn.Sequential(*parts))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 16 width, H / 32, W / 32)."""
        x = self.stem(x)
        for number in range(1, 5):
            x = self.get_submodule(f"stage{number}")(x)
        return x


class ScaleNorm(nn.Module):
    """Divide vectors by their root mean square, and multiply by one learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, K, D) -> the same shape."""
        size = torch.linalg.vector_norm(x, dim=2, keepdim=True) * x.shape[2] ** -0.5
        scaled: Tensor = x / size.clamp_min(1e-5) * self.g
        return scaled


class Scale(nn.Module):
    """Multiply each feature by a learned number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, K, width) -> the same shape."""
        return x * self.scale


class GatedAttention(nn.Module):
    """One head of attention between the keypoints; a squared ReLU in place of a softmax, and a gate."""

    def __init__(self, width: int, *, keys: int = 128) -> None:
        super().__init__()
        self.wide, self.keys = 2 * width, keys
        self.ln, self.res_scale = ScaleNorm(), Scale(width)
        self.uv = nn.Linear(width, 2 * self.wide + keys, bias=False)
        self.o = nn.Linear(self.wide, width, bias=False)
        self.gamma, self.beta = nn.Parameter(torch.ones(2, keys)), nn.Parameter(torch.zeros(2, keys))

    def forward(self, x: Tensor) -> Tensor:
        """(N, K, width) -> the same shape."""
        mixed = F.silu(self.uv(self.ln(x)))
        gate, values, base = torch.split(mixed, [self.wide, self.wide, self.keys], dim=2)
        asked, offered = (base[:, :, None] * self.gamma + self.beta).unbind(dim=2)
        weights = F.relu(asked @ offered.transpose(1, 2) / math.sqrt(self.keys)).square()
        attended: Tensor = self.res_scale(x) + self.o(gate * (weights @ values))
        return attended


class ClassifyingHead(nn.Module):
    """Maps of the keypoints, attention between them, and the logits of x and of y."""

    def __init__(self, inputs: int, *, keypoints: int, cells: int, hidden: int, bins: tuple[int, int]) -> None:
        super().__init__()
        self.final_layer = nn.Conv2d(inputs, keypoints, 7, padding=3)
        self.mlp = nn.Sequential(ScaleNorm(), nn.Linear(cells, hidden, bias=False))
        self.gau = GatedAttention(hidden)
        self.cls_x, self.cls_y = nn.Linear(hidden, bins[1], bias=False), nn.Linear(hidden, bins[0], bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> logits (N, K, Lx + Ly)."""
        x = self.gau(self.mlp(self.final_layer(features).flatten(2)))
        return torch.cat([self.cls_x(x), self.cls_y(x)], dim=-1)


class RTMPose(nn.Module):
    """RTMPose of any size.

    width, blocks  of CSPNeXt; the medium size has 48 and (2, 4, 4, 2)
    hidden         width of the attention
    split          bins per pixel

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one stage of logits (N, K, Lx + Ly), x first.
    """

    def __init__(
        self,
        *,
        width: int,
        blocks: tuple[int, int, int, int],
        hidden: int,
        input_size: tuple[int, int],
        skeleton: Skeleton,
        split: float = 2.0,
    ) -> None:
        super().__init__()
        height, wide = input_size
        self.skeleton, self.input_size = skeleton, input_size
        # The standard deviations of its configurations: 4.9 and 5.66 bins at 256 x 192, 6 and 6.93 at 384 x 288.
        sigma = (math.sqrt(wide / 8), math.sqrt(height / 8))
        self._head = SimCCHead(input_size=input_size, split=split, sigma=sigma, lattice="corners", peak=BETA)
        self.standardise = Standardise()
        self.backbone = CSPNeXt(width=width, blocks=blocks)
        cells = (height // 32) * (wide // 32)
        self.classify = ClassifyingHead(
            16 * width, keypoints=len(skeleton), cells=cells, hidden=hidden, bins=self._head.bins
        )

    @property
    def head(self) -> SimCCHead:
        """The bins; MMPose calls the layers before them its head."""
        return self._head

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        raw = BETA * self.classify(self.backbone(self.standardise(images)))
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))
