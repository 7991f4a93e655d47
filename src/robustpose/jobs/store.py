"""Where results lie: a folder with one file a job, each committed in one atomic act. No server, no lock.

Killing anything at any moment loses the jobs under way and nothing else. The same job is the same bytes: a file
holds no time and no place. The pictures that a cell keeps lie in a file of their own, written before the cell's.
"""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

import robustpose
from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import Job
from robustpose.jobs.results import Arrays, CellResult, Pictures, Stored

_VERSION = {"format": 3, "robustpose": robustpose.__version__}
_VERSION_FILE = "store.json"

R = TypeVar("R", bound=Stored)

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(ValueError, TypeError, KeyError, EOFError, OSError),
)
"""What reading a file with other bytes than were written may raise: the archive, and what is in it."""


class Store:
    """A study's folder; opening it checks that this version wrote it, the first job makes it.

    versions  of the code or of torch whose result of a job is taken where this version's is not there, the best
              first: on another machine hundreds of cells may have been computed already
    """

    def __init__(self, folder: Path, *, versions: Sequence[str] = ()) -> None:
        self.folder = folder
        self.versions = tuple(versions)
        self._jobs = folder / "cells"
        self._pictures = folder / "pictures"
        self._check_version()

    def __contains__(self, job: Job) -> bool:
        if not self._path(self.held(job)).exists():
            return False
        asked = job.keep_images if isinstance(job, Cell) else 0
        return asked == 0 or self._kept(job) >= min(asked, self._people(job))

    def held(self, job: Job) -> Job:
        """Return the job as the version defines it whose result is there; the job itself where none is."""
        others = (job.of_version(version) for version in self.versions)
        return next((each for each in (job, *others) if self._path(each).exists()), job)

    def put(self, job: Job, result: Stored, pictures: Pictures | None = None) -> None:
        """Commit a job: written aside, then renamed; its pictures first."""
        self._jobs.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _VERSION_FILE).exists():
            write_atomically(self.folder / _VERSION_FILE, (json.dumps(_VERSION) + "\n").encode())
        if pictures is not None and len(pictures.clean) > 0:
            self._pictures.mkdir(exist_ok=True)
            content = _to_bytes({}, {"clean": pictures.clean, "adversarial": pictures.adversarial})
            write_atomically(self._picture_path(job), content)
        about, arrays = result.to_arrays()
        write_atomically(self._path(job), _to_bytes({**about, "job": job.as_dict()}, arrays))

    def get(self, cell: Job) -> CellResult:
        """Read what a net answered; RobustPoseError where the file is damaged or lacking."""
        return self.read(cell, CellResult)

    def read(self, job: Job, kind: type[R], /) -> R:
        """Read a job's result; RobustPoseError where its file is damaged or lacking."""
        path = self._path(self.held(job))
        try:
            return kind.from_arrays(*_from_bytes(path.read_bytes()))
        except FileNotFoundError:
            raise RobustPoseError(f"{path}: this cell has not been computed") from None
        except _DAMAGE as error:
            raise _damaged(path, error) from None

    def pictures(self, cell: Job, /) -> Pictures:
        """Read the pictures that a cell keeps, if any; RobustPoseError where they are damaged."""
        path = self._picture_path(self.held(cell))
        try:
            _, arrays = _from_bytes(path.read_bytes())
            return Pictures(clean=arrays["clean"], adversarial=arrays["adversarial"])
        except FileNotFoundError:
            return Pictures.none()
        except _DAMAGE as error:
            raise _damaged(path, error) from None

    def _kept(self, job: Job) -> int:
        return len(self.pictures(job).clean)

    def _people(self, job: Job) -> int:
        return len(self.get(job).table)

    def _path(self, job: Job) -> Path:
        return self._jobs / f"{job.key}.npz"

    def _picture_path(self, job: Job) -> Path:
        return self._pictures / f"{job.key}.npz"

    def _check_version(self) -> None:
        path = self.folder / _VERSION_FILE
        if not path.exists():
            return
        try:
            theirs = json.loads(path.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError):
            theirs = None
        if theirs != _VERSION:
            raise RobustPoseError(
                f"{self.folder} was written by another version ({theirs}), this is {_VERSION}: "
                "choose another --out, or remove the folder"
            )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that whoever looks sees all of it or nothing."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _damaged(path: Path, error: Exception) -> RobustPoseError:
    return RobustPoseError(f"{path} is damaged ({error}); delete it and run the study again")


def _to_bytes(about: dict[str, object], arrays: Arrays) -> bytes:
    named = {**arrays, "about": np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()


def _from_bytes(content: bytes) -> tuple[dict[str, object], Arrays]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about: dict[str, object] = json.loads(arrays.pop("about").tobytes())
    return about, arrays
