"""Where the objects of a store lie: a folder here (`places.py`), or a store of objects by URL (`object_store.py`).

An object is a name such as 'cells/KEY.npz' and bytes. Creating one is atomic and happens once: of two writers of
one name, one is told that it came second. Nothing else is needed of a place: no lock, no server of ours.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from robustpose.errors import RobustPoseError
from robustpose.folders import create_atomically, remove_leftovers, write_atomically

_URL = re.compile(r"[a-z][a-z0-9+.-]+://")


class Place(Protocol):
    """A folder of objects, wherever it is. What the place refuses is a RobustPoseError that names it."""

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine's file system."""
        ...

    def path(self, name: str, /) -> str:
        """Return what messages call an object."""
        ...

    def exists(self, name: str, /) -> bool:
        """Say whether an object is there."""
        ...

    def read(self, name: str, /) -> bytes:
        """Return an object; FileNotFoundError where it is not there."""
        ...

    def create(self, name: str, content: bytes, /) -> bool:
        """Write an object that is not there yet, atomically; False, and nothing written, where it is."""
        ...

    def replace(self, name: str, content: bytes, /) -> None:
        """Write an object, atomically, in place of the one that may be there."""
        ...

    def append(self, name: str, content: bytes, /) -> None:
        """Add to the end of an object that only this process writes."""
        ...

    def remove(self, name: str, /) -> None:
        """Remove an object, if it is there."""
        ...

    def names(self, under: str, /) -> list[str]:
        """List the objects of a folder by name, 'cells/KEY.npz' for under = 'cells', the newest first."""
        ...


def is_url(where: object) -> bool:
    """Say whether a place is given by URL.

    >>> is_url("s3://bucket/run"), is_url("runs/quick"), is_url(Path("s3:/bucket"))
    (True, False, False)
    """
    return isinstance(where, str) and _URL.match(where) is not None


_LONGEST = 1000
POINTER = "place.json"
"""In a local folder: the URL where its results lie. What is computed from them is written locally, too."""


def folder_of(where: str) -> Path:
    """Return the local folder of a study: of a path itself; of a URL one in runs/ that points to it.

    RobustPoseError for a URL that cannot be opened.
    """
    if where.startswith("file://"):
        return Path(where.removeprefix("file://"))
    if not is_url(where):
        return Path(where)
    folder = Path("runs") / re.sub(r"[^\w.-]+", "-", where).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / POINTER, (json.dumps({"url": where}) + "\n").encode())
    for name in _FETCHED:
        try:
            write_atomically(folder / name, open_place(folder).read(name))
        except FileNotFoundError:
            (folder / name).unlink(missing_ok=True)
    return folder


_FETCHED = ("study.json",)
"""What commands read of a study beside its results."""


def publish(folder: Path) -> None:
    """Copy what was computed from results to where they lie, if that is not this folder: tables and pages."""
    place = open_place(folder)
    if place.local:
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != POINTER and not path.name.startswith("."):
            place.replace(path.relative_to(folder).as_posix(), path.read_bytes())


def _pointed(folder: Path) -> str | None:
    """Return the URL that a folder or the one around it points to, the latter with the folder's name."""
    for pointer, below in ((folder / POINTER, ""), (folder.parent / POINTER, f"/{folder.name}")):
        try:
            url = json.loads(pointer.read_bytes())["url"]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise RobustPoseError(f"{pointer}: does not say where results lie ({error!r:.100})") from None
        if not is_url(url) or len(url) > _LONGEST or not url.isprintable():
            raise RobustPoseError(f"{pointer}: does not say where results lie: its url is {str(url)[:60]!a}")
        return str(url).rstrip("/") + below
    return None


def open_place(where: "str | Path | Place") -> Place:
    """Return the place of a path or URL (s3://, gs://, az://, memory://, file://); RobustPoseError for others.

    A folder with a pointer is the place that it points to.
    """
    if isinstance(where, Path):
        url = _pointed(where)
        return Folder(where) if url is None else open_place(url)
    if not isinstance(where, str):
        return where
    if where.startswith("file://"):
        return Folder(Path(where.removeprefix("file://")))
    if not is_url(where):
        return open_place(Path(where))
    from robustpose.jobs.object_store import open_url

    return open_url(where)


@dataclass
class Folder:
    """A folder of the file system, which several machines may share."""

    folder: Path
    _identity: tuple[int, int] | None = None
    _swept: set[Path] = field(default_factory=set)

    @property
    def local(self) -> bool:
        """It is one."""
        return True

    def path(self, name: str) -> str:
        """The path."""
        return str(self.folder / name)

    def exists(self, name: str) -> bool:
        """Look for the file."""
        return (self.folder / name).is_file()

    def read(self, name: str) -> bytes:
        """Read the file."""
        with self._errors("is it readable?"):
            return (self.folder / name).read_bytes()

    def create(self, name: str, content: bytes) -> bool:
        """Write aside, then link."""
        with self._writing(name) as path:
            return create_atomically(path, content)

    def replace(self, name: str, content: bytes) -> None:
        """Write aside, then rename."""
        with self._writing(name) as path:
            write_atomically(path, content)

    def append(self, name: str, content: bytes) -> None:
        """Append in one write."""
        with self._writing(name) as path, path.open("ab", buffering=0) as file:
            file.write(content)

    def remove(self, name: str) -> None:
        """Remove the file."""
        with self._errors("is it writable?"):
            (self.folder / name).unlink(missing_ok=True)

    def names(self, under: str) -> list[str]:
        """List the files, those that are being written left out."""
        found = [path for path in (self.folder / under).glob("*") if not path.name.startswith(".")]
        dated = sorted((-path.stat().st_mtime, path.name) for path in found if path.is_file())
        return [f"{under}/{name}" for _, name in dated]

    @contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        with self._errors("name a writable folder with free space, as --out; what is stored stays"):
            self._check_not_moved()
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path
            if self._identity is None:
                about = self.folder.stat()
                self._identity = about.st_dev, about.st_ino
            if path.parent not in self._swept and path.exists():
                self._swept.add(path.parent)
                remove_leftovers(path.parent, now=path.stat().st_mtime)

    def _check_not_moved(self) -> None:
        """RobustPoseError where the folder that was written to has gone: a new one would hold half of a run."""
        if self._identity is None:
            return
        try:
            about = self.folder.stat()
        except FileNotFoundError:
            about = None
        if about is None or (about.st_dev, about.st_ino) != self._identity:
            raise RobustPoseError(
                f"{self.folder} was moved or removed while this run wrote to it; run the command again with the "
                "new place as --out: what is stored there is not computed again"
            )

    @contextmanager
    def _errors(self, advice: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RobustPoseError(f"{self.folder}: {error.strerror or error}; {advice}") from error
