"""A job: one piece of work whose result the store keeps. A new kind of job is one file beside attack.py.

The key of a job has two parts. The first is a hash of what is computed: data, weights, attack, numbers. The second
is a hash of the versions of what computes it. The same command run again finds its jobs by their keys, two studies
share jobs, and a changed weight file, data set or version is a new job.

Versions are numbers: of an attack, an objective and a threat in their registries, of a kind of job in its file, of
the renderer, a data set, an architecture, an importer within fingerprints. Who changes what one of them computes
raises its number; golden tests fail where that was forgotten. A comment changes nothing.
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
    """Where a job reads the results that it needs: a store, or what was read from one."""

    def read(self, job: "Job[R]", /) -> R:
        """Read a job's result."""
        ...

    def pictures(self, job: "Job[Any]", /) -> Pictures:
        """Read the pictures that a job keeps."""
        ...


class Job(Protocol[R_co]):
    """One piece of work. What differs from kind to kind is here; engines, store and plans know nothing else."""

    @property
    def result(self) -> type[R_co]:
        """The type of its result."""
        ...

    @property
    def title(self) -> str:
        """What it is, for people."""
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
        """How many people, from the first, keep their pictures; no part of the key."""
        ...

    @property
    def passes(self) -> int:
        """Estimate its work, in passes of one image; a step is a forward and a backward pass."""
        ...

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed; a job among the values stands for its own fields."""
        ...

    def versions(self) -> dict[str, object]:
        """The versions of what computes it, torch's left out."""
        ...

    def sources(self) -> "Sequence[Job[Any]]":
        """The jobs whose results it needs."""
        ...

    def trajectory(self) -> dict[str, object] | None:
        """What it shares with all jobs of one trajectory, which differ in their steps alone; None: it is alone."""
        ...

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> "list[Computed]":
        """Compute the jobs of its trajectory, itself among them; RobustPoseError where a model or data fail."""
        ...


Computed = tuple[Job[Any], Stored, Pictures | None]
"""A job, its result, and the pictures that it keeps."""


def identity_of(job: Job[Any]) -> str:
    """Hash what a job computes, whatever the versions (32 hex digits)."""
    return _hash(_plain(job.fields()))[:32]


def key_of(job: Job[Any]) -> str:
    """Return the name of a job's result: its identity, and 8 hex digits of the versions."""
    return f"{identity_of(job)}-{_hash(all_versions(job))[:8]}"


def all_versions(job: Job[Any]) -> dict[str, object]:
    """Return the versions of all that computes a job."""
    return {**job.versions(), "torch": torch.__version__}


def described(job: Job[Any]) -> dict[str, object]:
    """Return what defines a job, as it stands beside its result."""
    return {**_plain(job.fields()), "versions": all_versions(job)}


def trajectories(jobs: Sequence[Job[Any]]) -> list[list[Job[Any]]]:
    """Gather the jobs that one trajectory computes together, in the order of their first."""
    gathered: dict[str, list[Job[Any]]] = {}
    for job in jobs:
        shared = job.trajectory()
        gathered.setdefault(key_of(job) if shared is None else _hash(_plain(shared)), []).append(job)
    return list(gathered.values())


def with_sources(jobs: Sequence[Job[Any]]) -> list[Job[Any]]:
    """Put what jobs need before them, each once, in an order that can be computed from first to last.

    Of two jobs that differ only in how many pictures they keep, the one that keeps more stays.
    """
    expanded: dict[str, Job[Any]] = {}
    for job in jobs:
        _put(expanded, job)
    return sorted(expanded.values(), key=depth)


def depth(job: Job[Any]) -> int:
    """Return how many jobs, each needing the one before, must come before a job."""
    return max((1 + depth(source) for source in job.sources()), default=0)


def _put(into: dict[str, Job[Any]], job: Job[Any]) -> None:
    for source in job.sources():
        _put(into, source)
    key = key_of(job)
    if key not in into or into[key].keep_images < job.keep_images:
        into[key] = job


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    """Write out the jobs among the fields of a job."""
    return {name: _plain(value.fields()) if hasattr(value, "fields") else value for name, value in fields.items()}


def _hash(fields: Mapping[str, object]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
