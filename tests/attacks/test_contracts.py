"""Properties of every registered attack, on a linear model and on a heatmap model."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from robustpose.attack_types import Attack, MinimumNormAttack, Threat
from robustpose.attacks import (
    APGD,
    ATTACKS,
    PGD,
    Attacked,
    Target,
    make_perturbing,
    run,
)
from robustpose.attacks.gradient import stacked
from robustpose.errors import RobustPoseError
from robustpose.objectives import OBJECTIVES, Aim, Keypoints, Objective, TrainingLoss, correct_radius
from robustpose.threats import THREATS, Linf, make_threat
from robustpose.types import Batch, PoseModel
from tests.attacks.untidy import PERTURBING
from tests.conftest import LinearPose, TinyHeatmaps, one_person, tiny_batch

EPS = 8 / 255
PAIRS = [(name, threat) for name in PERTURBING for threat in ATTACKS[name].served]
"""Every attack with every threat that it serves."""
LAZY = [
    "rays",
    *(name for name in PERTURBING if isinstance(make_perturbing(name, targeted=False), MinimumNormAttack)),
]
"""Attacks that take no more of the budget than they need."""
QUICK = {"eot_patch": 4, "square": 40, "fmn": 12, "fmn_each": 8, "rays": 60, "apgd": 20, "pgd": 10}
"""Steps, where the attack's own number is long for a test."""
IN_LINF = [name for name, threat in PAIRS if threat == "linf"]
MODELS = {"linear": LinearPose, "heatmaps": TinyHeatmaps}

every_attack = pytest.mark.parametrize("name", PERTURBING)
in_linf = pytest.mark.parametrize("name", IN_LINF)
every_model = pytest.mark.parametrize("model", [make() for make in MODELS.values()], ids=MODELS.keys())
both_ways = pytest.mark.parametrize("targeted", [False, True], ids=["untargeted", "targeted"])


def objective_of(name: str) -> Objective:
    return OBJECTIVES[ATTACKS[name].default_objective]


def usual(name: str) -> Threat:
    """A budget that the attack supports, in linf if it supports linf."""
    return Linf(EPS) if name in IN_LINF else make_threat(ATTACKS[name].default_threat, 5)


def attack(
    name: str,
    model: PoseModel,
    batch: Batch,
    *,
    threat: Threat | None = None,
    targeted: bool = False,
    seed: int = 0,
    round_to_8bit: bool = True,
) -> Attacked:
    target = Target(keypoints=batch.keypoints.flip(1), visible=batch.visible) if targeted else None
    return run(
        make_perturbing(name, targeted=targeted, steps=QUICK.get(name)),
        model,
        batch,
        threat=threat or usual(name),
        objective=objective_of(name),
        target=target,
        seed=seed,
        round_to_8bit=round_to_8bit,
    )


@both_ways
@every_model
@pytest.mark.parametrize(("name", "threat"), PAIRS)
def test_budget_range_and_finiteness(name: str, threat: str, model: PoseModel, targeted: bool) -> None:
    batch = tiny_batch()
    for eps in THREATS[threat].budgets:
        allowed = make_threat(threat, eps)
        rounds = allowed.holds_8bit
        adv = attack(name, model, batch, threat=allowed, targeted=targeted, round_to_8bit=rounds).images
        assert torch.isfinite(adv).all()
        assert adv.shape == batch.images.shape
        assert adv.min() >= 0
        assert adv.max() <= 1
        assert (allowed.size(batch.images, adv) <= allowed.eps * (1 + 1e-5) + 1e-6).all()
        least = 0.0 if name in LAZY else 0.5 * allowed.eps
        assert (allowed.size(batch.images, adv) >= least).all(), "an attack that does nothing"


@every_model
@pytest.mark.parametrize(("name", "threat"), PAIRS)
def test_eps_0_is_the_identity(name: str, threat: str, model: PoseModel) -> None:
    batch = tiny_batch()
    for rounds in (True, False):
        attacked = attack(name, model, batch, threat=make_threat(threat, 0.0), round_to_8bit=rounds)
        assert torch.equal(attacked.images, batch.images)
        assert torch.equal(attacked.output.keypoints, model(batch.images).keypoints)


@every_model
@every_attack
def test_same_seed_same_bits(name: str, model: PoseModel) -> None:
    batch = tiny_batch()
    first = attack(name, model, batch, seed=5)
    torch.rand(7)  # the global generator has no say
    again = attack(name, model, batch, seed=5)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.output.keypoints, again.output.keypoints)


@both_ways
@every_model
@every_attack
def test_arguments_are_not_written_to(name: str, model: PoseModel, targeted: bool) -> None:
    batch = tiny_batch()
    kept = deepcopy(batch)
    attacked = attack(name, model, batch, targeted=targeted)
    for field in ("images", "keypoints", "visible", "head_size", "box_side", "crops"):
        assert torch.equal(getattr(batch, field), getattr(kept, field)), field
    assert not batch.images.requires_grad
    assert attacked.images.data_ptr() != batch.images.data_ptr()


