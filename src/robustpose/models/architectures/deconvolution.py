"""From coarse features to maps by transposed convolutions: Xiao, Wu, Wei, "Simple Baselines for Human Pose
Estimation and Tracking", ECCV 2018, arXiv 1804.06208; official code microsoft/human-pose-estimation.pytorch.

ViTPose's classic decoder and the models of integral regression and SimCC are built on the same layers.
"""

from torch import Tensor, nn


class Deconvolution(nn.Module):
    """`layers` 4x4 deconvolutions of stride 2, each with batch norm and ReLU, and a 1x1 to the maps."""

    def __init__(self, inputs: int, maps: int, *, width: int, layers: int = 3) -> None:
        super().__init__()
        up: list[nn.Module] = []
        for _ in range(layers):
            up += [
                nn.ConvTranspose2d(inputs, width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            inputs = width
        self.up = nn.Sequential(*up)
        self.to_maps = nn.Conv2d(width, maps, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, maps, h * 2 ** layers, w * 2 ** layers)."""
        maps: Tensor = self.to_maps(self.up(features))
        return maps
