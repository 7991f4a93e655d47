"""A job: one unit of work whose result is stored. A new kind of job is one file next to attack.py.

The key of a job has two parts. The first is a hash of what is computed: data, weights, attack, numbers. The second
is a hash of the versions of the code that computes it. A repeated command finds its jobs by their keys, studies
share jobs, and a changed weight file, data set or version gives a new job.

Versions are numbers: of an attack, an objective and a threat in their registries, of a kind of job in its file, of
the renderer, a data set, an architecture, an importer within fingerprints. A change of what one of them computes
must increase its number; golden tests fail if this is forgotten. Comments do not change the key.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

import torch

from robustpose.jobs.results import Pictures, Stored
from robustpose.jobs.workbench import Workbench

R = TypeVar("R", bound=Stored)
R_co = TypeVar("R_co", bound=Stored, covariant=True)


class Sources(Protocol):
    """Source of the results that a job needs: a store, or results read from one."""

    def read(self, job: "Job[R]", /) -> R:
        """Read a job's result."""
        ...

    def pictures(self, job: "Job[Any]", /) -> Pictures:
        """Read the images stored with a job."""
        ...


class Job(Protocol[R_co]):
    """One unit of work. Engines, store and plans use this interface only, whatever the kind of job."""

    @property
    def result(self) -> type[R_co]:
        """The type of its result."""
        ...

    @property
    def title(self) -> str:
        """A short title."""
        ...

    @property
    def data_fingerprint(self) -> str:
        """The data set whose people it reads."""
        ...

    @property
    def start(self) -> int:
        """The first row of the data set that it reads."""
        ...

    @property
    def stop(self) -> int:
        """The row after the last."""
        ...

    @property
    def keep_images(self) -> int:
        """Number of people, from the first, whose images are stored; not part of the key."""
        ...

    @property
    def passes(self) -> int:
        """Estimated work in passes of one image; a step is a forward and a backward pass."""
        ...

    def fields(self) -> dict[str, object]:
        """Everything that defines the result; a job among the values is represented by its own fields."""
        ...

    def versions(self) -> dict[str, object]:
        """The versions of the code that computes it, except torch's."""
        ...

    def sources(self) -> "Sequence[Job[Any]]":
        """The jobs whose results it needs."""
        ...

    def trajectory(self) -> dict[str, object] | None:
        """The fields shared by the jobs of one trajectory, which differ only in steps; None if it has none."""
        ...

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> "list[Computed]":
        """Compute the jobs of its trajectory, including itself; RobustPoseError if a model or the data fail."""
        ...


Computed = tuple[Job[Any], Stored, Pictures | None]
"""A job, its result, and the images stored with it."""


def identity_of(job: Job[Any]) -> str:
    """Hash what a job computes, independent of versions (32 hex digits)."""
    return _hash(_plain(job.fields()))[:32]


def key_of(job: Job[Any]) -> str:
    """Return the name of a job's result: its identity, and 8 hex digits of the versions."""
    return f"{identity_of(job)}-{_hash(all_versions(job))[:8]}"


def all_versions(job: Job[Any]) -> dict[str, object]:
    """Return the versions of all code that computes a job."""
    return {**job.versions(), "torch": torch.__version__}


def described(job: Job[Any]) -> dict[str, object]:
    """Return the definition of a job, as stored with its result."""
    return {**_plain(job.fields()), "versions": all_versions(job)}


def trajectories(jobs: Sequence[Job[Any]]) -> list[list[Job[Any]]]:
    """Group the jobs by trajectory, ordered by the first job of each."""
    gathered: dict[str, list[Job[Any]]] = {}
    for job in jobs:
        shared = job.trajectory()
        gathered.setdefault(key_of(job) if shared is None else _hash(_plain(shared)), []).append(job)
    return list(gathered.values())


def with_sources(jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
    """Add the sources of the jobs, without duplicates, in an order that can be computed from first to last.

    Of two jobs that differ only in the number of stored images, the one with more is used.
    """
    expanded: dict[str, Job[Any]] = {}
    for job in jobs:
        _put(expanded, job)
    return sorted(expanded.values(), key=depth)


def depth(job: Job[Any]) -> int:
    """Return the length of the longest chain of sources before a job."""
    return max((1 + depth(source) for source in job.sources()), default=0)


def _put(into: dict[str, Job[Any]], job: Job[Any]) -> None:
    for source in job.sources():
        _put(into, source)
    key = key_of(job)
    if key not in into or into[key].keep_images < job.keep_images:
        into[key] = job


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    """Replace jobs among the fields by their own fields."""
    return {name: _plain(value.fields()) if hasattr(value, "fields") else value for name, value in fields.items()}


def _hash(fields: Mapping[str, object]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
