"""What a measuring study found, on stdout."""

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement as RichMeasurement
from rich.table import Table as RichTable

from robustpose.findings import Tabular
from robustpose.metrics import Estimate
from robustpose.report.measurement import Measurement, points
from robustpose.report.terminal.progress import say, stdout

_WIDEST = 400


def print_measurement(found: Measurement) -> None:
    """Print the table and the sentences of a measuring study; what was left out goes to stderr."""
    for line in found.remarks:
        say(line)
    _say(f"{found.title}\n{found.lede}", style="italic")
    for table in found.summary:
        _print(table)
    for line in found.answers:
        _say(line)


def _print(table: Tabular) -> None:
    shown = RichTable(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=table.title, title_justify="left"
    )
    shown.add_column("")
    for column in table.columns:
        shown.add_column(column, justify="right")
    for label, row in table.rows:
        shown.add_row(label, *map(_written, row))
    # As wide as the numbers: a wrapped interval cannot be read.
    wide = RichMeasurement.get(stdout, stdout.options.update(max_width=_WIDEST), shown).maximum
    Console(width=max(stdout.width, wide)).print(shown, markup=False)
    if table.note:
        _say(table.note)


def _written(value: Estimate | float | str | None) -> str:
    if isinstance(value, Estimate):
        return "-" if math.isnan(value.value) else points(value)
    if value is None or isinstance(value, str):
        return value or "-"
    return "-" if math.isnan(value) else f"{value:.1f}"


def _say(text: str, *, style: str = "") -> None:
    stdout.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
