"""How far a study is: done and missing by model and attack, and the time left from what its jobs took so far."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from robustpose.jobs.job import Job, trajectories
from robustpose.jobs.journal import read_journal
from robustpose.jobs.run import passes
from robustpose.upkeep.opened import OpenedRun


@dataclass(frozen=True)
class Line:
    """The jobs of one model under one attack."""

    model: str
    attack: str
    done: int
    total: int


@dataclass(frozen=True)
class Status:
    """How far a study is.

    lines           in the study's order
    passes_left     of one image through a model; forward and backward passes count the same
    seconds         of a pass, measured by the study's own jobs; None before the first
    last_command    of the latest run that computed something
    """

    lines: tuple[Line, ...]
    passes_left: int
    seconds: float | None
    last_command: str

    @property
    def done(self) -> int:
        """Number of stored results."""
        return sum(line.done for line in self.lines)

    @property
    def total(self) -> int:
        """Number of results that the study asks for."""
        return sum(line.total for line in self.lines)

    @property
    def seconds_left(self) -> float | None:
        """Seconds that one worker needs for what is missing; None while nothing was measured."""
        return None if self.seconds is None else self.seconds * self.passes_left


def status_of(run: OpenedRun) -> Status:
    """Count what is stored; results are not read, see verify for that."""
    there = {*run.store.names()}
    done = {run.store.name(job) for job in run.jobs} & there
    total: Counter[tuple[str, str]] = Counter()
    stored: Counter[tuple[str, str]] = Counter()
    for job in run.jobs:
        total[_kind(job)] += 1
        stored[_kind(job)] += run.store.name(job) in done
    missing = [job for job in run.jobs if run.store.name(job) not in done]
    runs = [ran for ran in read_journal(run.store.place) if ran.lines]
    measured = [(line["seconds"], line["passes"]) for ran in runs for line in ran.lines]
    spent, counted = sum(each[0] for each in measured), sum(each[1] for each in measured)
    return Status(
        lines=tuple(Line(*kind, done=stored[kind], total=number) for kind, number in total.items()),
        passes_left=_work(missing),
        seconds=spent / counted if counted else None,
        last_command=str(runs[-1].about.get("command", "")) if runs else "",
    )


def _work(jobs: Sequence[Job[Any]]) -> int:
    return sum(passes(group) for group in trajectories(jobs))


def _kind(job: Job[Any]) -> tuple[str, str]:
    model, _, attack = job.title.rpartition(": ")
    return model, attack
