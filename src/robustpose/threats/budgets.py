"""Budgets as people write and read them: 8/255 of a pixel value, 2 in L2, 100 pixels, 30 degrees."""

import math

from robustpose.errors import RobustPoseError

EXAMPLES = {
    "linf": "8/255 or 0.03",
    "l2": "2 or 0.5",
    "l1": "12 or 0.5",
    "l0": "100",
    "patch": "32",
    "spatial": "30, degrees",
    "rotation": "30, degrees",
    "translation": "0.1, a share of the picture",
    "scaling": "0.1, a tenth larger or smaller",
}
"""Budgets of each threat, to show how they are written."""

SHIFT_OF_A_DEGREE = 0.1 / 30
"""Of the picture's side, in a spatial budget: a tenth with 30 degrees, as Engstrom et al.'s 3 of 32 pixels."""

_UNITS = {
    "l0": "pixels",
    "patch": "pixels",
    "spatial": "degrees",
    "rotation": "degrees",
    "translation": "of the side",
    "scaling": "of the size",
}
"""Of budgets that are no norm."""

_LARGEST = {"spatial": 180.0, "rotation": 180.0, "translation": 1.0, "scaling": 1.0}


def check_eps(eps: float, threat: str = "linf") -> None:
    """Raise RobustPoseError unless eps is a budget that a threat can have."""
    if threat == "linf":
        if not 0.0 <= eps <= 1.0:
            guess = f"; did you mean {eps:g}/255?" if 1.0 < eps <= 255.0 else ""
            raise RobustPoseError(f"eps must be in [0, 1], got {eps:g}{guess}")
        return
    if not (math.isfinite(eps) and eps >= 0):
        raise RobustPoseError(f"eps of {threat} must be a number from 0, got {eps:g}")
    if eps > _LARGEST.get(threat, math.inf):
        raise RobustPoseError(f"eps of {threat} must be {_LARGEST[threat]:g} at most, got {eps:g}")
    if threat in ("l0", "patch") and eps != int(eps):
        raise RobustPoseError(f"eps of {threat} is a whole number of pixels, got {eps:g}")


def parse_eps(text: str, threat: str = "linf") -> float:
    """Read eps as people write it: '8/255' or '0.031'; of other threats '2', '12', '100'.

    >>> parse_eps("8/255") == 8 / 255
    True
    >>> parse_eps("0.5", "l2")
    0.5
    """
    numerator, slash, denominator = text.partition("/")
    try:
        eps = float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        example = EXAMPLES.get(threat, "1")
        raise RobustPoseError(f"eps must be a number such as {example}, got {text!r}") from None
    if threat == "linf" and not slash and 0.25 <= eps <= 1.0:
        raise RobustPoseError(f"eps {text} of [0, 1] is {eps * 255:g}/255; write {text}/255 or {eps * 255:g}/255")
    check_eps(eps, threat)
    return eps


def read_eps(given: float | str | None, threat: str = "linf") -> float:
    """Return the budget of an attack, as people give it; None or '' is 8/255, and of linf alone.

    RobustPoseError for what the threat cannot have, for nothing where only linf has a budget that everybody
    compares at, and for 0, under which nothing is attacked.
    """
    if given is None or given == "":
        if threat != "linf":
            raise RobustPoseError(f"threat {threat} needs eps, such as {EXAMPLES[threat]}")
        return 8 / 255
    if isinstance(given, str):
        eps = parse_eps(given, threat)
    else:
        eps = float(given)
        check_eps(eps, threat)
    if eps == 0:
        raise RobustPoseError("a budget of 0 is no attack")
    return eps


def format_eps(eps: float, threat: str = "linf") -> str:
    """Write eps as people read it: 8/255, 0.25/255; 2 in L2, 12 in L1, 100 pixels, 30 degrees.

    >>> format_eps(0.5, "l2")
    '0.5 in L2'
    """
    if threat == "linf":
        return f"{round(eps * 255, 6):g}/255"
    unit = _UNITS.get(threat, f"in {threat.upper()}")
    if threat == "patch":
        return f"{eps:g} x {eps:g} {unit}"
    if threat == "spatial":
        return f"{eps:g} {unit} and {eps * SHIFT_OF_A_DEGREE:.3g} of the side"
    return f"{eps:g} {unit.removesuffix('s') if eps == 1 else unit}"
