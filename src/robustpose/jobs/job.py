"""A job: one piece of work whose result the store keeps under a key, the hash of all that defines it.

The same command run again finds its jobs by their keys, two studies share jobs, and a changed weight file,
data set or version is a new job.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

import torch

import robustpose

_COMPUTES = (
    *("skeletons.py", "types.py", "geometry.py"),
    *("jobs/compute.py", "jobs/signals.py", "jobs/tasks.py", "jobs/workbench.py"),
)
_COMPUTING_ROOMS = ("data", "models", "metrics", "threats", "objectives", "attacks", "defences")


@cache
def code_version() -> str:
    """Name what computes a cell: this version, a hash of the code of the rooms that do, and torch's version."""
    package = Path(__file__).parents[1]
    files = [package / name for name in _COMPUTES]
    files += [file for room in _COMPUTING_ROOMS for file in sorted((package / room).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return f"{robustpose.__version__}+{digest.hexdigest()[:12]}+torch{torch.__version__}"


class Job(Protocol):
    """One piece of work whose result the store keeps: a cell, or what other cells stand on."""

    @property
    def key(self) -> str:
        """The hash of what defines it (32 hex digits)."""
        ...

    def as_dict(self) -> dict[str, object]:
        """Every field that defines it."""
        ...

    def of_version(self, version: str, /) -> "Job":
        """Return the same job as another version of the code defines it."""
        ...


def key_of(fields: Mapping[str, object]) -> str:
    """Hash the fields that define a job (32 hex digits)."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
