"""Threats: bounds on the change of pixel values (attack_types.Threat) or on motions of the image (motion.Motion).

One file per threat, with its ThreatSpec.
"""

from collections.abc import Collection
from typing import Literal

from robustpose.attack_types import Threat
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.threats.l0 import L0, L0_SPEC
from robustpose.threats.l1 import L1, L1_SPEC
from robustpose.threats.l2 import L2, L2_SPEC
from robustpose.threats.linf import LINF_SPEC, Linf
from robustpose.threats.motion import ROTATION_SPEC, SCALING_SPEC, SPATIAL_SPEC, TRANSLATION_SPEC, Motion
from robustpose.threats.patch import PATCH_SPEC, Patch
from robustpose.threats.spec import ThreatSpec, format_budget, parse_budget, write_budget

THREATS: dict[str, ThreatSpec[Threat] | ThreatSpec[Motion]] = {
    "linf": LINF_SPEC,
    "l2": L2_SPEC,
    "l1": L1_SPEC,
    "l0": L0_SPEC,
    "patch": PATCH_SPEC,
    "spatial": SPATIAL_SPEC,
    "rotation": ROTATION_SPEC,
    "translation": TRANSLATION_SPEC,
    "scaling": SCALING_SPEC,
}

__all__ = [
    "L0",
    "L1",
    "L2",
    "THREATS",
    "Linf",
    "Motion",
    "Patch",
    "ThreatSpec",
    "balls_of",
    "format_eps",
    "known_threat",
    "make_motion",
    "make_threat",
    "norm_of",
    "parse_eps",
    "read_eps",
    "threats_of",
    "write_eps",
]


def threats_of(kind: Literal["values", "motion"]) -> tuple[str, ...]:
    """Return the names of the threats that bound pixel values, or of those that bound motions."""
    return tuple(name for name, spec in THREATS.items() if spec.kind == kind)


def balls_of(norms: Collection[float]) -> tuple[str, ...]:
    """Return the names of the threats that are Lp balls of these norms p."""
    return tuple(name for name, spec in THREATS.items() if spec.norm in norms)


def known_threat(name: str) -> str:
    """Return the name of a threat; RobustPoseError for an unknown one."""
    if name not in THREATS:
        raise unknown_name("threat", name, THREATS)
    return name


def norm_of(threat: str) -> float | None:
    """Return p of the Lp ball that a threat is; None for other threats."""
    return THREATS[threat].norm if threat in THREATS else None


def make_motion(name: str, eps: float) -> Motion:
    """Make a threat that bounds motions; RobustPoseError for an unknown name or a wrong budget."""
    made = THREATS[known_threat(name)].make(eps)
    if not isinstance(made, Motion):
        raise unknown_name("threat", name, threats_of("motion"))
    return made


def make_threat(name: str, eps: float) -> Threat:
    """Make a threat that bounds pixel values; RobustPoseError for an unknown name or a wrong budget."""
    if name not in threats_of("values"):
        raise unknown_name("threat", name, threats_of("values"))
    made = THREATS[name].make(eps)
    assert not isinstance(made, Motion), f"the spec of threat {name} says that it bounds pixel values"
    return made


def parse_eps(text: str, threat: str = "linf") -> float:
    """Parse eps as users write it: '8/255' or '0.031'; for other threats '2', '12', '100'.

    >>> parse_eps("8/255") == 8 / 255
    True
    >>> parse_eps("0.5", "l2")
    0.5
    """
    return parse_budget(THREATS[threat], text)


def read_eps(given: float | str | None, threat: str = "linf") -> float:
    """Return the budget of an attack as users give it; None or '' is the threat's default, 8/255 for linf.

    RobustPoseError for an invalid budget, for a missing one where the threat has no default, and for 0.
    """
    spec = THREATS[threat]
    if given is None or given == "":
        if spec.default_eps is None:
            raise RobustPoseError(f"threat {threat} needs eps, such as {spec.example}")
        return spec.default_eps
    if isinstance(given, str):
        eps = parse_budget(spec, given)
    else:
        eps = float(given)
        spec.make(eps)
    if eps == 0:
        raise RobustPoseError("eps must be above 0, got 0")
    return eps


def format_eps(eps: float, threat: str = "linf") -> str:
    """Format eps for users: 8/255, 0.25/255; 2 in L2, 12 in L1, 100 pixels, 30 degrees.

    >>> format_eps(0.5, "l2")
    '0.5 in L2'
    """
    return format_budget(THREATS[threat], eps)


def write_eps(eps: float, threat: str = "linf") -> str:
    """Format eps as `--eps` reads it: 8/255, 0.5, 100.

    >>> write_eps(8 / 255), write_eps(0.5, "l2")
    ('8/255', '0.5')
    """
    return write_budget(THREATS[threat], eps)
