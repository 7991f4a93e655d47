"""Types of read values: which values fit which declarations."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from robustpose.fields import wrong_field


@dataclass
class Inner:
    number: int = 1


@dataclass
class Record:
    word: str = ""
    share: float = 0.5
    count: int | None = None
    names: tuple[str, ...] = ()
    pair: tuple[int, str] = (1, "a")
    held: dict[str, int] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)
    any: Any = None


def test_what_fits() -> None:
    record = Record(word="a", share=1, count=3, names=("a", "b"), held={"a": 1}, any=object())
    assert not wrong_field(record)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"word": 5}, "word is 5, expected str"),
        ({"share": "0.5"}, "share is '0.5', expected float"),
        ({"share": True}, "share is True, expected float"),
        ({"count": True}, "count is True, expected int | None"),
        ({"count": 1.5}, "count is 1.5, expected int | None"),
        ({"names": ["a"]}, "names is ['a'], expected tuple[str, ...]"),
        ({"names": ("a", 1)}, "names is ('a', 1), expected tuple[str, ...]"),
        ({"pair": (1, "a", 2)}, "pair is (1, 'a', 2), expected tuple[int, str]"),
        ({"pair": ()}, "pair is (), expected tuple[int, str]"),
        ({"held": []}, "held is [], expected dict[str, int]"),
        ({"inner": 1}, "inner is 1, expected Inner"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], line: str) -> None:
    assert wrong_field(Record(**change)) == line
