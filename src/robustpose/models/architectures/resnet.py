"""ResNet trunk: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv 1512.03385.

It is written here because the usual packages do not install beside a CPU torch. The stride of a bottleneck is in
its 3x3 convolution, as in torchvision; in the paper it is in the first 1x1.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.skip = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.skip(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 at a quarter of the outputs' width, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        middle = outputs // self.expansion
        self.conv1 = nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.skip = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.skip(x))


class ResNet(nn.Module):
    """Stem and stages of residual blocks.

    `blocks` (3, 4, 6, 3) and `width` 64 make ResNet-34, or ResNet-50 with the block Bottleneck, whose features
    have 4 times as many channels. Every stage after the first halves the resolution and doubles the channels.

    forward: images (N, 3, H, W) -> features (N, 8 * width, H / 32, W / 32); with three stages
    (N, 4 * width, H / 16, W / 16).
    """

    def __init__(
        self, *, blocks: tuple[int, ...], width: int, block: type[BasicBlock] | type[Bottleneck] = BasicBlock
    ) -> None:
        super().__init__()
        self.channels = width * block.expansion * 2 ** (len(blocks) - 1)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages: list[nn.Module] = []
        inputs = width
        for stage, count in enumerate(blocks):
            outputs = width * block.expansion * 2**stage
            for position in range(count):
                stride = 2 if stage > 0 and position == 0 else 1
                stages.append(block(inputs, outputs, stride=stride))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        self._last_of_a_stage = frozenset(sum(blocks[: stage + 1]) - 1 for stage in range(len(blocks)))
        self.stride = 4 * 2 ** (len(blocks) - 1)
        self.level_channels = (width, *(width * block.expansion * 2**stage for stage in range(len(blocks))))

    def forward(self, images: Tensor) -> Tensor:
        """Compute features; see the class for shapes."""
        features: Tensor = self.stages(self.stem(images))
        return features

    def levels(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the features of every resolution, finest first: the stem's at one half, then each stage's.

        Their channels are level_channels; the last features are those of `forward`.
        """
        fine: Tensor = self.stem[:-1](images)
        found, features = [fine], self.stem[-1](fine)
        for number, each in enumerate(self.stages):
            features = each(features)
            if number in self._last_of_a_stage:
                found.append(features)
        return tuple(found)
