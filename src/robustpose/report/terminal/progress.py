"""Progress bars and messages on stderr, and the printed form of intervals."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from robustpose.jobs.run import CellProgress

stdout = Console()
stderr = Console(stderr=True)


@contextmanager
def cells_bar(title: str) -> Iterator[Callable[[CellProgress], None]]:
    """Show the current job, the progress and the remaining time."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TimeElapsedColumn(), console=stderr, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(progress: CellProgress) -> None:
            name = title if progress.cell is None else progress.cell.title
            bar.update(task, description=name, completed=progress.work, total=max(progress.total_work, 1))
            if progress.cell is None:
                bar.update(task, completed=max(progress.total_work, 1))

        yield show


@contextmanager
def steps_bar(title: str, *, total: int, silent: bool = False) -> Iterator["ShowSteps"]:
    """Show a count with a remark; nothing if silent."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=silent) as bar:
        task = bar.add_task(title, total=total)

        def show(done: int, remark: str, *, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total, description=f"{title} {remark}".rstrip())

        yield show


class ShowSteps(Protocol):
    """Updates a bar: the count, a remark, and the total if it was unknown before."""

    def __call__(self, done: int, remark: str, *, total: int | None = None) -> None:
        """Update the bar."""
        ...


def say(text: str) -> None:
    """Print a message on stderr."""
    stderr.print(text, markup=False, highlight=False, soft_wrap=True)


def interval(value: float, low: float, high: float) -> str:
    """Write a number with its interval, one decimal each; an undefined interval is named as such."""
    span = "no interval" if math.isnan(low) or math.isnan(high) else f"[{low:.1f}, {high:.1f}]"
    return f"{value:5.1f} {span}"
