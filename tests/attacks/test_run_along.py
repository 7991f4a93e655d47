"""One trajectory is the attack of every number of steps on it, bit for bit; craft raises any loss."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Generator, Tensor

from robustpose.attack_types import Attack, Loss, Threat, TrajectoryAttack
from robustpose.attacks import FGSM, IGSM, Attacked, AttackError, Target, craft, run, run_along
from robustpose.attacks.igsm import igsm
from robustpose.errors import RobustPoseError
from robustpose.objectives import TrainingLoss
from robustpose.threats import Linf
from robustpose.types import Batch, PoseModel
from tests.attacks.untidy import Untidy, assert_same, state
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch

EPS = 8 / 255
MODELS: dict[str, Callable[[], PoseModel]] = {"linear": LinearPose, "heatmaps": TinyHeatmaps}


def along(
    attack: Attack,
    model: PoseModel,
    batch: Batch,
    *,
    at: Sequence[int] | None,
    targeted: bool = False,
    round_to_8bit: bool = True,
) -> dict[int, Attacked]:
    return run_along(
        attack,
        model,
        batch,
        at=at,
        threat=Linf(EPS),
        objective=TrainingLoss("all"),
        target=Target(batch.keypoints.flip(1), batch.visible) if targeted else None,
        round_to_8bit=round_to_8bit,
    )


@pytest.mark.parametrize("round_to_8bit", [True, False], ids=["rounded", "not rounded"])
@pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])
@pytest.mark.parametrize("kind", MODELS)
def test_a_trajectory_is_the_attack_of_each_number_of_steps(
    kind: str, targeted: bool, round_to_8bit: bool
) -> None:
    model, batch = MODELS[kind](), tiny_batch()
    iterates = along(
        igsm(targeted=targeted, steps=6),
        model,
        batch,
        at=(6, 1, 3),
        targeted=targeted,
        round_to_8bit=round_to_8bit,
    )
    assert set(iterates) == {1, 3, 6}
    for steps, found in iterates.items():
        alone = run(
            igsm(targeted=targeted, steps=steps),
            model,
            batch,
            threat=Linf(EPS),
            objective=TrainingLoss("all"),
            target=Target(batch.keypoints.flip(1), batch.visible) if targeted else None,
            round_to_8bit=round_to_8bit,
        )
        assert torch.equal(found.images, alone.images)
        assert torch.equal(found.output.keypoints, alone.output.keypoints)
        assert torch.equal(found.output.scores, alone.output.scores)
        for ours, theirs in zip(found.output.stages, alone.output.stages, strict=True):
            assert torch.equal(ours, theirs)
        assert (found.forwards, found.backwards) == (alone.forwards, alone.backwards) == (4 * steps, 4 * steps)
    assert not torch.equal(iterates[1].images, iterates[3].images), "a walk that stands still shows nothing"


def test_a_sweep_costs_its_longest_walk_and_a_score_each() -> None:
    model, batch = TinyHeatmaps().eval(), tiny_batch(5)
    seen: list[int] = []
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    along(IGSM(steps=6), model, batch, at=(1, 3, 6))
    assert sum(seen) == 6 * 5 + 3 * 5


@pytest.mark.parametrize("attack", [FGSM(), IGSM(steps=3)], ids=["fgsm", "igsm"])
def test_without_stops_the_end_alone_comes_back(attack: Attack) -> None:
    model, batch = TinyHeatmaps().eval(), tiny_batch()
    (end,) = along(attack, model, batch, at=None).items()
    assert end[0] == 0
    alone = run(attack, model, batch, threat=Linf(EPS), objective=TrainingLoss("all"))
    assert torch.equal(end[1].images, alone.images)


def test_a_trajectory_does_not_go_on_after_its_attack_ends() -> None:
    with pytest.raises(AttackError, match="IGSM ended before step 4"):
        along(IGSM(steps=3), TinyHeatmaps().eval(), tiny_batch(), at=(1, 5, 4))


def test_an_attack_without_a_trajectory_has_no_iterates_to_look_at() -> None:
    assert not isinstance(FGSM(), TrajectoryAttack)
    assert isinstance(IGSM(), TrajectoryAttack)
    with pytest.raises(AttackError, match="FGSM has no trajectory"):
        along(FGSM(), TinyHeatmaps().eval(), tiny_batch(), at=(1,))


@dataclass(frozen=True)
class Wanders:
    """Exceeds the budget at its second step and returns to it at its third."""

    def perturb(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Tensor:
        return images

    def iterates(self, loss: Loss, images: Tensor, threat: Threat, generator: Generator, /) -> Iterator[Tensor]:
        yield images
        yield (images + 2 * threat.eps).clamp(0, 1)
        yield images


def test_every_stop_is_held_to_the_budget() -> None:
    model, batch = TinyHeatmaps().eval(), tiny_batch(levels=(60, 190))
    with pytest.raises(AttackError, match="exceeded its budget"):
        along(Wanders(), model, batch, at=(2,))
    assert torch.equal(along(Wanders(), model, batch, at=(1, 3))[3].images, batch.images)


def test_the_model_comes_back_from_a_trajectory_bit_for_bit() -> None:
    model = Untidy()
    before = state(model)
    along(IGSM(steps=3), model, tiny_batch(), at=(1, 2, 3))
    assert_same(before, state(model))
    with pytest.raises(AttackError):
        along(IGSM(steps=3), model, tiny_batch(), at=(9,))
    assert_same(before, state(model))


def far_away(images: Tensor) -> Tensor:
    """Optima outside the ball, alternately above and below, different for each image."""
    signs = torch.ones(images[0].numel())
    signs[::2] = -1.0
    everyone = torch.stack([signs.roll(person) for person in range(len(images))])
    return 0.5 + 3.0 * everyone.reshape(images.shape)


def quadratic(optima: Tensor) -> Loss:
    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        return -(adv - optima[rows]).square().flatten(1).sum(dim=1)

    return loss


@pytest.mark.parametrize(("steps", "share"), [(1, 5 / 12), (2, 10 / 12), (3, 1.0), (7, 1.0)])
def test_craft_climbs_a_quadratic_step_by_step(steps: int, share: float) -> None:
    """Every gradient points at the optimum, so k steps go k x 5/12 of eps towards it, and no farther than eps."""
    images = tiny_batch(3, levels=(60, 190)).images
    optima = far_away(images)
    made = craft(
        IGSM(steps=7),
        quadratic(optima),
        images,
        ids=("a", "b", "c"),
        at=(steps,),
        threat=Linf(EPS),
        seed=0,
        round_to_8bit=False,
    )
    expected = images + share * EPS * (optima - images).sign()
    torch.testing.assert_close(made[steps].images, expected, rtol=0, atol=1e-6)
    assert (made[steps].forwards, made[steps].backwards) == (3 * steps, 3 * steps)


def test_craft_rounds_to_the_nearest_level() -> None:
    """5/12 of 8 levels is 3.33, 10/12 is 6.67."""
    images = tiny_batch(2, levels=(60, 190)).images
    optima = far_away(images)
    made = craft(
        IGSM(steps=3),
        quadratic(optima),
        images,
        ids=("a", "b"),
        at=(1, 2, 3),
        threat=Linf(EPS),
        seed=0,
        round_to_8bit=True,
    )
    for steps, levels in ((1, 3), (2, 7), (3, 8)):
        moved = (made[steps].images - images) * 255
        torch.testing.assert_close(moved, levels * (optima - images).sign(), rtol=0, atol=1e-3)


def test_craft_makes_one_step_of_an_attack_without_a_trajectory() -> None:
    images = tiny_batch(2, levels=(60, 190)).images
    optima = far_away(images)
    made = craft(
        FGSM(),
        quadratic(optima),
        images,
        ids=("a", "b"),
        at=None,
        threat=Linf(EPS),
        seed=0,
        round_to_8bit=True,
    )
    assert set(made) == {0}
    torch.testing.assert_close(made[0].images, images + EPS * (optima - images).sign(), rtol=0, atol=1e-6)
    assert (made[0].forwards, made[0].backwards) == (2, 2)


def test_craft_names_the_image_whose_loss_is_nan() -> None:
    images = tiny_batch(3).images

    def loss(adv: Tensor, rows: Tensor) -> Tensor:
        return adv.flatten(1).sum(dim=1) * torch.tensor([1.0, torch.nan, 1.0])[rows]

    with pytest.raises(RobustPoseError, match="person b: the loss is NaN"):
        craft(
            FGSM(),
            loss,
            images,
            ids=("a", "b", "c"),
            at=None,
            threat=Linf(EPS),
            seed=0,
            round_to_8bit=True,
        )
