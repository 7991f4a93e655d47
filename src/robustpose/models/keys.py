"""What the values of a spec file's keys must be: each Key says it in words, and checks a value.

A check returns the value as it is kept, or None where it is wrong.
"""

from collections.abc import Callable
from typing import Any

from robustpose.fields import finite_number

Key = tuple[str, Callable[[object], Any]]

_LARGEST = 4096
"""Side of an image or a heatmap: no pose model takes a larger one, and memory would end first."""


def one_of(*known: str) -> Key:
    """Return the key of a word among known ones."""
    expected = " or ".join(map(repr, known))
    return expected, lambda value: value if isinstance(value, str) and value in known else None


def text(value: object) -> str | None:
    """Take a line of text."""
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def names(value: object) -> tuple[str, ...] | None:
    """Take a list of different lines of text."""
    fits = isinstance(value, list) and value and all(map(text, value)) and len({*value}) == len(value)
    return tuple(value) if fits and isinstance(value, list) else None


def rows(value: object) -> tuple[int, ...] | None:
    """Take a list of different whole numbers from 0."""
    fits = isinstance(value, list) and value and all(_whole(row, least=0) for row in value)
    return tuple(value) if fits and isinstance(value, list) and len({*value}) == len(value) else None


def colour(value: object) -> tuple[float, ...] | None:
    """Take a number, or three."""
    three: list[Any] = value if isinstance(value, list) else [value] * 3
    return tuple(map(float, three)) if len(three) == 3 and all(map(finite_number, three)) else None


def positive_colour(value: object) -> tuple[float, ...] | None:
    """Take a number above 0, or three."""
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
