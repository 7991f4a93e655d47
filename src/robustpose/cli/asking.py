"""Turns options into an attack with its parameters: the strongest one by default, a quick one with --quick."""

from robustpose.attacks import attack_spec, default_attack
from robustpose.errors import RobustPoseError
from robustpose.jobs.setting import Setting
from robustpose.threats import known_threat, read_eps

QUICK_STEPS = 20
QUICK_OBJECTIVE = "soft_margin"


def setting_of(
    attack: str = "",
    *,
    quick: bool = False,
    threat: str = "",
    eps: float | str | None = "",
    steps: int | None = None,
    targeted: bool = False,
    objective: str = "",
    search: str = "fp32",
) -> Setting:
    """Return the attack given by the options; RobustPoseError for invalid ones."""
    if quick:
        given = {"--attack": attack, "--steps": steps, "--objective": objective}
        if named := [name for name, value in given.items() if value]:
            raise RobustPoseError(
                f"--quick is {QUICK_STEPS} gradients of APGD on the soft margin: omit {', '.join(named)}"
            )
        attack, steps, objective = "apgd", QUICK_STEPS, QUICK_OBJECTIVE
    attack = attack or default_attack(threat)
    threat = threat or attack_spec(attack).default_threat
    return Setting(
        attack,
        read_eps(eps, known_threat(threat)),
        threat=threat,
        steps=steps,
        targeted=targeted,
        objective=objective or attack_spec(attack).default_objective,
        search=search,
    )
