"""Compiles loops, and keeps what was compiled where there is a folder for it."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(function: Loop) -> Loop:
    """Compile a loop when it is first called, without fast math and without the interpreter's lock.

    numba keeps it beside the source, in NUMBA_CACHE_DIR, or in the user's cache; where it may write to none of
    them, or the disk is full, it is compiled anew in every process.
    """
    try:
        loop: Any = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba's way to say that no folder is writable
        loop = njit(nogil=True)(function)
    for verb in ("load_overload", "save_overload"):
        cache = getattr(loop, "_cache", None)  # absent where NUMBA_DISABLE_JIT is set
        if cache is not None:
            setattr(cache, verb, _or_nothing(getattr(cache, verb)))
    return cast("Loop", loop)


def _or_nothing(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb of numba's cache that does nothing where the disk refuses."""

    def tried(*given: Any) -> Any:
        try:
            return verb(*given)
        except OSError:
            return None

    return tried
