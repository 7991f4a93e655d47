"""What an attack did to one photo, on stdout."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.report.terminal.progress import stdout


class Moved(Protocol):
    """How far a keypoint of a photo moved."""

    @property
    def keypoint(self) -> str: ...  # noqa: D102
    @property
    def moved(self) -> float: ...  # noqa: D102
    @property
    def percent(self) -> float: ...  # noqa: D102
    @property
    def correct(self) -> bool: ...  # noqa: D102
    @property
    def counted(self) -> bool: ...  # noqa: D102


def print_photo(facts: Mapping[str, Any], lines: Sequence[Moved]) -> None:
    """Print what an attack did to one photo: a line a keypoint."""
    title = f"{facts['model']}, {facts['photo']}, {facts['attack']} at {facts['eps']}; truth: the clean prediction"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("keypoint", "moved, pixels", "% of the box", "still there"):
        table.add_column(column, no_wrap=True)
    for line in lines:
        still = ("yes" if line.correct else "no") + ("" if line.counted else ", not counted")
        table.add_row(line.keypoint, f"{line.moved:.1f}", f"{line.percent:.1f}", still)
    stdout.print(table, markup=False)
    stdout.print(f"{facts['correct']} of {facts['counted']} keypoints are still there", highlight=False)
    if anew := facts["box_found_anew"]:
        stdout.print(f"{anew['correct']} through the box that the net finds anew", highlight=False)
