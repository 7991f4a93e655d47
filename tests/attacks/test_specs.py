"""Attacks behave as their registry rows state; the runner refuses combinations that do not fit."""

from pathlib import Path

import pytest

import robustpose.attacks
from robustpose.attack_types import Attack, Threat
from robustpose.attacks import (
    ATTACKS,
    AnyAttack,
    AttackError,
    Autopose,
    Ensemble,
    FirstOrder,
    Lattice,
    SpatialAttack,
    Square,
    Target,
    check_attack,
    make_attack,
    make_perturbing,
    run,
    run_along,
)
from robustpose.errors import RobustPoseError
from robustpose.objectives import OBJECTIVES, TrainingLoss
from robustpose.threats import THREATS, Linf, Motion, make_motion
from tests.conftest import LinearPose, tiny_batch

KINDS = {"perturbation": Attack, "ensemble": Ensemble, "spatial": SpatialAttack}
every_attack = pytest.mark.parametrize("name", ATTACKS)


@every_attack
def test_a_spec_fits_what_it_makes(name: str) -> None:
    spec = ATTACKS[name]
    made = make_attack(name, targeted=False)
    assert [kind for kind, protocol in KINDS.items() if isinstance(made, protocol)] == [spec.kind]
    assert (spec.objective is None) == (spec.kind != "perturbation")
    assert spec.default_objective in OBJECTIVES
    assert {THREATS[threat].kind for threat in spec.served} == {"motion" if spec.moves_truth else "values"}
    assert not spec.needs_parts or OBJECTIVES[spec.default_objective].needs_radius
    assert spec.version >= 1
    assert spec.summary[:1].isupper()
    assert not spec.summary.endswith(".")
    assert "{" not in spec.sentence.format(**spec.numbers(), way="away")
    check_attack(name, threat=spec.default_threat, objective=spec.default_objective, search="fp32")


def test_every_spec_of_the_room_is_registered_once() -> None:
    room = Path(robustpose.attacks.__file__).parent
    written = sum(file.read_text().count("_SPEC = AttackSpec(") for file in room.glob("*.py"))
    assert written == len(ATTACKS) == len({id(spec) for spec in ATTACKS.values()})


@pytest.mark.parametrize(
    ("attack", "threat", "message"),
    [
        (
            make_attack("igsm", targeted=False),
            make_motion("rotation", 10.0),
            "IGSM changes pixel values",
        ),
        (Autopose(), make_motion("rotation", 10.0), "Autopose changes pixel values; threat"),
        (Lattice(), Linf(8 / 255), "Lattice moves the image; threat 'linf' does not bound that"),
    ],
)
def test_the_runner_refuses_a_threat_of_another_kind(
    attack: AnyAttack, threat: Threat | Motion, message: str
) -> None:
    with pytest.raises(RobustPoseError, match=message):
        run(attack, LinearPose(), tiny_batch(), threat=threat, objective=TrainingLoss())


def test_the_runner_refuses_what_is_missing_or_too_much() -> None:
    model, batch = LinearPose(), tiny_batch()
    with pytest.raises(RobustPoseError, match="Square needs an objective to raise, got none"):
        run(Square(), model, batch, threat=Linf(8 / 255))
    with pytest.raises(RobustPoseError, match="FirstOrder is untargeted: it takes no target"):
        aim = Target(batch.keypoints, batch.visible)
        run(FirstOrder(), model, batch, threat=make_motion("rotation", 10.0), target=aim)
    with pytest.raises(AttackError, match="Autopose has no trajectory"):
        run_along(Autopose(), model, batch, at=(1,), threat=Linf(8 / 255))
    with pytest.raises(RobustPoseError, match="'autopose' needs people with true keypoints"):
        make_perturbing("autopose", targeted=False)
