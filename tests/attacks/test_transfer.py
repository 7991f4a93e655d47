"""MI, DI and TI: each changes the gradient as its paper says, and without them the attack is IGSM."""

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Attack, Loss
from robustpose.attacks import IGSM
from robustpose.attacks.transfer import Transfer, di, mi, shrunk, smoothed, ti
from robustpose.errors import RobustPoseError
from robustpose.objectives import TrainingLoss
from robustpose.threats import L2, Linf
from tests.conftest import TinyHeatmaps, aim_at, tiny_batch

EPS = 8 / 255


def perturbed(
    attack: Attack, loss: Loss, images: Tensor, threat: Linf | L2 | None = None, seed: int = 0
) -> Tensor:
    return attack.perturb(loss, images, threat or Linf(EPS), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("threat", [Linf(EPS), L2(1.0)], ids=["linf", "l2"])
def test_without_any_of_them_it_is_igsm_of_short_steps(threat: Linf | L2) -> None:
    batch = tiny_batch(3)
    loss = TrainingLoss().bind(TinyHeatmaps(), aim_at(batch), targeted=False)
    plain = perturbed(IGSM(steps=5, step_size=1 / 5), loss, batch.images, threat)
    torch.testing.assert_close(perturbed(Transfer(steps=5), loss, batch.images, threat), plain, rtol=0, atol=1e-6)


def test_momentum_by_hand() -> None:
    """Gradients (1, 0.2) and (-0.2, 0.6), each divided by its mean size, add up to (1.17, 1.83): both go up."""
    slopes = iter([torch.tensor([1.0, 0.2]), torch.tensor([-0.2, 0.6])])

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        return (adv * next(slopes)).sum(dim=(1, 2, 3))

    images = torch.full((1, 1, 1, 2), 0.5)
    moved = perturbed(mi(targeted=False, steps=2), loss, images)
    torch.testing.assert_close(moved, images + EPS)
    slopes = iter([torch.tensor([1.0, 0.2]), torch.tensor([-0.2, 0.6])])
    without = perturbed(Transfer(steps=2), loss, images)
    torch.testing.assert_close(without, images + torch.tensor([0.0, EPS]))


def test_smoothing_a_point_draws_the_gaussian() -> None:
    point = torch.zeros(1, 2, 9, 9, dtype=torch.float64)
    point[0, 1, 4, 4] = 1.0
    found = smoothed(point, kernel=3)[0]
    side = torch.exp(
        torch.tensor(-2.0, dtype=torch.float64)
    )  # one pixel is two standard deviations of half a pixel
    line = torch.stack([side, torch.ones_like(side), side]) / (1 + 2 * side)
    assert not found[0].any()
    torch.testing.assert_close(found[1, 3:6, 3:6], line[:, None] * line[None, :])
    assert float(found.sum()) == pytest.approx(1.0)
    assert torch.equal(smoothed(point, kernel=1), point)


def test_smaller_images_lie_where_they_are_put() -> None:
    images = torch.ones(1, 3, 8, 12)
    found = shrunk(images, share=0.5, across=1.0, down=0.0)
    expected = torch.zeros(8, 12)
    expected[:4, 6:] = 1.0
    torch.testing.assert_close(found[0, 0], expected)
    assert torch.equal(shrunk(images, share=1.0, across=0.3, down=0.7), images)


def test_diversity_is_drawn_from_the_seed() -> None:
    seen: list[float] = []

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        seen.append(float(adv.detach().mean()))
        return adv.sum(dim=(1, 2, 3))

    images = torch.full((1, 3, 20, 20), 0.5)
    perturbed(Transfer(steps=40, diversity=0.5, smallest=0.5), loss, images, seed=1)
    padded = sum(mean < 0.49 for mean in seen)
    assert 10 <= padded <= 30
    first = list(seen)
    seen.clear()
    perturbed(Transfer(steps=40, diversity=0.5, smallest=0.5), loss, images, seed=1)
    assert seen == first


def test_names_are_the_papers_settings() -> None:
    assert mi(targeted=False) == Transfer(steps=10, momentum=1.0)
    assert di(targeted=True, steps=3) == Transfer(steps=3, momentum=1.0, diversity=0.5)
    assert ti(targeted=False) == Transfer(steps=10, momentum=1.0, kernel=7)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"momentum": 2.0}, "momentum and diversity must lie in"),
        ({"smallest": 0.0}, "smallest must lie in"),
        ({"kernel": 4}, "kernel must be an odd number from 1, got 4"),
    ],
)
def test_wrong_numbers_are_refused(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        Transfer(**numbers)  # type: ignore[arg-type]
