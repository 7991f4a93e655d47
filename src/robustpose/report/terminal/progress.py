"""Progress bars and messages on stderr, and the printed form of intervals."""

import builtins
import html
import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from robustpose.errors import printable
from robustpose.jobs.run import CellProgress


class PlainConsole(Console):
    """A terminal that shows texts of others as they are: no markup, no emoji, no escape sequence in them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text to show, of what can be shown."""
        return super().render_str(printable(text), **options)


stdout = PlainConsole()
stderr = PlainConsole(stderr=True)

_WIDEST = 10_000
"""Columns in which every table fits."""


def is_watched() -> bool:
    """Say whether somebody can see progress: stderr is a terminal, or this is a notebook."""
    return stderr.is_terminal or _in_notebook()


@contextmanager
def cells_bar(title: str, *, silent: bool = False) -> Iterator[Callable[[CellProgress], None]]:
    """Show the current job, the progress and the remaining time; nothing if silent or if nobody can see it."""
    columns = (
        TextColumn("{task.description:<34}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with _bar(title, (*columns, TimeElapsedColumn()), total=None, silent=silent) as update:

        def show(progress: CellProgress) -> None:
            total = max(progress.total_work, 1)
            if progress.cell is None:
                update(total, title, total)
            else:
                update(progress.work, progress.cell.title, total)

        yield show


@contextmanager
def steps_bar(title: str, *, total: int, silent: bool = False) -> Iterator["ShowSteps"]:
    """Show a count with a remark; nothing if silent or if nobody can see it."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with _bar(title, columns, total=total, silent=silent) as update:

        def show(done: int, remark: str, *, total: int | None = None) -> None:
            update(done, f"{title} {remark}".rstrip(), total)

        yield show


Update = Callable[[int, str, int | None], None]
"""(done, description, total, None for as before) updates a bar."""


@contextmanager
def _bar(title: str, columns: Sequence[ProgressColumn], *, total: int | None, silent: bool) -> Iterator[Update]:
    """Show a bar on stderr, or a line of a notebook's output."""
    if not silent and _in_notebook():
        yield _notebook_line(title, total)
        return
    with Progress(*columns, console=stderr, transient=True, disable=silent or not stderr.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, text, most: bar.update(task, completed=done, description=printable(text), total=most)


def _in_notebook() -> bool:
    """Say whether this is a notebook's kernel, whose output is no terminal."""
    shell = getattr(builtins, "get_ipython", None)
    return shell is not None and type(shell()).__name__ == "ZMQInteractiveShell"


def _notebook_line(title: str, total: int | None) -> Update:
    """Show a progress bar in a notebook with what every kernel has: no widgets are needed."""
    display = importlib.import_module("IPython.display")
    known = total or 1
    shown = display.display(display.HTML(_progress_html(0, title, known)), display_id=True)

    def update(done: int, text: str, most: int | None) -> None:
        nonlocal known
        known = most or known
        shown.update(display.HTML(_progress_html(done, text, known)))

    return update


def _progress_html(done: int, text: str, total: int) -> str:
    return f'<progress value="{done}" max="{total}"></progress> {html.escape(text)}: {done} of {total}'


def show_table(table: Table) -> None:
    """Print a table; if it is wider than the terminal, its cells wrap, so that nothing is cut."""
    anything = stdout.options.update(max_width=_WIDEST)
    wide = stdout.measure(table, options=anything)
    if wide.maximum > stdout.width:
        for column in table.columns[1:]:  # names in the first column stay whole
            column.no_wrap, column.overflow = False, "fold"
        least = stdout.measure(table, options=anything).minimum
        if least > stdout.width:  # not even single words fit side by side
            Console(file=stdout.file, width=wide.maximum).print(table, markup=False)
            say(f"the table is {wide.maximum} columns wide, the terminal {stdout.width}")
            return
    stdout.print(table, markup=False)


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
