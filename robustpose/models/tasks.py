"""Classification and segmentation on resdec's backbone: is pose more or less robust than the other tasks?

The paper studied compares pose with classification and segmentation across papers and nets; here the backbone,
the pictures and their number are the same, so what differs is the task. Not pose models: they give logits.

ActionClassifier  pooled features and a linear layer: ResNet, He et al. 2016 (arXiv 1512.03385)
PartSegmenter     resdec's deconvolutions with a class a map, upsampled bilinearly to the input
"""

import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models.deconvolution import Deconvolution
from robustpose.models.resdec import INPUT_SIZES, WIDTHS, backbone
from robustpose.models.resnet import ResNet
from robustpose.models.standardise import Standardise

ACTION_CLASSES = 16
PART_CLASSES = 15
"""Of the rendered people; numbers, for the models must not load the renderer."""


class ActionClassifier(nn.Module):
    """Say what the person does.

    forward: images (N, 3, H, W) in [0, 1] -> logits (N, classes).
    """

    def __init__(self, *, backbone: ResNet, input_size: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.classes = classes
        self.standardise = Standardise()
        self.backbone = backbone
        self.classify = nn.Linear(backbone.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Classify; see the class for shapes."""
        logits: Tensor = self.classify(self.backbone(self.standardise(images)).mean(dim=(2, 3)))
        return logits


class PartSegmenter(nn.Module):
    """Say of every pixel which part of the body it shows.

    width  channels of the deconvolutions

    forward: images (N, 3, H, W) in [0, 1] -> logits (N, classes, H, W).
    """

    def __init__(self, *, backbone: ResNet, width: int, input_size: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.classes = classes
        self.standardise = Standardise()
        self.backbone = backbone
        self.decoder = Deconvolution(backbone.channels, classes, width=width)

    def forward(self, images: Tensor) -> Tensor:
        """Segment; see the class for shapes."""
        quarter = self.decoder(self.backbone(self.standardise(images)))
        return F.interpolate(quarter, scale_factor=4, mode="bilinear", align_corners=False)


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
    # The 1 is a pixel: a class that is nowhere, and that the net sees nowhere, overlaps in full.
    overlap = (2 * both + 1) / (shares.sum(dim=2) + true.sum(dim=2) + 1)
    return cross_entropy.flatten(1).mean(dim=1) + 1 - overlap.mean(dim=1)


def action(size: str) -> ActionClassifier:
    """Classify the actions of the rendered people."""
    return ActionClassifier(backbone=backbone(size), input_size=INPUT_SIZES[size], classes=ACTION_CLASSES)


def parts(size: str) -> PartSegmenter:
    """Segment the body parts of the rendered people."""
    return PartSegmenter(
        backbone=backbone(size), width=WIDTHS[size], input_size=INPUT_SIZES[size], classes=PART_CLASSES
    )
