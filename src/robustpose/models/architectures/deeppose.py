"""DeepPose: Toshev and Szegedy, "DeepPose: Human Pose Estimation via Deep Neural Networks", CVPR 2014,
arXiv 1312.4659, as in the paper: a ResNet-34 whose last layer gives two coordinates per keypoint.

One regression stage, no cascade. The compact size is the same ResNet-34 at a quarter of the width.
"""

from torch import Tensor, nn

from robustpose.models.architectures.resnet import ResNet
from robustpose.models.heads import CoordinateHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import PoseOutput


class DeepPose(nn.Module):
    """Regress every coordinate from the pooled features of the whole image.

    forward: images (N, 3, H, W) in [0, 1] -> PoseOutput with one coordinate stage (N, K, 2) in [-0.5, 0.5].
    """

    def __init__(self, *, width: int, input_size: tuple[int, int], skeleton: Skeleton = MPII_16) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.input_size = input_size
        self.head = CoordinateHead(input_size=input_size)
        self.backbone = ResNet(blocks=(3, 4, 6, 3), width=width)
        self.regress = nn.Linear(self.backbone.channels, 2 * len(skeleton))

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints; see the class for shapes."""
        features = self.backbone(images).mean(dim=(2, 3))
        raw = self.regress(features).reshape(-1, len(self.skeleton), 2)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def deeppose(size: str, skeleton: Skeleton = MPII_16) -> DeepPose:
    """Direct coordinate regression: DeepPose."""
    if size == "published":
        return DeepPose(width=64, input_size=(256, 256), skeleton=skeleton)
    return DeepPose(width=16, input_size=(128, 128), skeleton=skeleton)
