"""SimCC: a class for x and a class for y; the head itself is tested with the other heads."""

import pytest
import torch
from torch import nn

from robustpose.models import build
from robustpose.models.architectures.resdec import backbone
from robustpose.models.architectures.simcc import SimCC
from robustpose.models.heads import SimCCHead
from robustpose.skeletons import COCO_17


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_logits_of_x_come_first_and_all_keypoints_share_the_layers() -> None:
    torch.manual_seed(0)
    model = SimCC(backbone=backbone("compact"), width=8, input_size=(64, 96), sigma=3.0).eval()
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        raw = model(images).stages[0]
        features = model.decoder(model.backbone(model.standardise(images)))
        assert features.shape == (1, 16, 16, 24)
        assert raw.shape == (1, 16, 2 * 96 + 2 * 64)
        for k in (0, 7):
            torch.testing.assert_close(raw[0, k, :192], model.classify_x(features[0, k].flatten()))
            torch.testing.assert_close(raw[0, k, 192:], model.classify_y(features[0, k].flatten()))


@pytest.mark.parametrize(("size", "head"), [("compact", (128, 3.0)), ("published", (256, 6.0))])
def test_two_bins_a_pixel(size: str, head: tuple[int, float]) -> None:
    side, sigma = head
    model = build("simcc", size=size)
    assert isinstance(model, SimCC)
    assert model.head == SimCCHead(input_size=(side, side), split=2.0, sigma=sigma)
    assert model.head.bins == (2 * side, 2 * side)
    assert model.classify_x.in_features == model.classify_y.in_features == (side // 4) ** 2


def test_simcc_has_the_parameters_of_its_publication() -> None:
    """36.8 M for ResNet-50 at 256x192 on COCO (arXiv 2107.03332): the simple baseline's 34.0 M and two layers."""
    published = SimCC(
        backbone=backbone("published"), width=256, input_size=(256, 192), sigma=6.0, skeleton=COCO_17
    )
    assert parameters(published) == pytest.approx(36.8e6, rel=0.02)
    assert sum(map(parameters, (published.classify_x, published.classify_y))) == 3072 * 896 + 896
    # At 256x256 and 16 keypoints, as built here.
    ours = parameters(build("simcc", size="published"))
    assert ours == parameters(build("resdec", size="published")) + 4096 * 1024 + 1024
