"""The terminal: progress and lines for people on stderr, and how numbers are written."""

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
    """Show what is computed, how far it is and the time left."""
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
    """Show a count of things done, with a remark; nothing where silent."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=silent) as bar:
        task = bar.add_task(title, total=total)

        def show(done: int, remark: str, *, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total, description=f"{title} {remark}".rstrip())

        yield show


class ShowSteps(Protocol):
    """Tells a bar how many things are done, with a remark, and how many there are where that was not known."""

    def __call__(self, done: int, remark: str, *, total: int | None = None) -> None:
        """Show it."""
        ...


def say(text: str) -> None:
    """Print a line for people on stderr."""
    stderr.print(text, markup=False, highlight=False, soft_wrap=True)


def interval(value: float, low: float, high: float) -> str:
    """Write a number with its interval, one decimal each."""
    return f"{value:5.1f} [{low:.1f}, {high:.1f}]"
