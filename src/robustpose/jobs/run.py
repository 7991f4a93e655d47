"""Runs a plan's cells: finds what the store lacks, lets an engine compute it, commits each as it comes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from robustpose.errors import RobustPoseError
from robustpose.jobs.compute import AnyCell, Computed, Sources, steps_of, walks, with_sources
from robustpose.jobs.local import LocalEngine
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import Replay
from robustpose.jobs.universal import UniversalCell
from robustpose.jobs.workbench import Workbench


@dataclass(frozen=True)
class CellProgress:
    """How far a run is.

    work, total_work  in passes of one image through a net, forward and backward counted alike
    cell              the cell that comes next, or came last from an engine of many workers; None at the end
    """

    work: int
    total_work: int
    cell: AnyCell | None


OnProgress = Callable[[CellProgress], None]


class Engine(Protocol):
    """Who computes: this process, or a cluster."""

    def compute(
        self, walks: Sequence[Sequence[AnyCell]], bench: Workbench, sources: Sources, /
    ) -> Iterator[list[Computed]]:
        """Yield what each walk computed, in any order; all that they stand on is in `sources`."""
        ...


@dataclass(frozen=True)
class Shard:
    """One of `count` equal shares of a study's walks, for job arrays: the index-th, from 1."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise RobustPoseError(f"a shard is i/n with 1 <= i <= n, got {self.index}/{self.count}")

    def of(self, together: Sequence[Sequence[AnyCell]]) -> list[Sequence[AnyCell]]:
        """Return this shard's walks; the same for every process, whatever is computed already."""
        return [walk for place, walk in enumerate(together) if place % self.count == self.index - 1]


def run_all(
    cells: Sequence[AnyCell],
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
    everything = shard.of(walks(with_sources(list(cells))))
    missing = [left for walk in everything if (left := [cell for cell in walk if cell not in store])]
    total = sum(passes(walk) for walk in missing)
    work = computed = 0
    for standing_on_others in (False, True):
        turn = [walk for walk in missing if isinstance(walk[0], Replay) == standing_on_others]
        turn = [walk for walk in turn if _sources_are_in(walk, store)]
        if turn:
            on_progress(CellProgress(work=work, total_work=total, cell=turn[0][-1]))
        for done in engine.compute(turn, bench, store):
            for cell, result, pictures in done:
                store.put(cell, result, pictures)
                computed += 1
            work += passes([cell for cell, _, _ in done])
            on_progress(CellProgress(work=work, total_work=total, cell=done[-1][0]))
    on_progress(CellProgress(work=work, total_work=total, cell=None))
    return computed


def passes(walk: Sequence[AnyCell]) -> int:
    """Estimate the work of a walk: a step is a forward and a backward pass, and every cell is scored."""
    first = walk[0]
    if isinstance(first, UniversalCell):
        return 2 * first.samples
    people = first.people if isinstance(first, Replay) else first
    return (people.stop - people.start) * (2 * max(map(steps_of, walk)) + len(walk))


def _sources_are_in(walk: Sequence[AnyCell], store: Store) -> bool:
    first = walk[0]
    return not isinstance(first, Replay) or first.source is None or first.source in store
