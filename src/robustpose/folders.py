"""Where things are kept on the user's machine, and how a file is written there.

cache_folder         a folder for what can be made or fetched again
write_atomically     write a file: readers see all of it or nothing
create_atomically    write a file that is not there yet; what is there stays
remove_leftovers     remove what killed writers left
"""

import contextlib
import errno
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

_PART = ".part"
_LEFT = 3600.0
"""Seconds after which a file that is being written is taken for one that a killed process left."""


def cache_folder(name: str) -> Path:
    """Return a cache folder, under ROBUSTPOSE_CACHE if set, else in the user's cache."""
    root = os.environ.get("ROBUSTPOSE_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("robustpose")) / name


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see all of it or nothing, after a power failure, too."""
    with _aside(path, content) as aside:
        aside.replace(path)


def create_atomically(path: Path, content: bytes) -> bool:
    """Write a file as write_atomically, unless it is there: then change nothing and return False."""
    if path.exists():
        return False
    with _aside(path, content) as aside:
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            aside.replace(path)  # a file system without hard links
    return True


def remove_leftovers(folder: Path, *, now: float) -> None:
    """Remove files of a folder that a writer left aside, an hour or more before `now`.

    now  a time of the file system's own clock, such as when a file was just written there: the clocks of machines
         that share a folder differ
    """
    for path in folder.glob(f".*{_PART}"):
        with contextlib.suppress(OSError):  # another process removes it, too
            if path.stat().st_mtime < now - _LEFT:
                path.unlink()


@contextmanager
def _aside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file of a name that no other process on any machine uses; at the end it is gone."""
    name = f".{path.name}.{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(6)}{_PART}"
    aside = path.with_name(name if len(name) <= 255 else f".{secrets.token_hex(12)}{_PART}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield aside
        _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Let a rename survive a power failure, where the system can do so for folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
