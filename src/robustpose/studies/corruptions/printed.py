"""Prints what the corruptions study found."""

import math

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.findings import Tabular
from robustpose.metrics import Estimate
from robustpose.report.terminal.progress import stdout
from robustpose.studies.corruptions import sheets
from robustpose.studies.corruptions.definition import PROTOCOLS
from robustpose.studies.corruptions.found import CorruptionsFound
from robustpose.studies.corruptions.limits import SHARES


def print_found(found: CorruptionsFound) -> None:
    """Print the tables: corruption and attack, by corruption, limits, verdicts."""
    scored = found.scored
    _say(
        f"{found.study.base.title}\n{scored.people} people of {found.plan.dataset.name}, {protocol_words(found)}; "
        f"{len(scored.corruptions)} corruptions at severities {', '.join(map(str, scored.severities))}; "
        "95% intervals over people",
        style="italic",
    )
    for table in (sheets.overview(found), *sheets.beside(found), sheets.by_corruption(found)):
        _table(table)
    if found.study.axes:
        for share in SHARES:
            _table(sheets.limits(found, share))
    if found.published:
        _table(sheets.published(found), style="bright_black")
    for each in found.verdicts:
        effect = "" if each.effect is None else f": {_written(each.effect)}, n {each.effect.n}"
        _say(f"{each.claim} {each.holds}{effect}")


def protocol_words(found: CorruptionsFound) -> str:
    """Say what was corrupted."""
    return {
        "crop": "crops corrupted",
        "photo": "photos corrupted before they are cropped",
        "advmix": "photos corrupted, saved as JPEG at quality 75 as AdvMix did (not the clean ones), then cropped",
    }[found.study.protocol]


assert set(PROTOCOLS) == {"crop", "photo", "advmix"}


def _table(table: Tabular, *, style: str = "") -> None:
    drawn = RichTable(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=table.title, title_justify="left", style=style
    )
    drawn.add_column("")
    for column in table.columns:
        drawn.add_column(column)
    for label, values in table.rows:
        drawn.add_row(label, *(_written(value) for value in values), style=style)
    stdout.print(drawn, markup=False)
    if table.note:
        _say(table.note, style="italic")


def _written(value: Estimate | float | str | None) -> str:
    if isinstance(value, Estimate):
        if math.isnan(value.value):
            return "-"
        span = "" if math.isnan(value.low) else f" [{value.low:.1f}, {value.high:.1f}]"
        return f"{value.value:.1f}{span}"
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.1f}"


def _say(text: str, *, style: str = "") -> None:
    stdout.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
