"""Integral regression: Sun, Xiao, Wei, Liang, Wei, "Integral Human Pose Regression", ECCV 2018, arXiv 1711.08229;
official code JimmySuen/integral-human-pose.

A heatmap model whose maps are not supervised. A softmax turns each map into a distribution, and the keypoint is
its mean (soft-argmax), trained with the L1 distance to the truth (the paper's I1). Backbone and deconvolutions are
those of resdec, as published. Differences: two dimensions instead of three, and a cell is at its centre, where the
official code has it half a cell up and left. The maps have a quarter of the input's resolution.
"""

import torch
from torch import Tensor, nn

from robustpose import geometry
from robustpose.models.architectures.layers import Deconvolution, Standardise
from robustpose.models.architectures.resdec import INPUT_SIZES, WIDTHS, backbone
from robustpose.models.architectures.resnet import ResNet
from robustpose.models.heads import CoordinateHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


def soft_argmax(maps: Tensor) -> Tensor:
    """Return the mean (N, K, 2), in cells, of the softmax of each map (N, K, h, w)."""
    h, w = maps.shape[2:]
    # A mean over many cells needs more precision than bfloat16 has.
    exact = torch.promote_types(maps.dtype, torch.float32)
    shares = maps.flatten(2).softmax(dim=-1, dtype=exact).reshape(maps.shape)
    x = (shares.sum(dim=2) * torch.arange(w, device=maps.device, dtype=exact)).sum(dim=-1)
    y = (shares.sum(dim=3) * torch.arange(h, device=maps.device, dtype=exact)).sum(dim=-1)
    return torch.stack([x, y], dim=-1)


class Integral(nn.Module):
    """Regress every coordinate as the mean of a map.

    width  channels of the deconvolutions

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one coordinate stage (N, K, 2) in [-0.5, 0.5].
    """

    def __init__(
        self, *, backbone: ResNet, width: int, input_size: tuple[int, int], skeleton: Skeleton = MPII_16
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        self.head = CoordinateHead(input_size=input_size, error="absolute", kind="integral")
        self.standardise = Standardise()
        self.backbone = backbone
        self.decoder = Deconvolution(backbone.channels, len(skeleton), width=width)

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        maps = self.decoder(self.backbone(self.standardise(images)))
        heatmap_size = (maps.shape[2], maps.shape[3])
        pixels = geometry.cells_to_pixels(soft_argmax(maps), heatmap_size=heatmap_size, input_size=self.input_size)
        raw = geometry.pixels_to_unit(pixels, input_size=self.input_size)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def integral(size: str, skeleton: Skeleton = MPII_16) -> Integral:
    """Integral regression: coordinates by soft-argmax of heatmaps."""
    return Integral(backbone=backbone(size), width=WIDTHS[size], input_size=INPUT_SIZES[size], skeleton=skeleton)
