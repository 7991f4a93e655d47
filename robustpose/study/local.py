"""The local engine: computes a plan's missing cells one after the other in this process."""

from collections.abc import Callable
from dataclasses import dataclass

from robustpose.study.cell import Cell
from robustpose.study.compute import Workbench, compute
from robustpose.study.plan import Plan, fingerprints
from robustpose.study.store import Store


@dataclass(frozen=True)
class CellProgress:
    """How far a run is.

    work, total_work  in passes of one image through a net, forward and backward counted alike
    cell              the cell that comes next; None at the end
    """

    work: int
    total_work: int
    cell: Cell | None


def run_cells(
    plan: Plan, store: Store, *, on_progress: Callable[[CellProgress], None] = lambda progress: None
) -> int:
    """Compute what the store lacks, committing cell by cell; return how many were computed.

    Cells that are there already count as no work, so the time left is that of what is really to do.
    """
    missing = [cell for cell in plan.all_cells() if cell not in store]
    models, datasets = fingerprints(plan)
    bench = Workbench(models=models, datasets=datasets)
    total = sum(passes(cell) for cell in missing)
    work = 0
    for cell in missing:
        on_progress(CellProgress(work=work, total_work=total, cell=cell))
        store.put(cell, compute(cell, bench))
        work += passes(cell)
    on_progress(CellProgress(work=work, total_work=total, cell=None))
    return len(missing)


def passes(cell: Cell) -> int:
    """Estimate the work of a cell: a step is a forward and a backward pass; scoring is two more forwards."""
    people = cell.stop - cell.start
    if cell.setting is None:
        return people
    steps = int(cell.setting.numbers.get("steps", 1))
    return people * (2 * steps + 2)
