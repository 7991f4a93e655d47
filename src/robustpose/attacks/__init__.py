"""Attacks: algorithms that see a per-image loss and a threat, and nothing else. `run` is the only door.

Those of ENSEMBLES and SPATIAL need more, and have doors of their own.
"""

from collections.abc import Callable

from robustpose.attacks.acceleration import SEARCHES, FusedModel
from robustpose.attacks.apgd import APGD, apgd
from robustpose.attacks.autopose import Autopose, autopose
from robustpose.attacks.fgsm import FGSM, fgsm
from robustpose.attacks.fmn import FMN, fmn, fmn_each
from robustpose.attacks.igsm import IGSM, igsm
from robustpose.attacks.patch import EotPatch, LearnedPatch, eot_patch, learn_patch, show_patch
from robustpose.attacks.pgd import PGD, pgd
from robustpose.attacks.rays import RayS, rays
from robustpose.attacks.run import Attacked, AttackError, Crafted, Target, craft, predict, run, run_along
from robustpose.attacks.spatial import (
    FirstOrder,
    Lattice,
    Moved,
    SpatialAttack,
    WorstOfK,
    move,
    run_spatial,
    spatial,
    spatial_gradient,
    worst_of_k,
)
from robustpose.attacks.square import Square, square
from robustpose.attacks.targets import draw_targets
from robustpose.attacks.transfer import Transfer, di, mi, ti
from robustpose.attacks.universal import Universal, apply_universal, learn_universal
from robustpose.attacks.worst import Worst, run_ensemble
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import threats_of
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
    "eot_patch": eot_patch,
}

ENSEMBLES: dict[str, Callable[..., Autopose]] = {
    "autopose": autopose,
}
"""Of several attacks and objectives, so they need the net itself: `run_ensemble` is their door."""

SPATIAL: dict[str, Callable[..., SpatialAttack]] = {
    "spatial": spatial,
    "worst_of_k": worst_of_k,
    "spatial_gradient": spatial_gradient,
}
"""They move the picture and the truth with it, so they need both: `run_spatial` is their door."""

__all__ = [
    "APGD",
    "ATTACKS",
    "ENSEMBLES",
    "FGSM",
    "FMN",
    "IGSM",
    "PGD",
    "SEARCHES",
    "SPATIAL",
    "AttackError",
    "Attacked",
    "Autopose",
    "Crafted",
    "EotPatch",
    "FirstOrder",
    "FusedModel",
    "Lattice",
    "LearnedPatch",
    "Moved",
    "RayS",
    "SpatialAttack",
    "Square",
    "Target",
    "Transfer",
    "Universal",
    "Worst",
    "WorstOfK",
    "apply_universal",
    "check_attack",
    "craft",
    "describe",
    "draw_targets",
    "learn_patch",
    "learn_universal",
    "make_attack",
    "make_ensemble",
    "make_spatial",
    "move",
    "needs",
    "predict",
    "run",
    "run_along",
    "run_ensemble",
    "run_spatial",
    "show_patch",
    "usual_objective",
    "usual_threat",
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


def make_spatial(name: str, *, targeted: bool, steps: int | None = None) -> SpatialAttack:
    """Make an attack of SPATIAL; RobustPoseError for an unknown name, wrong steps, or targets."""
    if name not in SPATIAL:
        raise unknown_name("spatial attack", name, SPATIAL)
    return SPATIAL[name](targeted=targeted, steps=steps)


def make_attack(name: str, *, targeted: bool, steps: int | None = None) -> Attack:
    """Make an attack with its publication's numbers; RobustPoseError for an unknown name or wrong steps."""
    if name not in ATTACKS:
        raise unknown_name("attack", name, ATTACKS)
    return ATTACKS[name](targeted=targeted, steps=steps)


def needs(attack: object) -> str:
    """Say what an attack asks of a net: 'gradients', 'scores' (its raw output) or 'decisions' (right or wrong)."""
    return str(getattr(attack, "needs", "gradients"))


def usual_objective(name: str) -> str:
    """Return the objective that an attack raises unless told: the paper's for those that take any."""
    if name in ENSEMBLES or name in SPATIAL:
        return "training_loss"
    if name not in ATTACKS:
        raise unknown_name("attack", name, (*ATTACKS, *ENSEMBLES, *SPATIAL))
    return str(getattr(ATTACKS[name](targeted=False), "objective", "training_loss"))


def usual_threat(name: str) -> str:
    """Return the threat that an attack serves unless told: linf, or the first that it serves."""
    if name in SPATIAL:
        return "spatial"
    served = getattr(ATTACKS[name](targeted=False), "threats", ()) if name in ATTACKS else ()
    return served[0] if served else "linf"


def describe(name: str) -> dict[str, object]:
    """Return what an attack needs of a net, the threats it serves (empty: all), and what it raises unless told."""
    if name in ENSEMBLES:
        budget = ENSEMBLES[name](targeted=False).gradients
        return {"needs": "gradients", "threats": [], "objective": "its own", "steps": budget}
    if name in SPATIAL:
        moving = SPATIAL[name](targeted=False)
        steps = getattr(moving, "steps", 1)
        return {
            "needs": needs(moving),
            "threats": list(threats_of("motion")),
            "objective": "its own",
            "steps": steps,
        }
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
    if getattr(attack, "needs_parts", False) and not OBJECTIVES[objective].needs_radius:
        raise RobustPoseError(
            f"attack {name!r} needs an objective that says which keypoints are lost: margin or keypoints, "
            f"got {objective}"
        )
