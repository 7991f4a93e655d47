"""Runs a plan's cells: finds what the store lacks, lets an engine compute it, commits each as it comes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Computed, Job, Sources, depth, trajectories, with_sources
from robustpose.jobs.local import LocalEngine
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench


@dataclass(frozen=True)
class CellProgress:
    """How far a run is.

    work, total_work  in passes of one image through a model, forward and backward counted alike
    cell              the cell that comes next, or came last from an engine of many workers; None at the end
    """

    work: int
    total_work: int
    cell: Job[Any] | None


OnProgress = Callable[[CellProgress], None]


class Engine(Protocol):
    """Who computes: this process, or a cluster."""

    def compute(
        self, trajectories: Sequence[Sequence[Job[Any]]], bench: Workbench, sources: Sources, /
    ) -> Iterator[list[Computed]]:
        """Yield what each trajectory computed, in any order; all that they stand on is in `sources`."""
        ...


@dataclass(frozen=True)
class Shard:
    """One of `count` equal shares of a study's trajectories, for job arrays: the index-th, from 1."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise RobustPoseError(f"a shard is i/n with 1 <= i <= n, got {self.index}/{self.count}")

    def of(self, together: Sequence[Sequence[Job[Any]]]) -> list[Sequence[Job[Any]]]:
        """Return this shard's trajectories; the same for every process, whatever is computed already."""
        return [trajectory for place, trajectory in enumerate(together) if place % self.count == self.index - 1]


def run_all(
    cells: Sequence[Job[Any]],
    bench: Workbench,
    store: Store,
    *,
    engine: Engine | None = None,
    shard: Shard | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> int:
    """Compute what the store lacks of these cells and of what they stand on; return how many were computed.

    Cells that are there already count as no work, so the time left is that of what is really to do. A shard leaves
    out the cells whose sources other shards have not computed yet.
    """
    engine, shard = engine or LocalEngine(), shard or Shard()
    everything = shard.of(trajectories(with_sources(cells)))
    missing = [left for group in everything if (left := [job for job in group if job not in store])]
    total = sum(passes(group) for group in missing)
    work = computed = 0
    for place in sorted({depth(group[0]) for group in missing} | {0}):
        turn = [group for group in missing if depth(group[0]) == place]
        turn = [group for group in turn if all(source in store for source in group[0].sources())]
        if turn:
            on_progress(CellProgress(work=work, total_work=total, cell=turn[0][-1]))
        for done in engine.compute(turn, bench, store):
            for job, result, pictures in done:
                store.put(job, result, pictures)
                computed += 1
            work += passes([job for job, _, _ in done])
            on_progress(CellProgress(work=work, total_work=total, cell=done[-1][0]))
    on_progress(CellProgress(work=work, total_work=total, cell=None))
    return computed


def passes(together: Sequence[Job[Any]]) -> int:
    """Estimate the work of a trajectory: that of its longest job, and the scoring of the others."""
    first = together[0]
    return max(job.passes for job in together) + (len(together) - 1) * (first.stop - first.start)
