"""Type checks for values read from JSON and TOML files."""

import math
import types
from dataclasses import fields
from typing import Any, TypeGuard, Union, get_args, get_origin, get_type_hints

MOST = 2**62
"""The largest whole number that users may give, such as a seed: torch's generators take 64 bits."""


def finite_number(value: object) -> TypeGuard[float]:
    """Say whether a value is a finite number; booleans are not."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return False


def whole_number(value: object) -> TypeGuard[int]:
    """Say whether a value is an integer; booleans are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def wrong_field(record: Any) -> str:
    """Describe the first field of a dataclass whose value is not of the declared type; '' if all are.

    Checks plain types (an int passes as float), dataclasses, unions, and tuples of these. The contents of dicts
    and other containers are not checked.
    """
    hints = get_type_hints(type(record))
    for field in fields(record):
        value, hint = getattr(record, field.name), hints[field.name]
        if not _fits(value, hint):
            return f"{field.name} is {value!r:.60}, expected {hint.__name__ if isinstance(hint, type) else hint}"
    return ""


def _fits(value: object, hint: Any) -> bool:
    kind, of = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return any(_fits(value, each) for each in of)
    if kind is tuple:
        each = of[:1] * len(value) if isinstance(value, tuple) and of[1:] == (...,) else of
        return (
            isinstance(value, tuple)
            and len(value) == len(each)
            and all(_fits(part, part_hint) for part, part_hint in zip(value, each, strict=True))
        )
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return whole_number(value)
    return isinstance(value, kind or hint)
