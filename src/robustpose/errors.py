"""The one error that the command line turns into a line of text, and its did-you-mean form.

RobustPoseError(ValueError)    something the user gave is wrong: names the thing, the expected and the given
at_work                        says which model and attack an error is of
writing_to                     what the file system refuses in a folder, as a RobustPoseError
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class RobustPoseError(ValueError):
    """What the user gave cannot be used; the message is one readable line."""


def unknown_name(kind: str, given: str, known: Iterable[str]) -> RobustPoseError:
    """Make the error for a name that no registry holds, with the nearest known one.

    >>> str(unknown_name("attack", "igms", ["fgsm", "igsm"]))
    "unknown attack 'igms'; did you mean 'igsm'? known: fgsm, igsm"
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return RobustPoseError(f"unknown {kind} {given!r}; {hint}known: {', '.join(names)}")


@contextmanager
def at_work(title: str) -> Iterator[None]:
    """Begin the message of a RobustPoseError with what was computed: a model under an attack."""
    try:
        yield
    except RobustPoseError as error:
        raise RobustPoseError(f"{title}: {error}") from None


@contextmanager
def writing_to(folder: Path, advice: str) -> Iterator[None]:
    """Turn what the file system refuses (no space, no permission, a file in the way) into a RobustPoseError."""
    try:
        yield
    except OSError as error:
        raise RobustPoseError(f"{folder}: {error.strerror or error}; {advice}") from error
