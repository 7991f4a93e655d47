"""The result store: one object per job, in a folder or an object store. No server, no lock, no database.

An object is written once, whole or not at all, and holds what it is: the job with its versions and seed, the
device and the software that computed it, and a checksum over all its bytes (`sealed.py`). A kill at any moment
loses only the jobs in progress. On one machine the same job always gives the same bytes: an object holds no time
and no place. The images of a cell are an object of their own, which is written before the result and replaced only
by more images.

Formats, as store.json says: 5 is written. 4 has the same names and no checksums. 3 has other keys (`legacy.py`).
All three are read; the first result that is written makes a store one of format 5.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job, R, all_versions, described, identity_of, key_of
from robustpose.jobs.legacy import legacy_key
from robustpose.jobs.places import Folder, Place, open_place
from robustpose.jobs.results import Pictures, Stored
from robustpose.jobs.sealed import DAMAGE, SEALED_FORMAT, seal, unseal

READABLE = (3, 4, SEALED_FORMAT)
CELLS, PICTURES, DAMAGED = "cells", "pictures", "damaged"
_VERSION_FILE = "store.json"


class Store:
    """The results of a study. Opening it checks the format; the first result creates it.

    where        a folder, a URL, or a place
    any_version  whether to accept a result of the same job by another version if there is none of this version:
                 hundreds of jobs may have been computed on another machine
    legacy       versions of the code that stored results here under the keys of format 3
    """

    def __init__(
        self, where: Path | str | Place, *, any_version: bool = False, legacy: Sequence[str] = ()
    ) -> None:
        self.place = open_place(where)
        self.any_version, self.legacy = any_version, tuple(legacy)
        self._others: dict[str, list[str]] | None = None
        self._listed: set[str] | None = None
        self._format = self._check_version()

    @property
    def folder(self) -> Path:
        """The folder, of a store that is one."""
        assert isinstance(self.place, Folder)
        return self.place.folder

    def __contains__(self, job: Job[Any]) -> bool:
        if not self._there(self.name(job)):
            return False
        return job.keep_images == 0 or self._kept(job) >= min(job.keep_images, len(self.read(job)))

    def name(self, job: Job[Any]) -> str:
        """Return the key under which a job's result is stored; the job's own key if there is none."""
        mine = key_of(job)
        if not self.any_version or self._there(mine):
            return mine
        others = [*self._by_identity().get(identity_of(job), ()), *(legacy_key(job, old) for old in self.legacy)]
        return next((name for name in others if self._there(name)), mine)

    def names(self) -> list[str]:
        """Return the keys of all results, the newest first."""
        return [PurePosixPath(name).stem for name in self.place.names(CELLS) if name.endswith(".npz")]

    def refresh(self) -> None:
        """Look anew at what is stored: other processes may write, too."""
        self._listed = self._others = None

    def taken_over(self, jobs: Iterable[Job[Any]]) -> list[str]:
        """List the versions in which stored results differ from the current ones."""
        said: dict[str, int] = {}
        for job in jobs:
            name = self.name(job)
            if name != key_of(job):
                now, then = all_versions(job), _versions_in(self._about(name))
                lines = [
                    f"{what} {then[what]}, now {now.get(what)}" for what in then if then[what] != now.get(what)
                ]
                said |= {line: said.get(line, 0) + 1 for line in lines}
        return [f"{line} ({count} jobs)" for line, count in said.items()]

    def put(
        self,
        job: Job[Any],
        result: Stored,
        pictures: Pictures | None = None,
        *,
        made: Mapping[str, object] | None = None,
    ) -> bool:
        """Store a result atomically, its images first; return whether it was not there yet.

        made  what computed it: device, threads, versions of the software
        """
        self.begin()
        key = key_of(job)
        if pictures is not None and len(pictures.clean) > 0:
            arrays = {"clean": pictures.clean, "adversarial": pictures.adversarial}
            self.place.replace(f"{PICTURES}/{key}.npz", seal({"of": key}, arrays))
        about, arrays = result.to_arrays()
        content = seal({**about, "job": described(job), "made": dict(made or {})}, arrays)
        new = self.place.create(f"{CELLS}/{key}.npz", content)
        if self._listed is not None:
            self._listed.add(key)
        return new

    def read(self, job: Job[R], /) -> R:
        """Read a job's result; RobustPoseError if it is missing, damaged or another job's."""
        name = self.name(job)
        path = f"{CELLS}/{name}.npz"
        try:
            content = self.place.read(path)
        except FileNotFoundError:
            raise RobustPoseError(f"{self.place.path(path)}: this cell has not been computed") from None
        try:
            about, arrays = unseal(content)
            check_is(about, name)
            result = job.result.from_arrays(about, arrays)
            _check_people(job, result)
        except DAMAGE as error:
            raise self._damaged(path, error) from None
        return result

    def pictures(self, job: Job[Any], /) -> Pictures:
        """Read the images stored with a job, if any; RobustPoseError if they are damaged."""
        name = self.name(job)
        path = f"{PICTURES}/{name}.npz"
        try:
            content = self.place.read(path)
        except FileNotFoundError:
            return Pictures.none()
        try:
            about, arrays = unseal(content)
            if about.get("of", name) != name:
                raise ValueError(f"it holds the images of {about['of']}")
            return Pictures.from_arrays(arrays, most=job.stop - job.start)
        except DAMAGE as error:
            raise self._damaged(path, error) from None

    def damaged(self, jobs: Iterable[Job[Any]]) -> dict[str, str]:
        """Read what is stored of the jobs; return what is damaged, by its name, and what is wrong with it."""
        found: dict[str, str] = {}
        for job in jobs:
            name = self.name(job)
            if not self._there(name):
                continue
            try:
                self.read(job)
            except RobustPoseError as error:
                found[f"{CELLS}/{name}.npz"] = str(error)
            try:
                _ = job.keep_images and self.pictures(job)
            except RobustPoseError as error:
                found[f"{PICTURES}/{name}.npz"] = str(error)
        return found

    def set_aside(self, name: str) -> None:
        """Move a damaged object to the folder 'damaged', so that its job is computed again."""
        aside = f"{DAMAGED}/{PurePosixPath(name).parent}-{PurePosixPath(name).name}"
        self.place.replace(aside, self.place.read(name))
        self.place.remove(name)
        self.refresh()

    def about(self, name: str) -> dict[str, Any]:
        """Return the metadata of the result of a key; RobustPoseError if it is damaged."""
        try:
            return self._about(name)
        except DAMAGE as error:
            raise self._damaged(f"{CELLS}/{name}.npz", error) from None

    def _about(self, name: str) -> dict[str, Any]:
        about = unseal(self.place.read(f"{CELLS}/{name}.npz"))[0]
        check_is(about, name)
        return about

    def _kept(self, job: Job[Any]) -> int:
        return len(self.pictures(job).clean)

    def _there(self, name: str) -> bool:
        if self.place.local:
            return self.place.exists(f"{CELLS}/{name}.npz")
        if self._listed is None:
            self._listed = {*self.names()}
        return name in self._listed

    def _by_identity(self) -> dict[str, list[str]]:
        """Return the results present at the first call, by identity, the newest first."""
        if self._others is None:
            self._others = {}
            for name in self.names():
                if "-" in name:
                    self._others.setdefault(name.partition("-")[0], []).append(name)
        return self._others

    def begin(self) -> None:
        """Say which format is written, before the first result is."""
        if self._format == SEALED_FORMAT:
            return
        content = (json.dumps({"format": SEALED_FORMAT}) + "\n").encode()
        if self._format is None:
            self.place.create(_VERSION_FILE, content)
        else:
            self.place.replace(_VERSION_FILE, content)
        self._format = SEALED_FORMAT

    def _check_version(self) -> int | None:
        """Return the format of the store, None where there is none yet; RobustPoseError where it is not known."""
        try:
            content = self.place.read(_VERSION_FILE)
        except FileNotFoundError:
            return None
        try:
            theirs = json.loads(content)
        except (ValueError, RecursionError):
            theirs = None
        known = theirs.get("format") if isinstance(theirs, dict) else None
        if type(known) is not int or known not in READABLE:
            raise RobustPoseError(
                f"{self.place.path('').rstrip('/')} was written by another version ({str(theirs)[:60]}), this "
                f"reads formats {', '.join(map(str, READABLE))}: choose another --out, or remove the folder"
            )
        return known

    def _damaged(self, path: str, error: Exception) -> RobustPoseError:
        what = " ".join(str(error).split()) or type(error).__name__
        return RobustPoseError(f"{self.place.path(path)} is damaged ({what}); run the study again to replace it")


def check_is(about: Mapping[str, Any], name: str) -> None:
    """ValueError where metadata are of another job than that of the key under which they are stored."""
    job = dict(about["job"])
    versions = job.pop("versions", None)
    if versions is None:  # format 3
        own = _hash(job)[:32]
    else:
        own = f"{_hash(job)[:32]}-{_hash(versions)[:8]}"
    if own != name:
        raise ValueError(f"it holds the result of another job, {own}")


def _check_people(job: Job[Any], result: Stored) -> None:
    asked = getattr(result, "asked", None)
    if asked is not None and asked != job.stop - job.start:
        raise ValueError(f"it holds {asked} people, its job has {job.stop - job.start}")


def _versions_in(about: Mapping[str, Any]) -> dict[str, object]:
    """Return the versions that computed a result; for format 3 one version of the code, which includes torch's."""
    job = about["job"]
    if "versions" in job:
        return dict(job["versions"])
    return {"code": job["version"] if "version" in job else job["people"]["version"]}


def _hash(fields: object) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
