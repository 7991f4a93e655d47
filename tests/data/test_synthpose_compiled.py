"""Loops run whether or not the compiler can cache its result."""

import errno
from typing import Any

import numba
import pytest
from numba.core.caching import FunctionCache

from robustpose.data.synthpose import compiled as room
from robustpose.data.synthpose.compiled import compiled


def test_no_writable_folder_compiles_without_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def refusing(*, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function 'doubled': no locator available for file")
        return real(**options)

    monkeypatch.setattr(room, "njit", refusing)

    def doubled(number: int) -> int:
        return 2 * number

    assert compiled(doubled)(4) == 8


@pytest.mark.parametrize("verb", ["load_overload", "save_overload"])
def test_a_full_disk_or_an_unreadable_file_is_no_error(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FunctionCache, verb, refused)

    def trebled(number: int) -> int:
        return 3 * number

    assert compiled(trebled)(4) == 12
