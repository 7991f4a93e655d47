"""ThreatSpec: the facts about a threat; default functions to check, parse and format budgets."""

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
"""(eps, room (3, H, W), slope (3, H, W) >= 0) -> the change within eps and `room` that maximises sum(slope x
change). It does not use the threat's `project` and `step`, because tests compare them with it."""


@dataclass(frozen=True)
class ThreatSpec(Generic[Made]):
    """How a threat is made, and how its budget eps is parsed and formatted. Its name is its key in THREATS.

    make         returns the threat for a budget; RobustPoseError for an invalid budget
    rule         what the attacker may do within eps; completes 'The attacker ...'
    example      budgets as users write them, for messages
    unit         of eps x `scale`; labels table axes, and follows the number unless `format` is given
    scale        factor by which eps is multiplied for display
    kind         'values': bounds the change of pixel values; 'motion': bounds motions of the image and its truth
    norm         p of the Lp ball of pixel changes that it is: infinity, 2, 1 or 0; None if it is no ball. It tells
                 attacks that search in such balls that they may
    version      raised when the same eps allows or computes something else; part of the keys of stored results
    default_eps  the usual budget of the field; None: the user must give one
    parse        parses eps; parse_number by default
    format       formats eps for users; number and unit by default
    write        formats eps as `parse` reads it, for commands; the number by default
    axis         label of a chart's axis; 'eps, ' and the unit by default
    ticks        usual budgets x `scale`, which charts show beside the study's own
    remark       a sentence for the page about the usual budget
    best_move    the best change for a linear loss in closed form, for tests; None where unknown
    budgets      values of eps, small to large, at which tests run every attack that supports the threat
    """

    make: Callable[[float], Made]
    rule: str
    example: str
    unit: str
    scale: float = 1.0
    kind: Literal["values", "motion"] = "values"
    norm: float | None = None
    version: int = 1
    default_eps: float | None = None
    parse: Callable[[str], float] | None = None
    format: Callable[[float], str] | None = None
    write: Callable[[float], str] | None = None
    axis: str = ""
    ticks: tuple[float, ...] = ()
    remark: str = ""
    best_move: BestMove | None = None
    budgets: tuple[float, ...] = ()


def check_budget(eps: float, threat: str, *, largest: float = math.inf, whole: bool = False) -> None:
    """Raise RobustPoseError unless eps is a number from 0 to `largest`; with `whole`, an integer."""
    if not (math.isfinite(eps) and eps >= 0):
        raise RobustPoseError(f"eps of {threat} must be a number >= 0, got {eps:g}")
    if eps > largest:
        raise RobustPoseError(f"eps of {threat} must be at most {largest:g}, got {eps:g}")
    if whole and eps != int(eps):
        raise RobustPoseError(f"eps of {threat} must be a whole number of pixels, got {eps:g}")


def parse_number(text: str, *, example: str) -> float:
    """Parse a number or a fraction, such as '0.031' or '8/255'; RobustPoseError names the example."""
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        raise RobustPoseError(f"eps must be a number such as {example}, got {text!r}") from None


_SMALL_NORM = 0.1
"""L2 and L1 budgets in 255ths below it are probably meant per pixel value, as of linf; 36/255 is in use."""


def parse_budget(spec: ThreatSpec[object], text: str) -> float:
    """Parse a budget of a threat as users write it; RobustPoseError for an invalid one."""
    eps = spec.parse(text) if spec.parse else parse_number(text, example=spec.example)
    is_norm = spec.norm is not None and 0 < spec.norm < math.inf
    if is_norm and text.strip().endswith("/255") and 0 < eps < _SMALL_NORM:
        usual = spec.example.partition(" ")[0]  # a fraction of 255 is a budget per pixel value, as of linf
        raise RobustPoseError(
            f"eps {text} is {eps:.3g}, but in {spec.unit} it bounds the whole image; did you mean {usual}? Write "
            f"{eps:.3g} if not"
        )
    spec.make(eps)
    return eps


def write_budget(spec: ThreatSpec[object], eps: float) -> str:
    """Format a budget of a threat as `parse_budget` reads it."""
    return spec.write(eps) if spec.write else f"{eps:g}"


def format_budget(spec: ThreatSpec[object], eps: float) -> str:
    """Format a budget of a threat for users."""
    if spec.format:
        return spec.format(eps)
    number = eps * spec.scale
    return f"{number:g} {spec.unit.removesuffix('s') if number == 1 else spec.unit}"
