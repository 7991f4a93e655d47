"""The soft margin: the margin's values, and a gradient for every competing cell."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from robustpose.attack_types import CappedLoss
from robustpose.attacks import APGD, run
from robustpose.errors import RobustPoseError
from robustpose.objectives import Aim, Margin, SoftMargin
from robustpose.threats import Linf
from robustpose.types import Head, PoseOutput
from tests.conftest import TINY, tiny_batch
from tests.objectives.says import CLASSES, FREE, MAPS, NUMBERS, OFFSETS, ONE, Says, aim, margin, one_map

SOFT = SoftMargin(softness=0.1, enough=100.0)


@pytest.mark.parametrize(
    ("head", "shape"),
    [(MAPS, (9, 1, 4, 6)), (CLASSES, (9, 1, 40)), (OFFSETS, (9, 3, 3, 4))],
    ids=["maps", "classes", "offsets"],
)
@pytest.mark.parametrize("targeted", [False, True])
def test_soft_margins_are_the_margins(head: Head, shape: tuple[int, ...], targeted: bool) -> None:
    generator = torch.Generator().manual_seed(7)
    model = Says(torch.rand(shape, generator=generator), head)
    keypoints = torch.rand(9, 1, 2, generator=generator) * 10
    where = Aim(keypoints, torch.ones(9, 1, dtype=torch.bool), torch.full((9,), 2.5))
    hard, soft = (margin(model, where, objective=each, targeted=targeted) for each in (FREE, SOFT))
    assert torch.equal(hard, soft)
    assert len(set(hard.tolist())) > 5


def test_the_gradient_of_a_soft_margin_is_shared_by_all_places_that_compete() -> None:
    """Outside the softmax of heights over softness; inside all of it to the highest. Peaks are 1 high."""
    model, where = one_map(c2r1=0.9, c3r1=0.8, c5r3=0.5, c0r3=0.4), aim(4.5, 2.5, radius=2.0)
    heights = model.raw.detach()[0, 0].flatten()
    outside = torch.tensor([abs(c - 2) + abs(r - 1) > 1 for r in range(4) for c in range(6)])
    expected = torch.zeros(24)
    expected[outside] = torch.softmax(heights[outside] / 0.1, dim=0)
    expected[6 + 2] = -1.0
    assert MAPS.peak == 1.0
    (gradient,) = torch.autograd.grad(margin(model, where, objective=SOFT).sum(), model.raw)
    torch.testing.assert_close(gradient[0, 0].flatten(), expected)
    (alone,) = torch.autograd.grad(margin(model, where).sum(), model.raw)
    assert int(alone.count_nonzero()) == 2


def test_soft_margins_of_classes_and_offsets_reach_more_than_the_highest() -> None:
    for head, raw in ((CLASSES, torch.rand(1, 1, 40)), (OFFSETS, torch.rand(1, 3, 3, 4))):
        model, where = Says(raw.requires_grad_(True), head), aim(4.5, 2.5, radius=2.0)
        reached = [
            int(torch.autograd.grad(margin(model, where, objective=each).sum(), model.raw)[0].count_nonzero())
            for each in (FREE, SOFT)
        ]
        assert reached[1] > reached[0], type(head).__name__


class Rivals:
    """Two wrong places: the higher one hardly depends on the image, the lower one does."""

    skeleton, input_size, head = ONE, TINY, MAPS

    def __call__(self, images: Tensor) -> PoseOutput:
        raw = torch.zeros(len(images), 1, 4, 6)
        raw[:, 0, 1, 2] = 0.5  # true
        raw[:, 0, 3, 5] = 0.3 + 1e-3 * images[:, 0, 0, 0]
        raw[:, 0, 3, 0] = 0.2 + 10 * images[:, 0, 0, 1]
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def test_a_rival_that_is_not_the_highest_yet_is_found_by_the_soft_margin_alone() -> None:
    batch = tiny_batch(1)
    batch = replace(
        batch,
        images=torch.zeros(1, 3, *TINY),
        skeleton=ONE,
        keypoints=torch.tensor([[[4.5, 2.5]]]),
        visible=torch.ones(1, 1, dtype=torch.bool),
    )
    found = {
        objective: run(APGD(steps=20), Rivals(), batch, threat=Linf(16 / 255), objective=objective).output
        for objective in (Margin(), SoftMargin())
    }
    off = [float((each.keypoints - batch.keypoints).norm()) for each in found.values()]
    assert off[0] < 1 < 4 < off[1]


def test_on_coordinates_the_soft_margin_is_the_margin() -> None:
    model = Says(NUMBERS.encode(torch.tensor([[[7.5, 6.5]]])), NUMBERS)
    bound = [each.bind(model, aim(4.5, 2.5, radius=2.0), targeted=False) for each in (Margin(), SoftMargin())]
    assert all(isinstance(each, CappedLoss) and float(each.cap) == pytest.approx(0.1) for each in bound)


@pytest.mark.parametrize("softness", [0.0, -0.1, float("nan"), float("inf")])
def test_a_softness_that_cannot_be(softness: float) -> None:
    with pytest.raises(RobustPoseError, match=r"softness must be > 0, got"):
        SoftMargin(softness=softness)
