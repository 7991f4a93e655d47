"""Attacks: algorithms that see only a per-image loss and a threat. `run` runs any of them."""

from robustpose.attack_types import Attack
from robustpose.attacks.acceleration import SEARCHES, FusedModel
from robustpose.attacks.apgd import APGD, APGD_SPEC
from robustpose.attacks.autopose import AUTOPOSE_SPEC, Autopose
from robustpose.attacks.contract import Attacked, AttackError, Moved, Target, predict
from robustpose.attacks.ensemble import Ensemble, Move
from robustpose.attacks.fgsm import FGSM, FGSM_SPEC
from robustpose.attacks.fmn import FMN, FMN_EACH_SPEC, FMN_SPEC
from robustpose.attacks.igsm import IGSM, IGSM_SPEC
from robustpose.attacks.motions import (
    SPATIAL_GRADIENT_SPEC,
    SPATIAL_SPEC,
    WORST_OF_K_SPEC,
    FirstOrder,
    Lattice,
    WorstOfK,
)
from robustpose.attacks.patch import EOT_PATCH_SPEC, EotPatch, LearnedPatch, learn_patch, show_patch
from robustpose.attacks.pgd import PGD, PGD_SPEC
from robustpose.attacks.rays import RAYS_SPEC, RayS
from robustpose.attacks.runner import AnyAttack, Crafted, craft, run, run_along
from robustpose.attacks.spatial import SpatialAttack, move
from robustpose.attacks.spec import AttackSpec
from robustpose.attacks.square import SQUARE_SPEC, Square
from robustpose.attacks.targets import draw_targets
from robustpose.attacks.transfer import DI_SPEC, MI_SPEC, TI_SPEC, Transfer
from robustpose.attacks.universal import Universal, apply_universal, learn_universal
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS

ATTACKS: dict[str, AttackSpec] = {
    "fgsm": FGSM_SPEC,
    "igsm": IGSM_SPEC,
    "pgd": PGD_SPEC,
    "apgd": APGD_SPEC,
    "fmn": FMN_SPEC,
    "fmn_each": FMN_EACH_SPEC,
    "square": SQUARE_SPEC,
    "rays": RAYS_SPEC,
    "mi": MI_SPEC,
    "di": DI_SPEC,
    "ti": TI_SPEC,
    "eot_patch": EOT_PATCH_SPEC,
    "autopose": AUTOPOSE_SPEC,
    "spatial": SPATIAL_SPEC,
    "worst_of_k": WORST_OF_K_SPEC,
    "spatial_gradient": SPATIAL_GRADIENT_SPEC,
}

STRONGEST = ("autopose", "spatial", "eot_patch")
"""The strongest attack on pixel values, by motion and with a patch; a run without a named attack takes one."""

__all__ = [
    "APGD",
    "ATTACKS",
    "FGSM",
    "FMN",
    "IGSM",
    "PGD",
    "SEARCHES",
    "STRONGEST",
    "AnyAttack",
    "AttackError",
    "AttackSpec",
    "Attacked",
    "Autopose",
    "Crafted",
    "Ensemble",
    "EotPatch",
    "FirstOrder",
    "FusedModel",
    "Lattice",
    "LearnedPatch",
    "Move",
    "Moved",
    "RayS",
    "SpatialAttack",
    "Square",
    "Target",
    "Transfer",
    "Universal",
    "WorstOfK",
    "apply_universal",
    "attack_spec",
    "check_attack",
    "craft",
    "default_attack",
    "draw_targets",
    "learn_patch",
    "learn_universal",
    "make_attack",
    "make_perturbing",
    "move",
    "predict",
    "run",
    "run_along",
    "show_patch",
]


def attack_spec(name: str) -> AttackSpec:
    """Return the spec of an attack; RobustPoseError for an unknown name."""
    if name not in ATTACKS:
        raise unknown_name("attack", name, ATTACKS)
    return ATTACKS[name]


def default_attack(threat: str = "") -> str:
    """Return the strongest attack of the package under a threat; RobustPoseError for an unknown threat.

    >>> default_attack(), default_attack("rotation"), default_attack("patch")
    ('autopose', 'spatial', 'eot_patch')
    """
    if threat and threat not in THREATS:
        raise unknown_name("threat", threat, THREATS)
    first = [each for each in STRONGEST if ATTACKS[each].default_threat == threat]
    return next(each for each in (*first, *STRONGEST) if not threat or ATTACKS[each].serves(threat))


def make_attack(name: str, *, targeted: bool, steps: int | None = None) -> AnyAttack:
    """Make an attack with its published settings; RobustPoseError for an unknown name or wrong steps."""
    return attack_spec(name).make(targeted=targeted, steps=steps)


def make_perturbing(name: str, *, targeted: bool, steps: int | None = None) -> Attack:
    """Make an attack that raises any per-image loss; RobustPoseError as in `make_attack`, and for other kinds."""
    made = make_attack(name, targeted=targeted, steps=steps)
    if not isinstance(made, Attack):
        raise RobustPoseError(
            f"attack {name!r} needs people with true keypoints; use one that raises any loss, such as igsm"
        )
    return made


def check_attack(name: str, *, threat: str, objective: str, search: str) -> None:
    """Raise RobustPoseError where an attack does not support a threat, an objective or a search precision.

    For an attack with objectives of its own, pass 'training_loss', which stands for none.
    """
    spec = attack_spec(name)
    if spec.objective is None and objective != "training_loss":
        raise RobustPoseError(f"{name} has objectives of its own: omit {objective!r}")
    if not spec.serves(threat):
        if THREATS[threat].kind == "motion":
            movers = ", ".join(each for each, other in ATTACKS.items() if other.serves(threat))
            raise RobustPoseError(
                f"attack {name!r} changes pixel values, threat {threat!r} moves the image; use {movers}"
            )
        served = (", " if spec.moves_truth else " and ").join(spec.served)
        raise RobustPoseError(f"attack {name!r} supports {served}, got {threat}")
    if spec.moves_truth and search != "fp32":
        raise RobustPoseError(f"attack {name!r} searches in fp32 only: omit {search!r}")
    if spec.needs_parts and not OBJECTIVES[objective].needs_radius:
        raise RobustPoseError(
            f"attack {name!r} needs an objective with a value per keypoint: margin or keypoints, got {objective}"
        )
