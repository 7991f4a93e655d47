"""SimCC: Li, Yang, Liu, Zhang, Wang, Wang, Yang, Xia, "SimCC: a Simple Coordinate Classification Perspective for
Human Pose Estimation", ECCV 2022, arXiv 2107.03332; official code leeyegy/SimCC.

Two classifications replace the heatmap: the flattened features of each keypoint go through one linear layer for x
and one for y, shared by all keypoints. Targets are Gaussians over the bins, and the loss is the Kullback-Leibler
divergence, as in the paper.

This is SimCC of 2022 on a ResNet with deconvolutions. It is NOT RTMPose's head (Jiang et al. 2023, arXiv
2303.07399: a 7x7 convolution, a linear layer and a gated attention unit on CSPNeXt's features, no deconvolutions),
which adopted the two classifications and their loss. Results on this model do not apply to RTMPose.

Differences: targets sum to 1 and the divergence is summed over the bins, where the official code does not
normalise the Gaussian and averages over the bins; and a bin is at its centre. There are 2 bins per pixel, and
sigma is 6 bins at 256x256 (as in the official code for MPII, there on HRNet-W32), 3 at 128x128.
"""

import torch
from torch import Tensor, nn

from robustpose.models.architectures.layers import Deconvolution, Standardise
from robustpose.models.architectures.resdec import INPUT_SIZES, WIDTHS, backbone
from robustpose.models.architectures.resnet import ResNet
from robustpose.models.heads import SimCCHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


class SimCC(nn.Module):
    """Classify x and y of every keypoint.

    width  channels of the deconvolutions
    sigma  of the target distributions, in bins

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one stage of logits (N, K, Lx + Ly), x first.
    """

    def __init__(
        self,
        *,
        backbone: ResNet,
        width: int,
        input_size: tuple[int, int],
        sigma: float,
        skeleton: Skeleton = MPII_16,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        self.head = SimCCHead(input_size=input_size, split=2.0, sigma=sigma)
        self.standardise = Standardise()
        self.backbone = backbone
        self.decoder = Deconvolution(backbone.channels, len(skeleton), width=width)
        cells = (input_size[0] // 4) * (input_size[1] // 4)
        ly, lx = self.head.bins
        self.classify_x = nn.Linear(cells, lx)
        self.classify_y = nn.Linear(cells, ly)

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        features = self.decoder(self.backbone(self.standardise(images))).flatten(2)
        raw = torch.cat([self.classify_x(features), self.classify_y(features)], dim=-1)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def simcc(size: str, skeleton: Skeleton = MPII_16) -> SimCC:
    """Classification of x and y on resdec's backbone: SimCC."""
    return SimCC(
        backbone=backbone(size),
        width=WIDTHS[size],
        input_size=INPUT_SIZES[size],
        sigma=3.0 if size == "compact" else 6.0,
        skeleton=skeleton,
    )
