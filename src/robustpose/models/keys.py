"""Checks of the values in a model spec: a Key is the expected value in words, and a check.

A check returns the converted value, or None where it is invalid.
"""

from collections.abc import Callable
from typing import Any

from robustpose.fields import finite_number

Key = tuple[str, Callable[[object], Any]]

_LARGEST = 4096
"""Largest side of an image or a heatmap; no pose model takes a larger one."""


def one_of(*known: str) -> Key:
    """Return a key with a choice of words."""
    expected = " or ".join(map(repr, known))
    return expected, lambda value: value if isinstance(value, str) and value in known else None


def text(value: object) -> str | None:
    """Check a line of text."""
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def names(value: object) -> tuple[str, ...] | None:
    """Check a list of different lines of text."""
    fits = isinstance(value, list) and value and all(map(text, value)) and len({*value}) == len(value)
    return tuple(value) if fits and isinstance(value, list) else None


def rows(value: object) -> tuple[int, ...] | None:
    """Check a list of different integers >= 0."""
    fits = isinstance(value, list) and value and all(_whole(row, least=0) for row in value)
    return tuple(value) if fits and isinstance(value, list) and len({*value}) == len(value) else None


def colour(value: object) -> tuple[float, ...] | None:
    """Check a number or three numbers."""
    three: list[Any] = value if isinstance(value, list) else [value] * 3
    return tuple(map(float, three)) if len(three) == 3 and all(map(finite_number, three)) else None


def positive_colour(value: object) -> tuple[float, ...] | None:
    """Check a number > 0 or three of them."""
    three = colour(value)
    return three if three and min(three) > 0 else None


def _whole(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _size(value: object) -> tuple[int, int] | None:
    fits = isinstance(value, list) and len(value) == 2 and all(_whole(side, least=1) for side in value)
    return (value[0], value[1]) if fits and isinstance(value, list) and max(value) <= _LARGEST else None


def _positive(value: object) -> float | None:
    return float(value) if finite_number(value) and value > 0 else None


TEXT: Key = ("a line of text", text)
SIZE: Key = (f"[height, width], whole numbers from 1 to {_LARGEST}", _size)
POSITIVE: Key = ("a number > 0", _positive)
