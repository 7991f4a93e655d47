"""Layers that several architectures share: ImageNet normalisation, and deconvolutions to maps.

The deconvolutions are those of Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV
2018, arXiv 1804.06208 (official code microsoft/human-pose-estimation.pytorch). ViTPose's classic decoder, integral
regression and SimCC use them too. The mean and deviation of ImageNet are torchvision's.
"""

from typing import Literal

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""RGB in [0, 1]."""


class Standardise(nn.Module):
    """Normalise images (N, 3, H, W) in [0, 1] for an ImageNet model.

    channels  channel order of the model. Code that reads images with OpenCV often does not convert BGR to RGB and
              applies the mean and deviation of RGB all the same; so does 'BGR'.
    """

    def __init__(self, *, channels: Literal["RGB", "BGR"] = "RGB") -> None:
        super().__init__()
        self.channels = channels
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> the same shape."""
        ordered = images.flip(1) if self.channels == "BGR" else images
        return (ordered - self.mean) / self.std


class Deconvolution(nn.Module):
    """`layers` 4x4 deconvolutions of stride 2 with batch norm and ReLU, and a 1x1 convolution to the maps."""

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
