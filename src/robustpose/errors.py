"""RobustPoseError, which the command line prints as one line, and helpers that raise it.

RobustPoseError(ValueError)    wrong user input: names the thing, the expected and the given
at_work                        prefixes an error with the model and attack that were running
writing_to                     turns file system errors into a RobustPoseError
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_URL = re.compile(r"(^|:)(https?|ftp|s3|gs|az|hdfs)://?[^/]", flags=re.IGNORECASE)


class RobustPoseError(ValueError):
    """The user's input cannot be used; the message is one readable line."""


def unknown_name(kind: str, given: str, known: Iterable[str]) -> RobustPoseError:
    """Return the error for an unknown name, with the most similar known one.

    >>> str(unknown_name("attack", "igms", ["fgsm", "igsm"]))
    "unknown attack 'igms'; did you mean 'igsm'? known: fgsm, igsm"
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    near = near or [name for name in names if name.lower() == given.lower()]
    hint = f"did you mean {near[0]!r}? " if near else ""
    return RobustPoseError(f"unknown {kind} {given!r}; {hint}known: {', '.join(names)}")


def refuse_url(kind: str, text: str) -> None:
    """Raise RobustPoseError for a URL where a name or a path is expected, also for one with its // made a /."""
    if _URL.search(text):
        raise RobustPoseError(f"{kind} {text!r} is a URL; download the file and give its path")


def printable(text: str) -> str:
    """Return a text with what a terminal obeys, and does not show, replaced by question marks.

    >>> printable("a\x1b[2Jb\u202ec")
    'a?[2Jb?c'
    """
    return "".join("?" if unicodedata.category(c) in _OBEYED and c not in "\n\t" else c for c in text)


_OBEYED = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Unicode's control and format characters, surrogates, private ones, separators of lines and paragraphs."""


@contextmanager
def at_work(title: str) -> Iterator[None]:
    """Prefix the message of a RobustPoseError with a title, such as the model and attack."""
    try:
        yield
    except RobustPoseError as error:
        raise RobustPoseError(f"{title}: {error}") from None


@contextmanager
def writing_to(folder: Path, advice: str) -> Iterator[None]:
    """Turn an OSError (no space, no permission, a file in the way) into a RobustPoseError."""
    try:
        yield
    except OSError as error:
        raise RobustPoseError(f"{folder}: {error.strerror or error}; {advice}") from error
