"""Attacks: algorithms that see a per-image loss and a threat, and nothing else. `run` is the only door."""

from collections.abc import Callable

from robustpose.attacks.apgd import APGD, apgd
from robustpose.attacks.autopose import Autopose, autopose
from robustpose.attacks.fgsm import FGSM, fgsm
from robustpose.attacks.fmn import FMN, fmn, fmn_each
from robustpose.attacks.igsm import IGSM, igsm
from robustpose.attacks.lean import SEARCHES, Lean
from robustpose.attacks.pgd import PGD, pgd
from robustpose.attacks.rays import RayS, rays
from robustpose.attacks.run import Attacked, AttackError, Crafted, Target, craft, predict, run, run_along
from robustpose.attacks.square import Square, square
from robustpose.attacks.targets import draw_targets
from robustpose.attacks.transfer import Transfer, di, mi, ti
from robustpose.attacks.universal import Universal, apply_universal, learn_universal
from robustpose.attacks.worst import Worst, run_ensemble
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import ASK_FOR_A_RADIUS
from robustpose.types import Attack

ATTACKS: dict[str, Callable[..., Attack]] = {
    "fgsm": fgsm,
    "igsm": igsm,
    "pgd": pgd,
    "apgd": apgd,
    "fmn": fmn,
    "fmn_each": fmn_each,
    "square": square,
    "rays": rays,
    "mi": mi,
    "di": di,
    "ti": ti,
}

ENSEMBLES: dict[str, Callable[..., Autopose]] = {
    "autopose": autopose,
}
"""Of several attacks and objectives, so they need the net itself: `run_ensemble` is their door."""

__all__ = [
    "APGD",
    "ATTACKS",
    "ENSEMBLES",
    "FGSM",
    "FMN",
    "IGSM",
    "PGD",
    "SEARCHES",
    "AttackError",
    "Attacked",
    "Autopose",
    "Crafted",
    "Lean",
    "RayS",
    "Square",
    "Target",
    "Transfer",
    "Universal",
    "Worst",
    "apply_universal",
    "check_attack",
    "craft",
    "describe",
    "draw_targets",
    "learn_universal",
    "make_attack",
    "make_ensemble",
    "needs",
    "predict",
    "run",
    "run_along",
    "run_ensemble",
    "usual_objective",
    "without_gradient",
]


def without_gradient() -> tuple[str, ...]:
    """Name the attacks that only ask for answers."""
    return tuple(name for name, make in ATTACKS.items() if needs(make(targeted=False)) != "gradients")


def make_ensemble(name: str, *, targeted: bool, steps: int | None = None) -> Autopose:
    """Make an ensemble of ENSEMBLES; steps are its budget of gradients. RobustPoseError as `make_attack`."""
    if name not in ENSEMBLES:
        raise unknown_name("ensemble", name, ENSEMBLES)
    return ENSEMBLES[name](targeted=targeted, steps=steps)


def make_attack(name: str, *, targeted: bool, steps: int | None = None) -> Attack:
    """Make an attack with its publication's numbers; RobustPoseError for an unknown name or wrong steps."""
    if name not in ATTACKS:
        raise unknown_name("attack", name, ATTACKS)
    return ATTACKS[name](targeted=targeted, steps=steps)


def needs(attack: Attack) -> str:
    """Say what an attack asks of a net: 'gradients', 'scores' (its raw output) or 'decisions' (right or wrong)."""
    return str(getattr(attack, "needs", "gradients"))


def usual_objective(name: str) -> str:
    """Return the objective that an attack raises unless told: the paper's for those that take any."""
    if name in ENSEMBLES:
        return "training_loss"
    if name not in ATTACKS:
        raise unknown_name("attack", name, (*ATTACKS, *ENSEMBLES))
    return str(getattr(ATTACKS[name](targeted=False), "objective", "training_loss"))


def describe(name: str) -> dict[str, object]:
    """Return what an attack needs of a net, the threats it serves (empty: all), and what it raises unless told."""
    if name in ENSEMBLES:
        budget = ENSEMBLES[name](targeted=False).gradients
        return {"needs": "gradients", "threats": [], "objective": "its own", "steps": budget}
    attack = ATTACKS[name](targeted=False)
    return {
        "needs": needs(attack),
        "threats": list(getattr(attack, "threats", ())),
        "objective": usual_objective(name),
        "steps": getattr(attack, "steps", 1),
    }


def check_attack(name: str, attack: Attack, *, threat: str, objective: str) -> None:
    """Raise RobustPoseError where an attack cannot serve a threat, or raise an objective."""
    served = getattr(attack, "threats", (threat,))
    if threat not in served:
        raise RobustPoseError(f"attack {name!r} serves {' and '.join(served)}, got {threat}")
    if getattr(attack, "needs_parts", False) and objective not in ASK_FOR_A_RADIUS:
        raise RobustPoseError(
            f"attack {name!r} needs an objective that says which keypoints are lost: margin or keypoints, "
            f"got {objective}"
        )
