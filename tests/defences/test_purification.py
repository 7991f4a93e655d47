"""JPEG, fewer bits and total variation: values by a reference, gradients of the identity or exact."""

import cv2
import numpy as np
import pytest
import torch

from robustpose.defences.purification import fewer_bits, jpeg, straight_through, total_variation
from robustpose.errors import RobustPoseError


def noise(n: int = 2) -> torch.Tensor:
    levels = torch.randint(0, 256, (n, 3, 16, 24), generator=torch.Generator().manual_seed(0))
    return levels.float() / 255


def test_jpeg_is_the_librarys_in_rgb() -> None:
    images = noise()
    found = jpeg(images, quality=75)
    rgb = (images[1].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    content = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
    assert decoded is not None
    expected = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    assert np.array_equal((found[1].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8), expected)
    assert (jpeg(images, quality=25) - images).abs().mean() > (found - images).abs().mean()


def test_fewer_bits_by_hand() -> None:
    values = torch.tensor([0.0, 0.4, 0.6, 1.0]).reshape(1, 1, 1, 4)
    assert fewer_bits(values, bits=1).flatten().tolist() == [0.0, 0.0, 1.0, 1.0]
    assert torch.equal(fewer_bits(noise(), bits=8), noise())
    assert set((3 * fewer_bits(noise(), bits=2)).round(decimals=5).flatten().tolist()) == {0.0, 1.0, 2.0, 3.0}


def test_straight_through_has_the_values_of_the_filter_and_the_gradient_of_the_identity() -> None:
    images = noise().requires_grad_(True)
    slope = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    found = straight_through(lambda each: fewer_bits(each, bits=3))(images)
    assert torch.equal(found.detach(), fewer_bits(images.detach(), bits=3))
    (gradient,) = torch.autograd.grad((found * slope).sum(), images)
    assert torch.equal(gradient, slope)


def test_total_variation_reaches_its_minimum() -> None:
    """The energy falls below that of the image and of its mean, and small changes do not lower it."""
    images, weight = noise(1).double(), 0.1
    found = total_variation(images, weight=weight, steps=2000)

    def energy(u: torch.Tensor) -> float:
        down = torch.zeros_like(u)
        across = torch.zeros_like(u)
        down[..., :-1, :] = u[..., 1:, :] - u[..., :-1, :]
        across[..., :, :-1] = u[..., :, 1:] - u[..., :, :-1]
        return float((u - images).square().sum() / 2 + weight * (down**2 + across**2).sqrt().sum())

    least = energy(found)
    mean = images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    assert least < energy(images) and least < energy(mean)
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        change = 1e-3 * torch.randn(images.shape, generator=generator, dtype=torch.float64)
        assert energy(found + change) > least
    assert torch.allclose(total_variation(mean, weight=weight), mean)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jpeg(noise(), quality=0), "JPEG quality must lie in 1 to 100, got 0"),
        (lambda: fewer_bits(noise(), bits=9), "rounded to 1 to 8 bits, got 9"),
        (lambda: total_variation(noise(), weight=0.0), "total variation must be > 0, got 0"),
    ],
)
def test_numbers_out_of_range(call: "object", message: str) -> None:
    assert callable(call)
    with pytest.raises(RobustPoseError, match=message):
        call()
