"""Attack a module with the attributes skeleton, input_size and head, which needs no model spec."""

import torch
from torch import nn

import robustpose as rp
from robustpose.models.heads import CoordinateHead
from robustpose.skeletons import MPII_16
from robustpose.types import PoseOutput


class Regressor(nn.Module):
    """Predicts coordinates in [-0.5, 0.5] from images in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.skeleton, self.input_size, self.head = MPII_16, (128, 128), CoordinateHead(input_size=(128, 128))
        self.layers = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * 16 * 16, 32))

    def forward(self, images: torch.Tensor) -> PoseOutput:
        raw = self.layers(images - 0.5).reshape(len(images), 16, 2)
        return PoseOutput(*self.head.decode(raw), stages=(raw,))


if __name__ == "__main__":
    print(rp.attack(Regressor().eval(), "synthpose", attack="fgsm", eps="8/255", n=4))
