"""Colours as ImageNet's models take them: channel by channel less ImageNet's mean, divided by its deviation.

Families whose published models start from ImageNet weights do so; the numbers are torchvision's.
"""

from typing import Literal

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""RGB in [0, 1]."""


class Standardise(nn.Module):
    """Turn images (N, 3, H, W) in [0, 1] into what an ImageNet model takes.

    channels  the order that the model takes. Code that reads its images by OpenCV often forgot to turn BGR into
              RGB, and took RGB's mean and deviation all the same; so does 'BGR'.
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
