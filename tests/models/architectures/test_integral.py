"""Integral regression: the keypoint is the mean of its map."""

import pytest
import torch
from torch import Tensor, nn

from robustpose.models import build
from robustpose.models.architectures.integral import Integral, soft_argmax
from robustpose.models.architectures.resdec import ResDec
from robustpose.models.heads import CoordinateHead


def bump(x: float, y: float, *, sigma: float = 1.5, h: int = 33, w: int = 41) -> Tensor:
    """Logits whose softmax is a Gaussian on the cells."""
    columns, rows = torch.arange(w, dtype=torch.float64), torch.arange(h, dtype=torch.float64)
    logits = -((rows - y)[:, None] ** 2 + (columns - x)[None, :] ** 2) / (2 * sigma**2)
    return logits[None, None]


@pytest.mark.parametrize(("x", "y"), [(20.0, 16.0), (12.5, 20.5), (13.25, 9.8)])
def test_soft_argmax_of_a_symmetric_bump_is_its_centre(x: float, y: float) -> None:
    torch.testing.assert_close(
        soft_argmax(bump(x, y))[0, 0], torch.tensor([x, y], dtype=torch.float64), rtol=0, atol=1e-6
    )


def test_soft_argmax_by_hand() -> None:
    """Shares 1/10, 2/10, 3/10 in the first row, 4/10 at the second row's end; a constant changes nothing."""
    shares = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 4.0]], dtype=torch.float64)
    expected = [[[pytest.approx(0.2 + 0.6 + 0.8), pytest.approx(0.4)]]]
    assert soft_argmax(shares.log()[None, None]).tolist() == expected
    assert soft_argmax(shares.log()[None, None] + 7).tolist() == expected
    flat = soft_argmax(torch.zeros(1, 1, 5, 9))
    assert flat.tolist() == [[[pytest.approx(4.0), pytest.approx(2.0)]]]


def test_two_bumps_are_averaged_where_argmax_would_choose() -> None:
    two = torch.logaddexp(bump(10.0, 10.0), bump(30.0, 20.0))
    torch.testing.assert_close(
        soft_argmax(two)[0, 0], torch.tensor([20.0, 15.0], dtype=torch.float64), rtol=0, atol=1e-6
    )


def test_soft_argmax_is_exact_on_bfloat16_maps() -> None:
    maps = torch.zeros(1, 1, 64, 64, dtype=torch.bfloat16)
    assert soft_argmax(maps).tolist() == [[[pytest.approx(31.5), pytest.approx(31.5)]]]


def test_the_model_says_the_mean_of_its_maps_in_pixels() -> None:
    """Cell c of stride 4 lies at pixel 4 c + 1.5, and the image's edges are -0.5 and 0.5."""
    torch.manual_seed(0)
    model, images = build("integral").eval(), torch.rand(1, 3, 128, 128)
    assert isinstance(model, Integral)
    with torch.no_grad():
        nn.init.normal_(model.decoder.to_maps.weight)
        maps = model.decoder(model.backbone(model.standardise(images)))
        output = model(images)
        pixels = 4 * soft_argmax(maps) + 1.5
    assert maps.shape == (1, 16, 32, 32)
    torch.testing.assert_close(output.keypoints, pixels)
    torch.testing.assert_close(output.stages[0], (pixels + 0.5) / 128 - 0.5)


def test_the_loss_is_l1() -> None:
    model = build("integral")
    assert isinstance(model, Integral)
    assert model.head == CoordinateHead(input_size=(128, 128), error="absolute", kind="integral")


def test_published_integral_is_the_model_of_the_simple_baselines() -> None:
    """34.0 M by arXiv 1902.09212's count of ResNet-50 with three deconvolutions; the mean has no parameters."""
    ours, baseline = build("integral", size="published"), build("resdec", size="published")
    assert isinstance(baseline, ResDec)
    shapes = [
        {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} for model in (ours, baseline)
    ]
    assert shapes[0] == shapes[1]
    assert sum(parameter.numel() for parameter in ours.parameters()) == pytest.approx(34.0e6, rel=0.02)
