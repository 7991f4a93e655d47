"""Runs jobs: finds those missing in the store, computes them by an engine, and stores each result."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

import robustpose
from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Computed, Job, Sources, depth, trajectories, with_sources
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench


@dataclass(frozen=True)
class Done:
    """The results of a trajectory, what computed it, and how long that took.

    made     device, threads and versions of the software: see made_here
    seconds  of the wall clock
    """

    results: list[Computed]
    made: dict[str, object]
    seconds: float


def made_here(device: str) -> dict[str, object]:
    """Return what computes on a device of this machine, as stored with each result: no time and no place."""
    gpu = device.startswith("cuda") and torch.cuda.is_available()
    return {
        "robustpose": robustpose.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if gpu else device,
        "threads": torch.get_num_threads(),
    }


def compute_here(trajectory: Sequence[Job[Any]], bench: Workbench, sources: Sources) -> Done:
    """Compute a trajectory in this process."""
    started = time.perf_counter()
    results = trajectory[0].compute(trajectory, bench, sources)
    return Done(results, made_here(bench.device), time.perf_counter() - started)


@dataclass(frozen=True)
class LocalEngine:
    """This process.

    threads  number of torch threads; 0 does not change it; results may differ in the last bit with the number
    """

    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise RobustPoseError(f"threads must be at least 0, got {self.threads}")

    def compute(
        self, trajectories: Sequence[Sequence[Job[Any]]], bench: Workbench, sources: Sources
    ) -> Iterator[Done]:
        """Yield the results of each trajectory, in order."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            for trajectory in trajectories:
                yield compute_here(trajectory, bench, sources)
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True)
class CellProgress:
    """Progress of a run.

    work, total_work  passes of one image through a model; forward and backward passes count the same
    cell              the next cell, or the last one finished by an engine with several workers; None at the end
    """

    work: int
    total_work: int
    cell: Job[Any] | None


OnProgress = Callable[[CellProgress], None]


class Engine(Protocol):
    """Computes jobs, in this process or on a cluster."""

    def compute(
        self, trajectories: Sequence[Sequence[Job[Any]]], bench: Workbench, sources: Sources, /
    ) -> Iterator[Done]:
        """Yield the results of each trajectory, in any order; the results that they need are in `sources`."""
        ...


@dataclass(frozen=True)
class Shard:
    """Shard `index` (from 1) of `count` equal shares of a study's trajectories, for job arrays."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise RobustPoseError(f"a shard is i/n with 1 <= i <= n, got {self.index}/{self.count}")

    def of(self, together: Sequence[Sequence[Job[Any]]]) -> list[Sequence[Job[Any]]]:
        """Return the trajectories of this shard; they do not depend on what is already computed."""
        return [trajectory for place, trajectory in enumerate(together) if place % self.count == self.index - 1]


def run_all(
    cells: Sequence[Job[Any]],
    bench: Workbench,
    store: Store,
    *,
    engine: Engine | None = None,
    shard: Shard | None = None,
    on_progress: OnProgress = lambda progress: None,
    on_done: Callable[[Done], None] = lambda done: None,
    on_damaged: Callable[[str], None] = lambda line: None,
) -> int:
    """Compute the cells and their sources that are missing in the store; return how many were computed.

    Stored cells do not count as work, so the estimated time is that of the missing ones. A shard skips cells whose
    sources have not yet been computed by other shards. Damaged cells are set aside, told to `on_damaged`, and
    computed again. `on_done` is told each trajectory after its results are stored.
    """
    engine, shard = engine or LocalEngine(), shard or Shard()
    expanded = with_sources(cells)
    for name, what in store.damaged(expanded).items():
        store.set_aside(name)
        on_damaged(what)
    everything = shard.of(trajectories(expanded))
    missing = [left for group in everything if (left := [job for job in group if job not in store])]
    total = sum(passes(group) for group in missing)
    work = computed = 0
    for place in sorted({depth(group[0]) for group in missing} | {0}):
        turn = [group for group in missing if depth(group[0]) == place]
        turn = [group for group in turn if all(source in store for source in group[0].sources())]
        if turn:
            on_progress(CellProgress(work=work, total_work=total, cell=turn[0][-1]))
        for done in engine.compute(turn, bench, store):
            for job, result, pictures in done.results:
                store.put(job, result, pictures, made=done.made)
                computed += 1
            on_done(done)
            work += passes([job for job, _, _ in done.results])
            on_progress(CellProgress(work=work, total_work=total, cell=done.results[-1][0]))
    on_progress(CellProgress(work=work, total_work=total, cell=None))
    return computed


def passes(together: Sequence[Job[Any]]) -> int:
    """Estimate the work of a trajectory: its longest job, plus scoring the others."""
    first = together[0]
    return max(job.passes for job in together) + (len(together) - 1) * (first.stop - first.start)
