"""The controlled pair: one backbone with two heads, and the backbone itself."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustpose.models import SIZES, build
from robustpose.models.architectures.layers import Deconvolution, Standardise
from robustpose.models.architectures.resdec import ResDec, ResReg, backbone
from robustpose.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from robustpose.models.heads import CoordinateHead, HeatmapHead


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("size", SIZES)
def test_the_pair_differs_in_nothing_but_the_end(size: str) -> None:
    regression, heatmaps, pretrained = (build(name, size=size) for name in ("resreg", "resdec", "resdec_pre"))
    assert isinstance(regression, ResReg)
    assert isinstance(heatmaps, ResDec)
    assert shapes(regression.backbone) == shapes(heatmaps.backbone)
    assert str(regression.backbone) == str(heatmaps.backbone)
    assert shapes(heatmaps) == shapes(pretrained)
    assert isinstance(regression.head, CoordinateHead)
    assert isinstance(heatmaps.head, HeatmapHead)
    ends = {"resreg": {"regress"}, "resdec": {"decoder"}}
    for name, model in (("resreg", regression), ("resdec", heatmaps)):
        assert {part.split(".")[0] for part in model.state_dict()} == {"backbone"} | ends[name]


def test_a_backbone_moves_between_the_pair() -> None:
    torch.manual_seed(0)
    regression, heatmaps = build("resreg").eval(), build("resdec_pre").eval()
    assert isinstance(regression, ResReg)
    assert isinstance(heatmaps, ResDec)
    images = torch.rand(1, 3, 128, 128)
    heatmaps.backbone.load_state_dict(regression.backbone.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(heatmaps.backbone(images), regression.backbone(images))


def test_the_published_backbone_is_resnet_50() -> None:
    """25,557,032 parameters in torchvision's resnet50, 2,049,000 of them its classifier."""
    trunk = backbone("published")
    assert parameters(trunk) == 25_557_032 - 2_049_000
    assert trunk.channels == 2048
    assert trunk.eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 2048, 2, 3)


def test_published_resdec_has_the_parameters_of_its_publication() -> None:
    """34.0 M: arXiv 1804.06208's ResNet-50, as table 1 of arXiv 1902.09212 counts it."""
    assert parameters(build("resdec", size="published")) == pytest.approx(34.0e6, rel=0.02)
    # By hand: 4x4 kernels without bias, two numbers a batch norm, a 1x1 with bias.
    decoder = 16 * (2048 + 256 + 256) * 256 + 3 * 2 * 256 + 256 * 16 + 16
    assert parameters(build("resdec", size="published")) == 25_557_032 - 2_049_000 + decoder


def test_published_resreg_has_two_numbers_a_keypoint() -> None:
    assert parameters(build("resreg", size="published")) == 25_557_032 - 2_049_000 + 2048 * 32 + 32


def test_a_bottleneck_is_the_sum_of_its_drawing() -> None:
    """1x1, 3x3, 1x1 at a quarter of the width, the stride in the 3x3; ReLU behind the sum with the shortcut."""
    torch.manual_seed(0)
    block = Bottleneck(8, 16, stride=2).eval()
    assert (block.conv1.kernel_size, block.conv2.kernel_size, block.conv3.kernel_size) == ((1, 1), (3, 3), (1, 1))
    assert (block.conv1.stride, block.conv2.stride, block.conv3.stride) == ((1, 1), (2, 2), (1, 1))
    assert block.conv2.in_channels == block.conv2.out_channels == 4
    x = torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        # A fresh batch norm divides by sqrt(1 + 1e-5).
        y = F.relu(block.conv1(x) / (1 + 1e-5) ** 0.5)
        y = F.relu(block.conv2(y) / (1 + 1e-5) ** 0.5)
        assert isinstance(block.skip, nn.Sequential)
        skip = block.skip[0](x) / (1 + 1e-5) ** 0.5
        torch.testing.assert_close(block(x), F.relu(block.conv3(y) / (1 + 1e-5) ** 0.5 + skip))
        assert torch.equal(Bottleneck(16, 16, stride=1).skip(x), x)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_features_are_as_wide_as_said(block: type[BasicBlock] | type[Bottleneck]) -> None:
    for blocks in ((1, 1), (1, 1, 1, 1)):
        trunk = ResNet(blocks=blocks, width=4, block=block).eval()
        features = trunk(torch.zeros(1, 3, 64, 64))
        assert features.shape[1] == trunk.channels == 4 * block.expansion * 2 ** (len(blocks) - 1)
        assert features.shape[2] == 64 // 2 ** (len(blocks) + 1)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_each_deconvolution_doubles_the_resolution(layers: int) -> None:
    deconvolution = Deconvolution(6, 5, width=4, layers=layers).eval()
    assert deconvolution(torch.zeros(2, 6, 3, 4)).shape == (2, 5, 3 * 2**layers, 4 * 2**layers)
    ups = [layer for layer in deconvolution.up if isinstance(layer, nn.ConvTranspose2d)]
    assert [up.kernel_size for up in ups] == [(4, 4)] * layers
    assert all(up.bias is None for up in ups)


def test_colours_are_standardised_by_hand() -> None:
    image = torch.tensor([0.485, 0.956, 0.856])[None, :, None, None]  # R at its mean, G and B above
    expected = torch.tensor([0.0, (0.956 - 0.456) / 0.224, (0.856 - 0.406) / 0.225])
    torch.testing.assert_close(Standardise()(image)[0, :, 0, 0], expected)
    swapped = torch.tensor([(0.856 - 0.485) / 0.229, (0.956 - 0.456) / 0.224, (0.485 - 0.406) / 0.225])
    torch.testing.assert_close(Standardise(channels="BGR")(image)[0, :, 0, 0], swapped)
    assert not Standardise().state_dict()


@pytest.mark.parametrize("name", ["resreg", "resdec", "simcc", "integral", "hrnet", "vitpose"])
def test_colours_are_standardised_inside_the_model(name: str) -> None:
    """Its first convolution is given standardised colours."""
    model = build(name).eval()
    given: list[Tensor] = []
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    images = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        model(images)
    torch.testing.assert_close(given[0], Standardise()(images))
