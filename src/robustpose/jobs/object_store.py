"""Stores of objects by URL: s3://BUCKET/PATH, gs://, az:// and memory://NAME, through obstore (extra `cloud`).

Creating an object is one conditional put (If-None-Match), which the server itself decides, so no lock is needed.
Credentials and endpoints come from the environment, as for other tools: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...
A call that fails is tried again, for at most two minutes; a put that was answered late is then found to be done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from robustpose.errors import RobustPoseError

if TYPE_CHECKING:
    from robustpose.jobs.places import Place

_RETRIES, _PATIENCE = 30, timedelta(minutes=2)
_SCHEMES = ("s3", "gs", "az", "memory")
_MEMORY: dict[str, Any] = {}
"""The stores of memory:// by name: two openings in one process see the same objects."""


def open_url(url: str) -> "Place":
    """Return the place of a URL; RobustPoseError where obstore is missing or does not know it."""
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES:
        raise RobustPoseError(f"{url}: a store is a folder or a URL of {', '.join(f'{s}://' for s in _SCHEMES)}")
    if not rest.strip("/"):
        raise RobustPoseError(f"{url}: names no bucket; expected {scheme}://BUCKET/PATH")
    try:
        from obstore.exceptions import BaseError
        from obstore.store import MemoryStore, from_url
    except ModuleNotFoundError:
        raise RobustPoseError(f"{url}: needs obstore; pip install 'robustpose[cloud]'") from None
    url = url.rstrip("/")
    if scheme == "memory":
        name, _, prefix = rest.strip("/").partition("/")
        return Objects(url, _MEMORY.setdefault(name, MemoryStore()), prefix=f"{prefix}/" if prefix else "")
    try:
        store = from_url(
            url,
            client_options={"allow_http": True, "timeout": timedelta(seconds=30)},
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": _PATIENCE,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=50),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
            },
        )
    except (BaseError, OSError, ValueError) as error:
        raise RobustPoseError(f"{url}: {_first_line(error)}") from None
    return Objects(url, store)


@dataclass
class Objects:
    """The objects under a URL; satisfies Place."""

    url: str
    store: Any
    prefix: str = ""
    _appended: dict[str, bytes] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        """It is not of this machine's file system."""
        return False

    def path(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self.url}/{name}"

    def exists(self, name: str) -> bool:
        """Ask for the object's head."""
        import obstore

        with self._errors():
            try:
                obstore.head(self.store, self.prefix + name)
            except FileNotFoundError:
                return False
            return True

    def read(self, name: str) -> bytes:
        """Get the object."""
        import obstore

        with self._errors():
            return bytes(obstore.get(self.store, self.prefix + name).bytes())

    def create(self, name: str, content: bytes) -> bool:
        """Put the object if there is none of the name: one request, atomic."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._errors():
            try:
                obstore.put(self.store, self.prefix + name, content, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
            return True

    def replace(self, name: str, content: bytes) -> None:
        """Put the object."""
        import obstore

        with self._errors():
            obstore.put(self.store, self.prefix + name, content, use_multipart=False)

    def append(self, name: str, content: bytes) -> None:
        """Put the object with more at its end: these stores cannot append."""
        held = self._appended.get(name, b"") + content
        self._appended = {name: held}  # parts are small, and written one after the other
        self.replace(name, held)

    def remove(self, name: str) -> None:
        """Delete the object."""
        import obstore

        with self._errors():
            try:
                obstore.delete(self.store, self.prefix + name)
            except FileNotFoundError:
                return

    def names(self, under: str) -> list[str]:
        """List the objects, the newest first."""
        import obstore

        with self._errors():
            found = [each for page in obstore.list(self.store, f"{self.prefix}{under}/") for each in page]
        dated = sorted((-each["last_modified"].timestamp(), str(each["path"])) for each in found)
        return [f"{under}/{PurePosixPath(path).name}" for _, path in dated]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as error:
            raise RobustPoseError(f"{self.url}: {_first_line(error)}; what is stored stays") from None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
