"""Square: its queries, its results on losses with a known optimum, and the same proposals for everyone."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from robustpose.attacks import Square, run
from robustpose.attacks.square import _bump, _wave
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints
from robustpose.skeletons import Skeleton
from robustpose.threats import L1, L2, Linf
from robustpose.types import Head, PoseOutput
from tests.conftest import LinearPose, tiny_batch

IMAGES = torch.full((2, 3, 8, 12), 0.5)


def slope(*, seed: int = 0) -> Tensor:
    return torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Linear:
    """slope . image, without a gradient."""

    slope: Tensor

    def __call__(self, adv: Tensor, rows: Tensor) -> Tensor:
        assert not adv.requires_grad and not torch.is_grad_enabled()
        return (adv * self.slope[rows]).sum(dim=(1, 2, 3))


def gain(attack: Square, threat: Linf | L2, uphill: Tensor) -> Tensor:
    adv = attack.perturb(Linear(uphill), IMAGES, threat, torch.Generator().manual_seed(0))
    return (uphill * (adv - IMAGES)).sum(dim=(1, 2, 3))


def test_linf_comes_close_to_the_dual_norm() -> None:
    best = 0.1 * slope().abs().sum(dim=(1, 2, 3))
    found = gain(Square(steps=4000), Linf(0.1), slope())
    assert (found > 0.85 * best).all()
    assert (found <= best * (1 + 1e-5)).all()


def test_l2_comes_near_the_dual_norm_of_a_smooth_slope() -> None:
    """Its waves are two bumps beside each other; here the best perturbation is one such pair a channel."""
    smooth = torch.zeros(2, 3, 8, 12)
    smooth[:, :, 1:6, 2:7] = _wave(5, IMAGES, torch.Generator().manual_seed(2))
    best = 0.5 * smooth.square().sum(dim=(1, 2, 3)).sqrt()
    found = gain(Square(steps=1500), L2(0.5), smooth)
    assert (found > 0.85 * best).all()
    assert (found <= best * (1 + 1e-5)).all()


@pytest.mark.parametrize("threat", [Linf(0.1), L2(0.5)], ids=["linf", "l2"])
def test_more_queries_never_lose(threat: Linf | L2) -> None:
    loss = Linear(slope())
    kept: list[Tensor] = []

    def watched(adv: Tensor, rows: Tensor) -> Tensor:
        kept.append(loss(adv, rows))
        return kept[-1]

    adv = Square(steps=200).perturb(watched, IMAGES, threat, torch.Generator().manual_seed(1))
    assert len(kept) == 200
    assert torch.equal(loss_of(loss, adv), torch.stack(kept).amax(dim=0))
    assert (threat.size(IMAGES, adv) <= threat.eps + 1e-6).all()


def loss_of(loss: Linear, adv: Tensor) -> Tensor:
    with torch.no_grad():
        return loss(adv, torch.arange(len(adv)))


def test_a_change_without_effect_is_kept() -> None:
    """On a plateau it accepts equal losses, so that it can cross it."""
    flat = Linear(torch.zeros(2, 3, 8, 12))
    first = Square(steps=1).perturb(flat, IMAGES, Linf(0.1), torch.Generator().manual_seed(3))
    later = Square(steps=20).perturb(flat, IMAGES, Linf(0.1), torch.Generator().manual_seed(3))
    assert not torch.equal(first, later)


class Answers:
    """A model that can only be called: no stages, no gradients, no module."""

    def __init__(self) -> None:
        self.inner = LinearPose(seed=3)
        self.skeleton: Skeleton = self.inner.skeleton
        self.input_size = self.inner.input_size
        self.head: Head = self.inner.head
        self.asked = 0

    def __call__(self, images: Tensor, /) -> PoseOutput:
        self.asked += len(images)
        keypoints = self.inner(images).keypoints.detach().round()
        return PoseOutput(keypoints=keypoints, scores=torch.ones(keypoints.shape[:2]), stages=())


def test_models_that_only_answer_can_be_attacked_and_queries_are_counted() -> None:
    model, batch = Answers(), tiny_batch(3)
    found = run(Square(steps=50), model, batch, threat=Linf(0.1), objective=Keypoints())
    assert (found.forwards, found.backwards) == (150, 0)
    assert model.asked == 150 + 3  # and once for the score


def test_the_side_shrinks_as_in_the_paper() -> None:
    square = Square(steps=10000)
    assert square._side(1, (128, 128)) == round((0.8 * 128 * 128) ** 0.5)
    assert square._side(11, (128, 128)) == round((0.4 * 128 * 128) ** 0.5)
    assert square._side(9000, (128, 128)) == round((0.8 / 512 * 128 * 128) ** 0.5)
    assert square._side(9999, (8, 12)) == 1


def test_bumps_by_hand() -> None:
    """Nested rectangles that add 1, 1/4, 1/9, ... from the middle outwards."""
    outer, middle = 1 / 4 + 1 / 9, 1 + 1 / 4 + 1 / 9
    expected = torch.tensor([[outer, outer, outer], [outer, middle, outer], [outer, outer, outer]])
    torch.testing.assert_close(_bump(3, 3).float(), expected)
    wave = _wave(6, IMAGES, torch.Generator())
    assert float(wave.square().sum()) == pytest.approx(1.0)
    assert abs(float(wave.sum())) < 1e-6


def test_other_threats_are_refused() -> None:
    with pytest.raises(RobustPoseError, match="square supports linf and l2, got l1"):
        run(Square(), LinearPose(), tiny_batch(), threat=L1(1.0), objective=Keypoints())
    with pytest.raises(RobustPoseError, match="share must lie in"):
        Square(share=0.0)
