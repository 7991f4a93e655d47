"""Patches for any place and scale: placement, the gradient over draws, and optima in closed form."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from robustpose.attack_types import Loss
from robustpose.attacks import EotPatch, learn_patch, run, show_patch
from robustpose.attacks.gradient import each_persons
from robustpose.attacks.patch import Squares, mean_gradient
from robustpose.errors import RobustPoseError
from robustpose.geometry import lay_squares
from robustpose.objectives import Aim, Margin, TrainingLoss
from robustpose.threats import Linf, Patch
from robustpose.types import PoseModel
from tests.attacks.untidy import Untidy, assert_same, state
from tests.conftest import TINY, LinearPose, TinyHeatmaps, one_person, tiny_batch

SIDE = 16


def squares(*places: tuple[int, int, int]) -> Squares:
    return Squares(*torch.tensor(places).unbind(dim=1))


@dataclass(frozen=True)
class Redder:
    """Mean red minus mean green: all pixels count equally, so the best patch is red."""

    def bind(self, model: PoseModel, aim: Aim, /, *, targeted: bool) -> Loss:
        return lambda adv, rows: (adv[:, 0] - adv[:, 1]).sum(dim=(1, 2))


def test_a_patch_of_its_own_size_is_laid_as_it_is() -> None:
    images = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(0))
    patch = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    laid = squares((1, 5, 4), (3, 0, 4)).lay(images, patch)
    assert torch.allclose(laid[0, :, 1:5, 5:9], patch[0], atol=1e-6)
    assert torch.allclose(laid[1, :, 3:7, 0:4], patch[1], atol=1e-6)
    for row, (top, left) in enumerate([(1, 5), (3, 0)]):
        beside = torch.ones(7, 9, dtype=torch.bool)
        beside[top : top + 4, left : left + 4] = False
        assert torch.equal(laid[row][:, beside], images[row][:, beside])


def test_half_the_size_is_the_mean_of_four_pixels() -> None:
    patch = torch.arange(16.0).reshape(1, 1, 4, 4)
    laid = lay_squares(
        torch.zeros(1, 1, 5, 5), patch, top=torch.tensor([2]), left=torch.tensor([1]), side=torch.tensor([2])
    )
    expected = torch.zeros(5, 5)
    expected[2:4, 1:3] = torch.tensor([[2.5, 4.5], [10.5, 12.5]])  # (0 + 1 + 4 + 5) / 4, ...
    assert torch.allclose(laid[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("smallest", [0.5, 1.0])
def test_only_the_square_changes_and_it_is_drawn_everywhere(smallest: float) -> None:
    how, images = EotPatch(smallest=smallest), torch.full((400, 3, 20, 30), 0.5)
    generators = [torch.Generator().manual_seed(seed) for seed in range(400)]
    drawn = how.draw(images, SIDE // 2, generators)
    assert set(drawn.side.tolist()) == set(range(round(8 * smallest), 9))
    assert (drawn.top >= 0).all() and (drawn.top + drawn.side <= 20).all()
    assert (drawn.left >= 0).all() and (drawn.left + drawn.side <= 30).all()
    laid = drawn.lay(images, torch.zeros(1, 3, 8, 8))
    assert torch.equal((laid == 0).all(dim=1).sum(dim=(1, 2)), drawn.side**2)
    assert ((laid == 0) | (laid == 0.5)).all()
    covered = (laid == 0).any(dim=1).any(dim=0)
    assert covered.any(dim=0).all() and covered.any(dim=1).all(), "patches reach every row and column"


def test_the_gradient_is_the_mean_over_the_draws() -> None:
    model, batch = LinearPose(), tiny_batch(2)
    rows = torch.arange(2)
    loss = TrainingLoss().bind(model, Aim(batch.keypoints, batch.visible, torch.ones(2)), targeted=False)
    drawn = [squares((0, 3, 4), (2, 8, 3)), squares((4, 0, 2), (0, 0, 4)), squares((1, 1, 3), (3, 5, 4))]
    patch = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    each = [mean_gradient(loss, batch.images, patch, rows, [one]) for one in drawn]
    torch.testing.assert_close(mean_gradient(loss, batch.images, patch, rows, drawn), sum(each) / 3)

    def mean_loss(at: Tensor) -> Tensor:
        losses = [loss(one.lay(batch.images.double(), at), rows).sum() for one in drawn]
        return torch.stack(losses).mean()

    model.double()
    batch = replace(batch, keypoints=batch.keypoints.double())
    loss = TrainingLoss().bind(model, Aim(batch.keypoints, batch.visible, torch.ones(2)), targeted=False)
    exact = mean_gradient(loss, batch.images.double(), patch.double(), rows, drawn)
    step = torch.zeros_like(patch, dtype=torch.float64)
    step[1, 2, 1, 3] = 1e-5
    numeric = (mean_loss(patch.double() + step) - mean_loss(patch.double() - step)) / 2e-5
    assert float(exact[1, 2, 1, 3]) == pytest.approx(float(numeric.detach()), rel=1e-4)
    shared = mean_gradient(loss, batch.images.double(), patch[:1].double(), rows, drawn)
    own = mean_gradient(loss, batch.images.double(), patch[:1].double().expand(2, -1, -1, -1), rows, drawn)
    torch.testing.assert_close(shared[0], own.sum(dim=0))


def test_on_a_loss_that_wants_red_the_patch_becomes_red() -> None:
    batch = tiny_batch(3)
    found = run(EotPatch(steps=20), LinearPose(), batch, threat=Patch(4), objective=Redder())
    changed = (found.images != batch.images).any(dim=1)
    assert (changed.sum(dim=(1, 2)) >= 4 - 1).all()  # a side of 2 to 4; a pixel may have been red before
    inside = found.images.permute(0, 2, 3, 1)[changed]
    assert torch.equal(inside[:, :2], torch.tensor([1.0, 0.0]).expand(len(inside), 2))
    assert (found.forwards, found.backwards) == (3 * 20 * 4, 3 * 20 * 4)


def test_no_update_is_noise_in_the_same_places() -> None:
    """The control: the effect of occlusion alone."""
    batch = tiny_batch(4)
    noise = run(EotPatch(steps=0), LinearPose(), batch, threat=Patch(3), objective=Redder())
    assert noise.backwards == 0
    assert (noise.images != batch.images).any(dim=(1, 2, 3)).all()
    assert (Patch(3).size(batch.images, noise.images) <= 3).all()


def test_people_have_draws_of_their_own_whoever_is_there() -> None:
    batch = tiny_batch(8)
    marks = [each.initial_seed() for each in each_persons(batch.images, torch.Generator().manual_seed(4))]
    assert len(set(marks)) == 8
    order = [5, 2, 7]
    again = each_persons(batch.images[order], torch.Generator().manual_seed(4))
    assert [each.initial_seed() for each in again] == [marks[row] for row in order]
    assert marks != [each.initial_seed() for each in each_persons(batch.images, torch.Generator().manual_seed(5))]
    model, how = TinyHeatmaps().eval(), EotPatch(steps=3)
    together = run(how, model, batch, threat=Patch(3), objective=Margin())
    alone = run(how, model, one_person(batch, 3), threat=Patch(3), objective=Margin())
    assert torch.equal(alone.images == batch.images[3:4], together.images[3:4] == batch.images[3:4])


def test_a_patch_for_everyone_is_learned_and_shown_elsewhere() -> None:
    model = LinearPose()
    how = EotPatch(steps=30, draws=2)
    batches = [tiny_batch(5, seed=seed) for seed in range(30)]
    learned = learn_patch(how, model, batches, side=4, objective=Redder(), seed=1)
    assert torch.equal(learned.patch[:2], torch.stack([torch.ones(4, 4), torch.zeros(4, 4)]))
    assert len(learned.losses) == 30
    assert torch.equal(learned.patch, learn_patch(how, model, batches, side=4, objective=Redder(), seed=1).patch)
    people = tiny_batch(6, seed=99)
    shown = show_patch(how, people.images, learned.patch, seed=3)
    assert (Patch(4).size(people.images, shown) <= 4).all()
    assert torch.equal(shown, show_patch(how, people.images, learned.patch, seed=3))
    assert not torch.equal(shown, show_patch(how, people.images, learned.patch, seed=4))
    levels = shown.double() * 255
    assert (levels - levels.round()).abs().max() < 1e-4
    red = (shown - people.images)[:, 0].sum() - (shown - people.images)[:, 1].sum()
    assert float(red) > 0


def test_a_learned_patch_raises_the_loss_of_people_it_has_not_seen() -> None:
    """A linear model whose gradient is the same at every pixel, so the patch's place has no effect."""
    model = LinearPose(seed=3)
    model.W.data = model.W.data.mean(dim=1, keepdim=True).expand_as(model.W).clone() * 40
    batches = [tiny_batch(6, seed=seed) for seed in range(20)]
    people = tiny_batch(20, seed=77)
    how = EotPatch(steps=20, draws=2)
    learned = learn_patch(how, model, batches, side=5, objective=TrainingLoss())
    noise = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0))
    losses = []
    for patch in (learned.patch, noise):
        shown = show_patch(how, people.images, patch, seed=1)
        aim = Aim(people.keypoints, people.visible, torch.ones(20))
        loss = TrainingLoss().bind(model, aim, targeted=False)
        losses.append(float(loss(shown, torch.arange(20)).mean().detach()))
    assert losses[0] > losses[1]


