"""Classification and segmentation on resdec's backbone, to compare their robustness with that of pose.

The paper compares pose with classification and segmentation across papers and models. Here the backbone and the
attacked images are the same, so only the task and the length of training differ (docs/zoo.md). These models return
logits, not poses.

ActionClassifier  a 1x1 convolution, and a linear layer over all cells, as in VGG (Simonyan, Zisserman 2014, arXiv
                  1409.1556): the action depends on where limbs are, which ResNet's average pooling discards
PartSegmenter     a decoder with skip connections to the backbone's finer features: U-Net, Ronneberger, Fischer,
                  Brox 2015 (arXiv 1505.04597); logits at half resolution, upsampled bilinearly to the input's

Simpler heads were tried on the same backbone and 12,000 people: average pooling before the linear layer (accuracy
63.2 [60.1, 66.2] on n = 1000 after 160,000 samples; all cells 65.7 [62.7, 68.8] after 192,000), and resdec's
deconvolutions for the parts, from 4 x 4 cells (mean IoU 48.2 [47.2, 49.2] after 300,000). Actions need more people
than poses, because a person has only one: 600,000 samples of 36,000 people give 71.4 [68.7, 74.2]. A hidden layer
or finer cells made no difference in the first 32,000 samples.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.architectures.layers import Standardise
from robustpose.models.architectures.resdec import INPUT_SIZES, WIDTHS, backbone
from robustpose.models.architectures.resnet import ResNet

ACTION_CLASSES = 16
PART_CLASSES = 15
"""Numbers of classes of the rendered people, repeated here so that models do not load the renderer."""


class ActionClassifier(nn.Module):
    """Classify the person's action.

    width  channels after the 1x1 convolution

    forward: images (N, 3, H, W) in [0, 1] -> logits (N, classes).
    """

    def __init__(self, *, backbone: ResNet, width: int, input_size: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.classes = classes
        self.standardise = Standardise()
        self.backbone = backbone
        self.thin = nn.Sequential(
            nn.Conv2d(backbone.channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        cells = (input_size[0] // backbone.stride) * (input_size[1] // backbone.stride)
        self.classify = nn.Linear(cells * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Classify; see the class for shapes."""
        logits: Tensor = self.classify(self.thin(self.backbone(self.standardise(images))).flatten(1))
        return logits


class PartSegmenter(nn.Module):
    """Classify the body part at every pixel.

    width  channels of the decoder; half as many at the finest resolution

    forward: images (N, 3, H, W) in [0, 1] -> logits (N, classes, H, W).
    """

    def __init__(self, *, backbone: ResNet, width: int, input_size: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.classes = classes
        self.standardise = Standardise()
        self.backbone = backbone
        *finer, inputs = backbone.level_channels
        ups: list[nn.Module] = []
        for level in reversed(range(len(finer))):
            outputs = width if level else width // 2
            ups.append(_Up(inputs, finer[level], outputs))
            inputs = outputs
        self.ups = nn.ModuleList(ups)
        self.classify = nn.Conv2d(inputs, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Segment; see the class for shapes."""
        *finer, features = self.backbone.levels(self.standardise(images))
        for up, skipped in zip(self.ups, reversed(finer), strict=True):
            features = up(features, skipped)
        return F.interpolate(self.classify(features), scale_factor=2, mode="bilinear", align_corners=False)


class _Up(nn.Module):
    """Double the resolution, concatenate the backbone's features, and apply a 3x3 convolution."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(inputs + skipped, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )

    def forward(self, coarse: Tensor, skipped: Tensor) -> Tensor:
        """(N, inputs, h, w), (N, skipped, 2 h, 2 w) -> (N, outputs, 2 h, 2 w)."""
        mixed: Tensor = self.mix(torch.cat([F.interpolate(coarse, scale_factor=2.0), skipped], dim=1))
        return mixed


def task_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the training loss (N,): logits (N, classes) or (N, classes, H, W), truth (N,) or (N, H, W).

    Cross-entropy; for maps its mean over pixels plus 1 minus the mean Dice overlap of the classes (Milletari et
    al. 2016, arXiv 1606.04797), because nine pixels in ten are background and small parts would hardly count.
    """
    cross_entropy = F.cross_entropy(logits, truth, reduction="none")
    if logits.ndim == 2:
        return cross_entropy
    shares = logits.softmax(dim=1).flatten(2)
    true = F.one_hot(truth, logits.shape[1]).movedim(-1, 1).flatten(2).to(shares)
    both = (shares * true).sum(dim=2)
    # The 1 is one pixel: a class that is absent in truth and prediction has overlap 1.
    overlap = (2 * both + 1) / (shares.sum(dim=2) + true.sum(dim=2) + 1)
    return cross_entropy.flatten(1).mean(dim=1) + 1 - overlap.mean(dim=1)


VERSION = 1
"""Of both models: raised when the same weights compute something else; part of the keys of stored results."""


def action(size: str) -> ActionClassifier:
    """Classify the action of a rendered person."""
    return ActionClassifier(
        backbone=backbone(size), width=WIDTHS["compact"], input_size=INPUT_SIZES[size], classes=ACTION_CLASSES
    )


def parts(size: str) -> PartSegmenter:
    """Segment the body parts of a rendered person."""
    return PartSegmenter(
        backbone=backbone(size), width=WIDTHS[size], input_size=INPUT_SIZES[size], classes=PART_CLASSES
    )
