"""Classification and segmentation on resdec's backbone: is pose more or less robust than the other tasks?

The paper studied compares pose with classification and segmentation across papers and models; here the backbone
and the attacked images are the same, so what differs is the task, and how long each model learned it
(docs/zoo.md). Not pose models: they give logits.

ActionClassifier  every cell's features, thinned by a 1x1, and a linear layer over all of them, as VGG has it
                  (Simonyan, Zisserman 2014, arXiv 1409.1556): where a limb is says what a person does, and
                  ResNet's average over the cells forgets it
PartSegmenter     a decoder that gets the backbone's finer features back on the way up: U-Net, Ronneberger,
                  Fischer, Brox 2015 (arXiv 1505.04597); logits at a half, upsampled bilinearly to the input

Plainer heads were tried on the same backbone and 12,000 people: an average over the cells before the linear layer
(accuracy 63.2 [60.1, 66.2] on n = 1000 after 160,000 samples; all cells 65.7 [62.7, 68.8] after 192,000), and
resdec's deconvolutions for the parts (mean IoU 48.2 [47.2, 49.2] after 300,000), whose maps know of the image
what 4 x 4 cells hold. An action takes more people than a pose, for a person has one: 600,000 samples of 36,000
people come to 71.4 [68.7, 74.2]. A hidden layer, or finer cells, made no difference in the first 32,000 samples.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.architectures.layers import Standardise
from robustpose.models.architectures.resdec import INPUT_SIZES, WIDTHS, backbone
from robustpose.models.architectures.resnet import ResNet

ACTION_CLASSES = 16
PART_CLASSES = 15
"""Of the rendered people; numbers, for the models must not load the renderer."""


class ActionClassifier(nn.Module):
    """Say what the person does.

    width  features of each cell that are kept

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
    """Say of every pixel which part of the body it shows.

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
    """Double the resolution, join the backbone's features of that resolution, and mix them by a 3x3."""

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

    Cross-entropy; of maps its mean over the pixels, and 1 less the mean Dice overlap of the classes (Milletari et
    al. 2016, arXiv 1606.04797), without which small parts count for little: nine pixels in ten are background.
    """
    cross_entropy = F.cross_entropy(logits, truth, reduction="none")
    if logits.ndim == 2:
        return cross_entropy
    shares = logits.softmax(dim=1).flatten(2)
    true = F.one_hot(truth, logits.shape[1]).movedim(-1, 1).flatten(2).to(shares)
    both = (shares * true).sum(dim=2)
    # The 1 is a pixel: a class that is nowhere, and that the model sees nowhere, overlaps in full.
    overlap = (2 * both + 1) / (shares.sum(dim=2) + true.sum(dim=2) + 1)
    return cross_entropy.flatten(1).mean(dim=1) + 1 - overlap.mean(dim=1)


VERSION = 1
"""Of both: raised when the same weights compute something else; part of the keys of stored results."""


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
