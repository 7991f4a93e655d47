"""The allowed perturbations: of pixel values (types.Threat), or motions of the whole picture (motion.Motion)."""

from collections.abc import Callable

from robustpose.errors import unknown_name
from robustpose.threats.budgets import EXAMPLES, check_eps, format_eps, parse_eps, read_eps
from robustpose.threats.l0 import L0
from robustpose.threats.l1 import L1
from robustpose.threats.l2 import L2
from robustpose.threats.linf import Linf
from robustpose.threats.motion import Motion, rotation, scaling, spatial, translation
from robustpose.threats.patch import Patch
from robustpose.types import Threat

THREATS: dict[str, Callable[[float], Threat]] = {
    "linf": Linf,
    "l2": L2,
    "l1": L1,
    "l0": L0,
    "patch": Patch,
}

MOTIONS: dict[str, Callable[[float], Motion]] = {
    "spatial": spatial,
    "rotation": rotation,
    "translation": translation,
    "scaling": scaling,
}
"""Threats that move the picture, and the truth with it: no attack on pixel values serves them."""

__all__ = [
    "EXAMPLES",
    "L0",
    "L1",
    "L2",
    "MOTIONS",
    "THREATS",
    "Linf",
    "Motion",
    "Patch",
    "check_eps",
    "format_eps",
    "known_threat",
    "make_motion",
    "make_threat",
    "parse_eps",
    "read_eps",
]


def known_threat(name: str) -> str:
    """Return the name of a threat, of pixel values or of motion; RobustPoseError for an unknown one."""
    if name not in THREATS and name not in MOTIONS:
        raise unknown_name("threat", name, (*THREATS, *MOTIONS))
    return name


def make_motion(name: str, eps: float) -> Motion:
    """Make a threat of MOTIONS; RobustPoseError for an unknown name or a budget that it cannot have."""
    if name not in MOTIONS:
        raise unknown_name("threat", name, (*THREATS, *MOTIONS))
    return MOTIONS[name](eps)


def make_threat(name: str, eps: float) -> Threat:
    """Make a threat; RobustPoseError for an unknown name or a budget that it cannot have."""
    if name not in THREATS:
        raise unknown_name("threat", name, THREATS)
    return THREATS[name](eps)
