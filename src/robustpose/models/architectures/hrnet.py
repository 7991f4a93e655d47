"""HRNet: Sun, Xiao, Liu, Wang, "Deep High-Resolution Representation Learning for Human Pose Estimation",
CVPR 2019, arXiv 1902.09212; official code leoxiaobin/deep-high-resolution-net.pytorch.

One branch has a quarter of the input's resolution from the stem to the heatmaps. Each stage adds a coarser
parallel branch, and after every few blocks all branches exchange features. The published size is HRNet-W32. The
compact size is half as wide (its stem a quarter), with one block instead of four, two first bottlenecks, and 3 and
2 exchanges in the last stages instead of 4 and 3.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.architectures.layers import Standardise
from robustpose.models.architectures.resnet import BasicBlock, Bottleneck
from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


def convolution(inputs: int, outputs: int, *, stride: int, kernel: int = 3, relu: bool = True) -> nn.Sequential:
    """Make a convolution with batch norm."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def path(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Make the path between two branches: strided 3x3s downwards, a 1x1 and nearest upsampling upwards."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(convolution(widths[source], widths[target], stride=1, kernel=1, relu=False), up)
    stay = [convolution(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*stay, convolution(widths[source], widths[target], stride=2, relu=False))


class Exchange(nn.Module):
    """Set each of the first `outputs` branches to the sum over the paths from all branches."""

    def __init__(self, widths: tuple[int, ...], *, outputs: int) -> None:
        super().__init__()
        branches = range(len(widths))
        self.paths = nn.ModuleList(
            nn.ModuleList(path(widths, source, target) for source in branches) for target in range(outputs)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """(N, widths[i], h / 2 ** i, w / 2 ** i) for each branch i -> the same for the first `outputs`."""
        exchanged = []
        for paths in self.paths:
            assert isinstance(paths, nn.ModuleList)
            said = [way(features) for way, features in zip(paths, branches, strict=True)]
            exchanged.append(F.relu(sum(said[1:], start=said[0])))
        return exchanged


class Parallel(nn.Module):
    """`blocks` residual blocks on every branch, then an exchange."""

    def __init__(self, widths: tuple[int, ...], *, blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, stride=1) for _ in range(blocks))) for width in widths
        )
        self.exchange = Exchange(widths, outputs=outputs)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """(N, widths[i], h / 2 ** i, w / 2 ** i) for each branch i -> the same for the first `outputs`."""
        worked = [branch(features) for branch, features in zip(self.branches, branches, strict=True)]
        exchanged: list[Tensor] = self.exchange(worked)
        return exchanged


class HRNet(nn.Module):
    """Parallel branches at 1/4, 1/8, 1/16 and 1/32 of the input.

    width    channels of the finest branch; each coarser one has twice as many
    stem     channels of the stem; the first bottlenecks have 4 times as many
    first    number of bottlenecks before the branches
    modules  number of exchanges with two, three and four branches
    blocks   number of residual blocks per branch before an exchange

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage (N, K, H/4, W/4).
    """

    def __init__(
        self,
        *,
        width: int,
        stem: int,
        first: int,
        modules: tuple[int, int, int],
        blocks: int,
        input_size: tuple[int, int],
        sigma: float,
        foreground: float = 0.0,
        skeleton: Skeleton = MPII_16,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = HeatmapHead(
            input_size=input_size, heatmap_size=heatmap_size, sigma=sigma, foreground=foreground
        )
        self.standardise = Standardise()
        wide = 4 * stem
        self.stem = nn.Sequential(convolution(3, stem, stride=2), convolution(stem, stem, stride=2))
        self.first = nn.Sequential(*(Bottleneck(stem if i == 0 else wide, wide, stride=1) for i in range(first)))
        widths = tuple(width * 2**i for i in range(4))
        # The first transition makes two branches of one; each later one adds a coarser branch.
        self.narrow = convolution(wide, widths[0], stride=1)
        self.coarser = nn.ModuleList(
            convolution(inputs, outputs, stride=2)
            for inputs, outputs in zip((wide, *widths[1:3]), widths[1:], strict=True)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(
                # Heatmaps come from the finest branch, so the last exchange computes only this one.
                Parallel(widths[:n], blocks=blocks, outputs=1 if n == len(widths) and module == count - 1 else n)
                for module in range(count)
            )
            for n, count in enumerate(modules, start=2)
        )
        self.to_heatmaps = nn.Conv2d(width, len(skeleton), 1)

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        x = self.first(self.stem(self.standardise(images)))
        branches = [self.narrow(x), self.coarser[0](x)]
        for i, stage in enumerate(self.stages):
            if i > 0:
                branches = [*branches, self.coarser[i](branches[-1])]
            assert isinstance(stage, nn.ModuleList)
            for parallel in stage:
                branches = parallel(branches)
        raw = self.to_heatmaps(branches[0])
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def hrnet(size: str, skeleton: Skeleton = MPII_16) -> HRNet:
    """High-resolution features throughout the network: HRNet-W32."""
    if size == "published":
        return HRNet(
            width=32,
            stem=64,
            first=4,
            modules=(1, 4, 3),
            blocks=4,
            input_size=(256, 256),
            sigma=2.0,
            skeleton=skeleton,
        )
    return HRNet(
        width=16,
        stem=16,
        first=2,
        modules=(1, 3, 2),
        blocks=1,
        input_size=(128, 128),
        sigma=1.0,
        foreground=20.0,
        skeleton=skeleton,
    )
