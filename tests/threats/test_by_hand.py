"""Each threat by hand: projections, steps, samples, rounding."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from robustpose.threats import L0, L1, L2, Linf, Patch


def row(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def test_linf_by_hand() -> None:
    images, adv = row(0.0, 0.5, 0.98, 0.5), row(-0.2, 0.53, 1.5, 0.9)
    torch.testing.assert_close(Linf(0.1).project(images, adv), row(0.0, 0.53, 1.0, 0.6))
    assert Linf(0.1).size(images, adv).item() == pytest.approx(0.52)
    assert Linf(0.1).step(row(-3.0, 0.0, 1e-20), row(0.5, 0.5, 0.5)).flatten().tolist() == [-1.0, 0.0, 1.0]


def test_l2_by_hand() -> None:
    images = row(0.5, 0.5)
    torch.testing.assert_close(L2(0.2).project(images, row(0.8, 0.9)), row(0.62, 0.66))  # (3, 4) / 5
    # One value is full at 1 - 0.9 = 0.1; what is left of the budget, sqrt(0.2^2 - 0.1^2), is the other's.
    rest = (0.2**2 - 0.1**2) ** 0.5
    torch.testing.assert_close(L2(0.2).project(row(0.9, 0.5), row(1.9, 1.5)), row(1.0, 0.5 + rest))
    torch.testing.assert_close(L2(0.2).step(row(1.0, 1.0), row(0.9, 0.5)), row(0.1, rest) / 0.2)
    torch.testing.assert_close(L2(0.2).step(row(-3e-12, 4e-12), row(0.5, 0.5)), row(-0.6, 0.8))
    assert L2(0.2).size(images, row(0.8, 0.9)).item() == pytest.approx(0.5)


def test_l1_by_hand() -> None:
    images = row(0.5, 0.5, 0.5)
    torch.testing.assert_close(L1(0.5).project(images, row(0.9, 0.2, 0.45)), row(0.8, 0.3, 0.5))  # all 0.1 less
    # The first is full at 0.1 and stays full; the other gives up what is beyond 0.5 - 0.1.
    torch.testing.assert_close(L1(0.5).project(row(0.9, 0.5, 0.5), row(1.9, 1.0, 0.5)), row(1.0, 0.9, 0.5))
    torch.testing.assert_close(
        L1(0.75).step(row(1.0, -3.0, 2.0), images), row(0.0, -0.5, 0.25) / 0.75, rtol=1e-6, atol=1e-7
    )
    assert L1(0.5).size(images, row(0.9, 0.2, 0.45)).item() == pytest.approx(0.75)


def test_l0_by_hand() -> None:
    images = torch.full((1, 3, 1, 3), 0.5)
    adv = images.clone()
    adv[0, :, 0, 0] += 0.1  # three channels by little: one pixel, 0.03 in squares
    adv[0, 0, 0, 1] += 0.2  # one channel by more: 0.04
    adv[0, 2, 0, 2] += 0.1  # 0.01
    kept = images.clone()
    kept[0, 0, 0, 1] = 0.7
    torch.testing.assert_close(L0(1).project(images, adv), kept)
    assert L0(1).size(images, adv).item() == 3
    slope = torch.zeros_like(images)
    slope[0, 1, 0, 0], slope[0, 2, 0, 2] = -2.0, 1.5
    step = torch.zeros_like(images)
    step[0, 1, 0, 0] = -0.5
    torch.testing.assert_close(L0(1).step(slope, images), step)


def test_patch_by_hand() -> None:
    images = torch.full((1, 1, 3, 4), 0.5)
    adv = images.clone()
    adv[0, 0, 0, 0] = 0.9  # alone: 0.16 in squares
    adv[0, 0, 1:, 2:] = 0.75  # four together: 0.25
    kept = images.clone()
    kept[0, 0, 1:, 2:] = 0.75
    torch.testing.assert_close(Patch(2).project(images, adv), kept)
    assert Patch(2).size(images, kept).item() == 2
    assert Patch(2).size(images, adv).item() == 4  # from the first column to the last
    assert Patch(2).size(images, images).item() == 0
    step = torch.zeros_like(images)
    step[0, 0, 1:, 2:] = torch.tensor([[0.25, -0.25], [-0.25, 0.25]])
    slope = torch.zeros_like(images)
    slope[0, 0, 1:, 2:] = torch.tensor([[1.0, -2.0], [-1.0, 1.0]])
    slope[0, 0, 0, 0] = 4.0
    torch.testing.assert_close(Patch(2).step(slope, images), step)
    moved = Patch(2).sample(images, torch.Generator().manual_seed(0))
    assert Patch(2).size(images, moved).item() == 2


def test_rounding_by_hand() -> None:
    images, adv = row(10, 10, 10, 0, 255) / 255, row(12.4, 12.6, 7.5, 0.4, 252.6) / 255
    rounded = Linf(2.5 / 255).round_to_8bit(images, adv) * 255
    torch.testing.assert_close(rounded, row(12, 12, 8, 0, 253))


def test_rounding_in_l2_by_hand() -> None:
    """Changes of 2.6, 0.3 and 0.4 levels: 3, 0 and 0 are the nearest, and 9 in squares is more than 7.01."""
    images, adv = row(10, 10, 10) / 255, row(12.6, 10.3, 10.4) / 255
    torch.testing.assert_close(L2(2.7 / 255).round_to_8bit(images, adv) * 255, row(12, 10, 10))
    torch.testing.assert_close(L2(3.0 / 255).round_to_8bit(images, adv) * 255, row(13, 10, 10))


def test_a_change_of_less_than_half_a_level_everywhere_is_not_rounded_away() -> None:
    """2500 values of 0.4 levels are 20 levels long: 400 whole levels are as long."""
    images = torch.full((1, 1, 50, 50), 100 / 255)
    moved = L2(20 / 255).round_to_8bit(images, images + 0.4 / 255)
    assert L2(1.0).size(images, moved).item() * 255 == pytest.approx(20, abs=0.05)
    summed = L1(1000 / 255).round_to_8bit(images, images + 0.4 / 255)
    assert L1(9.0).size(images, summed).item() * 255 == pytest.approx(1000, abs=1.01)


@pytest.mark.parametrize("eps", [0.0313725, 0.03137254901, 8 / 255])
def test_a_budget_written_in_decimals_is_the_level_it_means(eps: float) -> None:
    """0.0313725 x 255 is 7.99999: eight levels, not seven."""
    images = torch.full((1, 3, 2, 2), 100 / 255)
    assert float((Linf(eps).round_to_8bit(images, images + eps) * 255).max()) == pytest.approx(108, abs=1e-4)


def test_linf_samples_fill_the_ball() -> None:
    images = torch.full((1, 3, 40, 40), 0.5)
    moved = (Linf(0.1).sample(images, generator=torch.Generator().manual_seed(0)) - images) / 0.1
    # Uniform on [-1, 1]: mean 0, variance 1/3; 4800 draws.
    assert abs(float(moved.mean())) < 0.03
    assert float(moved.var()) == pytest.approx(1 / 3, abs=0.02)
    assert float(moved.min()) < -0.99
    assert float(moved.max()) > 0.99


@pytest.mark.parametrize(("make", "power"), [(L2, 2), (L1, 1)], ids=["l2", "l1"])
def test_samples_fill_the_other_balls(make: Callable[[float], L2 | L1], power: int) -> None:
    """In two dimensions a uniform draw lies within r of the centre with probability r squared, in any norm."""
    images = torch.full((4000, 1, 1, 2), 0.5)
    threat = make(0.4)
    moved = threat.sample(images, generator=torch.Generator().manual_seed(1)) - images
    sizes = torch.linalg.vector_norm(moved.flatten(1), ord=power, dim=1) / 0.4
    for within in (0.25, 0.5, 0.75):
        assert float((sizes <= within).float().mean()) == pytest.approx(within**2, abs=0.03)
    assert (moved.flatten(1).mean(dim=0).abs() < 0.01).all()
    assert ((moved > 0).float().mean(dim=0).flatten() - 0.5).abs().max() < 0.03


def test_l0_samples_change_as_many_pixels_as_they_may() -> None:
    images = torch.full((3, 3, 6, 6), 0.5)
    assert L0(7).size(images, L0(7).sample(images, torch.Generator().manual_seed(0))).tolist() == [7, 7, 7]
