"""ThreatSpec: all that is known of a threat; and how budgets are usually checked, read and written."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError

Floats = NDArray[np.float64]
Made = TypeVar("Made", covariant=True)

BestMove = Callable[[float, Floats, Floats], Floats]
"""(eps, room (3, H, W), slope (3, H, W)) -> the change within eps and `room` for which slope x change, summed, is
largest; slope >= 0. It does not use the threat's own `project` and `step`: tests compare those with it."""


@dataclass(frozen=True)
class ThreatSpec(Generic[Made]):
    """How a threat is made, and how its budget eps is read and written. Its name is its key in THREATS.

    make         returns the threat of a budget; RobustPoseError for a budget that it cannot have
    rule         what the attacker may do within eps: completes 'The attacker ...'
    example      budgets as people write them, for messages
    unit         of eps x `scale`: stands at the axis of a table, and after a number unless `format` is given
    scale        people read eps times this
    kind         'values': bounds the change of pixel values; 'motion': moves the picture, and the truth along
    version      raised when the same eps allows or computes something else; part of the keys of stored results
    default_eps  the budget at which everybody compares; None: one must be given
    parse        reads eps from text; parse_number unless given
    format       writes eps for people; number and unit unless given
    best_move    the best change for a linear loss in closed form, for tests; None: unknown
    budgets      values of eps at which tests run every attack that serves the threat, small to large
    """

    make: Callable[[float], Made]
    rule: str
    example: str
    unit: str
    scale: float = 1.0
    kind: Literal["values", "motion"] = "values"
    version: int = 1
    default_eps: float | None = None
    parse: Callable[[str], float] | None = None
    format: Callable[[float], str] | None = None
    best_move: BestMove | None = None
    budgets: tuple[float, ...] = ()


def check_budget(eps: float, threat: str, *, largest: float = math.inf, whole: bool = False) -> None:
    """Raise RobustPoseError unless eps is a number from 0 to `largest`, and of pixels a whole one."""
    if not (math.isfinite(eps) and eps >= 0):
        raise RobustPoseError(f"eps of {threat} must be a number from 0, got {eps:g}")
    if eps > largest:
        raise RobustPoseError(f"eps of {threat} must be {largest:g} at most, got {eps:g}")
    if whole and eps != int(eps):
        raise RobustPoseError(f"eps of {threat} is a whole number of pixels, got {eps:g}")


def parse_number(text: str, *, example: str) -> float:
    """Read a number or a fraction, such as '0.031' or '8/255'; RobustPoseError names the example."""
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        raise RobustPoseError(f"eps must be a number such as {example}, got {text!r}") from None


def parse_budget(spec: ThreatSpec[object], text: str) -> float:
    """Read a budget of a threat as people write it; RobustPoseError for one that the threat cannot have."""
    eps = spec.parse(text) if spec.parse else parse_number(text, example=spec.example)
    spec.make(eps)
    return eps


def format_budget(spec: ThreatSpec[object], eps: float) -> str:
    """Write a budget of a threat for people."""
    if spec.format:
        return spec.format(eps)
    number = eps * spec.scale
    return f"{number:g} {spec.unit.removesuffix('s') if number == 1 else spec.unit}"
