"""Compiles loops with numba, cached on disk where a folder is writable."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(function: Loop) -> Loop:
    """Compile a loop on its first call, without fast math and without the GIL.

    numba caches it beside the source, in NUMBA_CACHE_DIR or in the user's cache. If none of them is writable, or
    the disk is full, every process compiles again.
    """
    try:
        loop: Any = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba raises it if no folder is writable
        loop = njit(nogil=True)(function)
    for verb in ("load_overload", "save_overload"):
        cache = getattr(loop, "_cache", None)  # absent if NUMBA_DISABLE_JIT is set
        if cache is not None:
            setattr(cache, verb, _or_nothing(getattr(cache, verb)))
    return cast("Loop", loop)


def _or_nothing(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of numba's cache that ignores OSError."""

    def tried(*given: Any) -> Any:
        try:
            return verb(*given)
        except OSError:
            return None

    return tried
