"""One ResNet with two encodings of keypoints: the paper's controlled comparison.

resreg      pooled features and a linear layer give coordinates, as in DeepPose (arXiv 1312.4659)
resdec      deconvolutions give heatmaps: Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and
            Tracking", ECCV 2018, arXiv 1804.06208; official code microsoft/human-pose-estimation.pytorch
resdec_pre  resdec with a `backbone` that was pre-trained on another task

All three have the backbone of the Simple Baselines, ResNet-50 (the paper that we re-run does not say which
ResNet), three 4x4 deconvolutions of 256 channels, and Gaussians of sigma 2 at a quarter of the input's resolution.
The compact backbone is a narrow ResNet-18 with deconvolutions of 64 channels. The official code pre-trains on
ImageNet; here resdec_pre does, by `model.backbone.load_state_dict(...)` from tasks.ActionClassifier's backbone or
from torchvision's weights (torchvision_names.py).
"""

from typing import Literal

from torch import Tensor, nn

from robustpose.models.architectures.layers import Deconvolution, Standardise
from robustpose.models.architectures.resnet import Bottleneck, ResNet
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput

INPUT_SIZES = {"compact": (128, 128), "published": (256, 256)}
WIDTHS = {"compact": 64, "published": 256}
"""Channels of the deconvolutions."""


def backbone(size: str) -> ResNet:
    """Make the backbone that resreg, resdec and the models of tasks.py share."""
    if size == "published":
        return ResNet(blocks=(3, 4, 6, 3), width=64, block=Bottleneck)
    return ResNet(blocks=(2, 2, 2, 2), width=20)


class ResReg(nn.Module):
    """Regress every coordinate from the pooled features of the whole image.

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one coordinate stage (N, K, 2) in [-0.5, 0.5].
    """

    def __init__(self, *, backbone: ResNet, input_size: tuple[int, int], skeleton: Skeleton = MPII_16) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        self.head = CoordinateHead(input_size=input_size)
        self.standardise = Standardise()
        self.backbone = backbone
        self.regress = nn.Linear(backbone.channels, 2 * len(skeleton))

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        features = self.backbone(self.standardise(images)).mean(dim=(2, 3))
        raw = self.regress(features).reshape(-1, len(self.skeleton), 2)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


class ResDec(nn.Module):
    """Predict a heatmap for every keypoint from the features.

    width       channels of the deconvolutions
    sigma       of the heatmaps' Gaussians, in cells
    foreground  see HeatmapHead
    channels    channel order of the backbone's input

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one heatmap stage (N, K, H/4, W/4).
    """

    def __init__(
        self,
        *,
        backbone: ResNet,
        width: int,
        input_size: tuple[int, int],
        sigma: float,
        foreground: float = 0.0,
        skeleton: Skeleton = MPII_16,
        channels: Literal["RGB", "BGR"] = "RGB",
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        heatmap_size = (input_size[0] // 4, input_size[1] // 4)
        self.head = HeatmapHead(
            input_size=input_size, heatmap_size=heatmap_size, sigma=sigma, foreground=foreground
        )
        self.standardise = Standardise(channels=channels)
        self.backbone = backbone
        self.decoder = Deconvolution(backbone.channels, len(skeleton), width=width)

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        raw = self.decoder(self.backbone(self.standardise(images)))
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def resreg(size: str, skeleton: Skeleton = MPII_16) -> ResReg:
    """Direct coordinate regression on the same ResNet backbone as resdec: ResReg."""
    return ResReg(backbone=backbone(size), input_size=INPUT_SIZES[size], skeleton=skeleton)


def resdec(size: str, skeleton: Skeleton = MPII_16) -> ResDec:
    """Heatmaps by deconvolution on the same ResNet backbone as resreg: ResDec."""
    compact = size == "compact"
    return ResDec(
        backbone=backbone(size),
        width=WIDTHS[size],
        input_size=INPUT_SIZES[size],
        sigma=1.0 if compact else 2.0,
        foreground=20.0 if compact else 0.0,
        skeleton=skeleton,
    )


def resdec_pre(size: str, skeleton: Skeleton = MPII_16) -> ResDec:
    """ResDec with a pretrained backbone; only the weights differ from resdec."""
    return resdec(size, skeleton)
