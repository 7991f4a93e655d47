"""What a run does, noted while it runs: so the results of a killed run, too, say which command computed them.

A run is a few objects of lines of JSON, `journal/RUN-0000.jsonl`. The first line is the run: its command, versions
and device. Each further line is a trajectory whose results were stored: their keys, the seconds and passes that it
took. Results themselves hold neither time nor command, so that the same job gives the same bytes.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from robustpose.jobs.job import key_of
from robustpose.jobs.places import Place
from robustpose.jobs.run import Done, passes

FOLDER = "journal"
_LINES = 100
"""Lines of one object: a store of objects writes the whole object anew for each."""


@dataclass
class Journal:
    """The journal of one run; nothing is written before the first result."""

    place: Place
    about: Mapping[str, object]
    run: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}")
    _lines: int = 0

    def note(self, done: Done) -> None:
        """Note a trajectory whose results are stored."""
        jobs = [job for job, _, _ in done.results]
        if self._lines == 0:
            self._add({"run": self.run, **self.about})
        keys = [key_of(job) for job in jobs]
        self._add({"keys": keys, "seconds": round(done.seconds, 3), "passes": passes(jobs), **done.made})

    def _add(self, line: Mapping[str, object]) -> None:
        name = f"{FOLDER}/{self.run}-{self._lines // _LINES:04d}.jsonl"
        self.place.append(name, (json.dumps(line) + "\n").encode())
        self._lines += 1


@dataclass(frozen=True)
class Ran:
    """One run as its journal tells it.

    about  command, versions, device, threads
    lines  one for each trajectory
    """

    about: dict[str, Any]
    lines: tuple[dict[str, Any], ...]

    @property
    def computed(self) -> int:
        """Number of results that it stored."""
        return sum(len(line["keys"]) for line in self.lines)


def read_journal(place: Place) -> list[Ran]:
    """Read all runs, the oldest first; lines that a kill cut short are left out."""
    parts: dict[str, list[str]] = {}
    for name in place.names(FOLDER):
        if name.endswith(".jsonl"):
            parts.setdefault(name.removesuffix(".jsonl").rpartition("-")[0], []).append(name)
    found = []
    for run in sorted(parts):
        lines = [line for name in sorted(parts[run]) for line in _lines_of(place.read(name))]
        abouts = [line for line in lines if "run" in line]
        told = tuple(line for line in lines if _is_trajectory(line))
        if abouts:
            found.append(Ran(abouts[0], told))
    return found


def seconds_per_pass(runs: Iterable[Ran]) -> dict[str, float]:
    """Return the measured seconds of a pass on each device, over all runs."""
    sums: dict[str, tuple[float, int]] = {}
    for line in (line for run in runs for line in run.lines):
        device = str(line.get("device", ""))
        seconds, count = sums.get(device, (0.0, 0))
        sums[device] = seconds + line["seconds"], count + line["passes"]
    return {device: seconds / count for device, (seconds, count) in sums.items() if count}


def _lines_of(content: bytes) -> list[dict[str, Any]]:
    found = []
    for line in content.splitlines():
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(read, dict):
            found.append(read)
    return found


def _is_trajectory(line: Mapping[str, Any]) -> bool:
    keys, seconds, count = line.get("keys"), line.get("seconds"), line.get("passes")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        return False
    return isinstance(seconds, int | float) and isinstance(count, int) and seconds >= 0 and count >= 0
