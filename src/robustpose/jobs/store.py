"""The result store: a folder with one file per job, each written atomically. No server, no lock.

A kill at any moment loses only the jobs in progress. The same job always gives the same bytes: a file contains no
time and no location. The images of a cell are in a separate file, which is written before the result. Results of
stores of format 3 are read but never written; their keys are one hash of the fields and of a version of the code.
"""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job, R, all_versions, described, identity_of, key_of
from robustpose.jobs.results import Arrays, Pictures, Stored

_FORMAT = 4
_READABLE = (3, 4)
_VERSION_FILE = "store.json"

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(ValueError, TypeError, KeyError, EOFError, OSError),
)
"""The errors that reading a damaged file can raise, from the archive or its content."""


class Store:
    """The result folder of a study. Opening it checks the format; the first result creates it.

    any_version  whether to accept a result of the same job by another version if there is none of this version:
                 hundreds of jobs may have been computed on another machine
    legacy       versions of the code that stored results here under the keys of format 3
    """

    def __init__(self, folder: Path, *, any_version: bool = False, legacy: Sequence[str] = ()) -> None:
        self.folder = folder
        self.any_version, self.legacy = any_version, tuple(legacy)
        self._jobs = folder / "cells"
        self._pictures = folder / "pictures"
        self._others: dict[str, list[str]] | None = None
        self._check_version()

    def __contains__(self, job: Job[Any]) -> bool:
        if not self._path(job).exists():
            return False
        return job.keep_images == 0 or self._kept(job) >= min(job.keep_images, len(self.read(job)))

    def name(self, job: Job[Any]) -> str:
        """Return the key under which a job's result is stored; the job's own key if there is none."""
        mine = key_of(job)
        if not self.any_version or self._there(mine):
            return mine
        others = [*self._by_identity().get(identity_of(job), ()), *(legacy_key(job, old) for old in self.legacy)]
        return next((name for name in others if self._there(name)), mine)

    def taken_over(self, jobs: Iterable[Job[Any]]) -> list[str]:
        """List the versions in which stored results differ from the current ones."""
        said: dict[str, int] = {}
        for job in jobs:
            name = self.name(job)
            if name != key_of(job):
                now, then = all_versions(job), _versions_in(self._jobs / f"{name}.npz")
                lines = [
                    f"{what} {then[what]}, now {now.get(what)}" for what in then if then[what] != now.get(what)
                ]
                said |= {line: said.get(line, 0) + 1 for line in lines}
        return [f"{line} ({count} jobs)" for line, count in said.items()]

    def put(self, job: Job[Any], result: Stored, pictures: Pictures | None = None) -> None:
        """Store a result atomically, its images first."""
        self._jobs.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _VERSION_FILE).exists():
            write_atomically(self.folder / _VERSION_FILE, (json.dumps({"format": _FORMAT}) + "\n").encode())
        if pictures is not None and len(pictures.clean) > 0:
            self._pictures.mkdir(exist_ok=True)
            content = _to_bytes({}, {"clean": pictures.clean, "adversarial": pictures.adversarial})
            write_atomically(self._pictures / f"{key_of(job)}.npz", content)
        about, arrays = result.to_arrays()
        write_atomically(self._jobs / f"{key_of(job)}.npz", _to_bytes({**about, "job": described(job)}, arrays))

    def read(self, job: Job[R], /) -> R:
        """Read a job's result; RobustPoseError if its file is damaged or missing."""
        path = self._path(job)
        try:
            return job.result.from_arrays(*_from_bytes(path.read_bytes()))
        except FileNotFoundError:
            raise RobustPoseError(f"{path}: this cell has not been computed") from None
        except _DAMAGE as error:
            raise _damaged(path, error) from None

    def pictures(self, job: Job[Any], /) -> Pictures:
        """Read the images stored with a job, if any; RobustPoseError if they are damaged."""
        path = self._pictures / f"{self.name(job)}.npz"
        try:
            _, arrays = _from_bytes(path.read_bytes())
            return Pictures(clean=arrays["clean"], adversarial=arrays["adversarial"])
        except FileNotFoundError:
            return Pictures.none()
        except _DAMAGE as error:
            raise _damaged(path, error) from None

    def _kept(self, job: Job[Any]) -> int:
        return len(self.pictures(job).clean)

    def _path(self, job: Job[Any]) -> Path:
        return self._jobs / f"{self.name(job)}.npz"

    def _there(self, name: str) -> bool:
        return (self._jobs / f"{name}.npz").exists()

    def _by_identity(self) -> dict[str, list[str]]:
        """Return the results present at the first call, by identity, the newest first."""
        if self._others is None:
            files = sorted(self._jobs.glob("*-*.npz"), key=lambda file: (-file.stat().st_mtime, file.name))
            self._others = {}
            for file in files:
                self._others.setdefault(file.stem.partition("-")[0], []).append(file.stem)
        return self._others

    def _check_version(self) -> None:
        path = self.folder / _VERSION_FILE
        if not path.exists():
            return
        try:
            theirs = json.loads(path.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError):
            theirs = None
        if not isinstance(theirs, dict) or theirs.get("format") not in _READABLE:
            raise RobustPoseError(
                f"{self.folder} was written by another version ({theirs}), this reads formats "
                f"{', '.join(map(str, _READABLE))}: choose another --out, or remove the folder"
            )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see all of it or nothing."""
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


def _versions_in(path: Path) -> dict[str, object]:
    """Read the versions that computed a result; for format 3 one version of the code, which includes torch's."""
    with np.load(path, allow_pickle=False) as file:
        job = json.loads(file["about"].tobytes())["job"]
    if "versions" in job:
        return dict(job["versions"])
    return {"code": job["version"] if "version" in job else job["people"]["version"]}


_AUTOPOSE = 3
"""The version of autopose in these keys."""

_CHANGES = {"mirrored": "flip", "flip": "flip test"}
"""Older names of changes of replayed images; the flip test had none."""


def legacy_key(job: Job[Any], version: str) -> str:
    """Return the name under which a version of the code stored a job (32 hex digits)."""
    text = json.dumps(_fields(job, version), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _fields(job: Job[Any], version: str) -> dict[str, object]:
    fields = dict(job.fields())
    if fields["kind"] == "replay":
        people, source = fields["people"], fields["source"]
        key = None if source is None else legacy_key(source, version)  # type: ignore[arg-type]
        change = _CHANGES.get(str(fields["change"]), fields["change"])
        return {**fields, "change": change, "people": _fields(people, version), "source": key}  # type: ignore[arg-type]
    if fields["kind"] == "attack":
        del fields["kind"]
    if isinstance(setting := fields.get("setting"), dict) and setting["attack"] == "autopose":
        fields["setting"] = {**setting, "numbers": {**setting["numbers"], "version": _AUTOPOSE}}
    return {**fields, "version": version}
