"""RayS on decisions with a known minimum radius: a part is lost once a signed mean is large enough."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from robustpose.attacks import RayS, run
from robustpose.attacks.rays import _blocks, _closest
from robustpose.errors import RobustPoseError
from robustpose.objectives import Keypoints, TrainingLoss
from robustpose.threats import L2, Linf
from tests.attacks.test_square import Answers
from tests.conftest import LinearPose, tiny_batch

IMAGES = torch.full((2, 3, 8, 12), 0.5)


@dataclass(frozen=True)
class Signed:
    """Part k is lost once the mean of signs x change is above prices[k]: along the signs, at radius prices[k]."""

    signs: Tensor
    prices: Tensor

    @property
    def counted(self) -> Tensor:
        return torch.ones(len(self.signs), len(self.prices), dtype=torch.bool)

    def __call__(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        raise AssertionError("a decision-based attack does not ask for the loss")

    def parts(self, adv: Tensor, rows: Tensor, /) -> Tensor:
        gained = ((adv - IMAGES[rows]) * self.signs[rows]).flatten(1).mean(dim=1, keepdim=True)
        return (gained - self.prices).sign() * 7.0  # no more than the decision is in it


def banded() -> Tensor:
    """Signs that differ between quarters of the flattened image, otherwise for each person."""
    first = torch.tensor([1.0, -1.0, -1.0, 1.0]).repeat_interleave(72)
    return torch.stack([first, -first]).reshape(2, 3, 8, 12)


@pytest.mark.parametrize(("eps", "lost"), [(0.021, 2), (0.0099, 0), (0.0105, 1)])
def test_it_finds_the_signs_and_no_more_than_can_be(eps: float, lost: int) -> None:
    loss = Signed(banded(), torch.tensor([0.01, 0.02, 0.4]))
    adv = RayS(steps=400).perturb(loss, IMAGES, Linf(eps), torch.Generator())
    assert ((loss.parts(adv, torch.arange(2)) > 0).sum(dim=1) == lost).all()
    assert (Linf(eps).size(IMAGES, adv) <= eps + 1e-6).all()


def test_what_is_found_for_one_does_not_depend_on_the_others() -> None:
    loss = Signed(banded(), torch.tensor([0.01, 0.02]))
    both = RayS(steps=300).perturb(loss, IMAGES, Linf(0.05), torch.Generator())
    alone = RayS(steps=300).perturb(Signed(banded()[1:], loss.prices), IMAGES[1:], Linf(0.05), torch.Generator())
    assert torch.equal(both[1:], alone)


def test_queries_are_counted_and_kept_to() -> None:
    model, batch = Answers(), tiny_batch(3)
    found = run(RayS(steps=60), model, batch, threat=Linf(0.01), objective=Keypoints())
    assert found.backwards == 0
    assert found.forwards == model.asked - 3
    assert found.forwards <= 3 * (60 + 10)


def test_blocks_halve() -> None:
    blocks = _blocks(4)
    seen = [(block.start, block.stop) for block, _ in zip(blocks, range(8), strict=False)]
    assert seen == [(0, 4), (0, 2), (2, 4), (0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]


def test_closing_in_by_hand() -> None:
    edge = torch.tensor([0.3, 0.0, 1.0])
    found = _closest(lambda radius: radius >= edge, torch.ones(3))
    assert (found >= edge).all()
    assert (found - edge <= 1 / 256 + 1e-7).all()


def test_what_it_cannot_serve_is_refused() -> None:
    with pytest.raises(RobustPoseError, match="rays needs an objective"):
        run(RayS(), LinearPose(), tiny_batch(), threat=Linf(0.1), objective=TrainingLoss())
    with pytest.raises(RobustPoseError, match="rays supports linf, got l2"):
        run(RayS(), LinearPose(), tiny_batch(), threat=L2(0.1), objective=Keypoints())
    with pytest.raises(RobustPoseError, match="rays: steps must be at least 1"):
        RayS(steps=0)