def test_side_effects_of_learning() -> None:
    model = Untidy()
    before = state(model)
    learn_patch(
        EotPatch(steps=2), model, [tiny_batch(3), tiny_batch(0), tiny_batch(2)], side=3, objective=Margin()
    )
    assert_same(before, state(model))


@pytest.mark.parametrize("levels", [(0, 255), (60, 190)])
def test_the_largest_patch_covers_the_shorter_side(levels: tuple[int, int]) -> None:
    batch = tiny_batch(2, levels=levels)
    found = run(EotPatch(steps=1, smallest=1.0), LinearPose(), batch, threat=Patch(99), objective=Redder())
    changed = (found.images != batch.images).any(dim=1)
    assert np.array_equal(changed.any(dim=2).sum(dim=1).numpy(), [TINY[0], TINY[0]])
    assert (changed.any(dim=1).sum(dim=1) == TINY[0]).all()


def test_what_cannot_be_is_refused() -> None:
    for wrong, message in (
        ({"steps": -1}, "steps must be at least 0, got -1"),
        ({"draws": 0}, "draws must be at least 1, got 0"),
        ({"step_size": 0.0}, r"step_size must lie in \(0, 1\], got 0"),
        ({"smallest": 1.5}, r"smallest must lie in \(0, 1\], got 1.5"),
    ):
        with pytest.raises(RobustPoseError, match=message):
            EotPatch(**wrong)
    with pytest.raises(RobustPoseError, match="eot_patch supports patch, got linf"):
        run(EotPatch(), LinearPose(), tiny_batch(1), threat=Linf(0.1), objective=Redder())
    with pytest.raises(RobustPoseError, match="side must be 1 to 8 pixels, got 9"):
        learn_patch(EotPatch(), LinearPose(), [], side=9, objective=Redder())
