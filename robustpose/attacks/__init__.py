"""Attacks: algorithms that see a per-image loss and a threat, and nothing else. `run` is the only door."""

from collections.abc import Callable

from robustpose.attacks.apgd import APGD, apgd
from robustpose.attacks.autopose import Autopose, autopose
from robustpose.attacks.fgsm import FGSM, fgsm
from robustpose.attacks.igsm import IGSM, igsm
from robustpose.attacks.lean import SEARCHES, Lean
from robustpose.attacks.pgd import PGD, pgd
from robustpose.attacks.run import Attacked, AttackError, Crafted, Target, craft, predict, run, run_along
from robustpose.attacks.targets import draw_targets
from robustpose.attacks.universal import Universal, apply_universal, learn_universal
from robustpose.attacks.worst import Worst, run_ensemble
from robustpose.errors import unknown_name
from robustpose.types import Attack

ATTACKS: dict[str, Callable[..., Attack]] = {
    "fgsm": fgsm,
    "igsm": igsm,
    "pgd": pgd,
    "apgd": apgd,
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
    "IGSM",
    "PGD",
    "SEARCHES",
    "AttackError",
    "Attacked",
    "Autopose",
    "Crafted",
    "Lean",
    "Target",
    "Universal",
    "Worst",
    "apply_universal",
    "craft",
    "draw_targets",
    "learn_universal",
    "make_attack",
    "make_ensemble",
    "predict",
    "run",
    "run_along",
    "run_ensemble",
]


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