@both_ways
@every_model
@every_attack
def test_n_together_are_one_at_a_time(name: str, model: PoseModel, targeted: bool) -> None:
    """Equal losses; pixels may differ, because the batch size changes the last bit of a gradient."""
    batch = tiny_batch(5)
    together = attack(name, model, batch, targeted=targeted)
    keypoints = batch.keypoints.flip(1) if targeted else batch.keypoints
    aim = Aim(keypoints, batch.visible, correct_radius(batch))
    loss = objective_of(name).bind(model, aim, targeted=targeted)
    with torch.no_grad():
        losses = loss(together.images, torch.arange(5))
    for row in range(len(batch)):
        alone = attack(name, model, one_person(batch, row), targeted=targeted)
        with torch.no_grad():
            found = loss(alone.images, torch.tensor([row]))
        assert float(found) == pytest.approx(float(losses[row]), rel=1e-3)
        same = (alone.images == together.images[row : row + 1]).float().mean()
        assert same > 0.98
        if alone.minimum_norm is not None and together.minimum_norm is not None:
            theirs = together.minimum_norm[row : row + 1]
            torch.testing.assert_close(alone.minimum_norm, theirs, rtol=1e-3, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize(
    "threat", [Linf(EPS), make_threat("l2", 1.0), make_threat("l1", 4.0), make_threat("l0", 9)]
)
def test_random_starts_are_each_persons_own(threat: Threat) -> None:
    """Alone, at another index or among others, a person gets the same restarts from the same starting points."""
    batch = tiny_batch(5)
    starts, _, _ = stacked(batch.images, threat, torch.Generator().manual_seed(3), restarts=3)
    assert not torch.equal(starts[5:10], starts[10:15])
    assert (starts[5:6] - batch.images[:1]).abs().max() > 0
    for row in range(len(batch)):
        alone, _, _ = stacked(batch.images[row : row + 1], threat, torch.Generator().manual_seed(3), restarts=3)
        assert torch.equal(alone, starts[row::5])
    backwards, _, _ = stacked(batch.images.flip(0), threat, torch.Generator().manual_seed(3), restarts=3)
    assert torch.equal(backwards, starts.reshape(3, 5, *starts.shape[1:]).flip(1).reshape_as(starts))


@every_model
@pytest.mark.parametrize("made", [PGD(steps=4, restarts=3), APGD(steps=6, restarts=3)], ids=["pgd", "apgd"])
def test_tries_of_n_together_are_those_of_one_at_a_time(made: Attack, model: PoseModel) -> None:
    batch = tiny_batch(4)
    together = run(made, model, batch, threat=Linf(EPS), objective=TrainingLoss())
    for row in range(len(batch)):
        alone = run(made, model, one_person(batch, row), threat=Linf(EPS), objective=TrainingLoss())
        assert (alone.images == together.images[row : row + 1]).float().mean() > 0.98


@pytest.mark.parametrize(
    ("name", "targeted", "steps", "passes"),
    [
        ("fgsm", False, None, 1),
        ("fgsm", True, None, 1),
        ("igsm", False, None, 10),
        ("igsm", True, None, 20),
        ("igsm", False, 3, 3),
    ],
)
@pytest.mark.parametrize("objective", [each for each in OBJECTIVES.values() if not isinstance(each, Keypoints)])
def test_passes_are_counted(
    name: str, targeted: bool, steps: int | None, passes: int, objective: Objective
) -> None:
    """The runner's counts match the model's own counts plus one forward pass for the score."""
    model, batch = TinyHeatmaps(), tiny_batch(5)
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    attacked = run(
        make_perturbing(name, targeted=targeted, steps=steps),
        model,
        batch,
        threat=Linf(EPS),
        objective=objective,
        target=Target(batch.keypoints.flip(1), batch.visible) if targeted else None,
    )
    assert (attacked.forwards, attacked.backwards) == (passes * 5, passes * 5)
    assert sum(seen) == passes * 5 + 5


@every_model
@in_linf
def test_rounding_to_8_bits_stays_on_levels_and_in_the_ball(name: str, model: PoseModel) -> None:
    batch = tiny_batch()
    before = (batch.images.double() * 255).round()
    for levels in (*range(1, 10), 16, 31, 32):
        adv = attack(name, model, batch, threat=Linf(levels / 255)).images.double() * 255
        assert (adv - adv.round()).abs().max() < 1e-4
        assert (adv.round() - before).abs().max() <= levels
        assert (adv.round() - before).abs().max() == levels or name in LAZY
        assert adv.round().min() >= 0
        assert adv.round().max() <= 255


@pytest.mark.parametrize(("levels", "reach"), [(2.5, 2), (1.999, 1), (0.5, 0), (31.9, 31)])
@in_linf
def test_rounding_with_a_budget_between_levels(name: str, levels: float, reach: int) -> None:
    batch = tiny_batch()
    adv = attack(name, TinyHeatmaps(), batch, threat=Linf(levels / 255)).images
    moved = (adv.double() - batch.images.double()).abs().max() * 255
    assert float(moved) == pytest.approx(reach, abs=1e-4) or (name in LAZY and float(moved) <= reach + 1e-4)


@every_attack
def test_wrong_steps(name: str) -> None:
    with pytest.raises(RobustPoseError, match="step"):
        make_perturbing(name, targeted=False, steps=0)


def test_unknown_attack_is_guessed() -> None:
    with pytest.raises(RobustPoseError, match="unknown attack 'igms'; did you mean 'igsm'"):
        make_perturbing("igms", targeted=False)


def test_attacks_are_values() -> None:
    """Frozen dataclasses are equal when their numbers are: a cell's key is the hash of its fields."""
    for name in PERTURBING:
        made = make_perturbing(name, targeted=True)
        assert made == make_perturbing(name, targeted=True)
        assert hash(made) == hash(make_perturbing(name, targeted=True))
        assert not isinstance(made, nn.Module)
