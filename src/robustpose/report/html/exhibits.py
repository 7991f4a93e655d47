"""Exhibits of findings made ready for the page: tables with intervals and shading, pictures, verdicts."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from robustpose.errors import RobustPoseError
from robustpose.findings import Chart, Picture, Tabular, Verdict
from robustpose.metrics import Estimate
from robustpose.report.html.pictures import jpeg, png

SHADE = 0.55
"""The strongest shade: text keeps a contrast of 4.5 on it, on the light page and on the dark one."""

MOST_COLUMNS = 16
"""Points of a chart that are shown as a table too; of more there is the CSV file."""

_ENLARGED_TO = 320
_SMALL = 300 * 1024
"""Bytes of a PNG that goes into the page as it is; a bigger one goes in as a JPEG."""
_WIDE = 640

Value = Estimate | float | str | None


@dataclass(frozen=True)
class Cell:
    """A table's cell as printed.

    span   the interval, muted; empty where there is none
    n      the people behind it, where the table does not say it once for all
    shade  how strong the background is, 0 to 1; None for none
    """

    text: str
    span: str = ""
    n: str = ""
    shade: float | None = None
    is_number: bool = True
    why: str = ""


@dataclass(frozen=True)
class Line:
    """A row: its label, the model's slot where the label is a model's name, its cells."""

    label: str
    slot: int | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """A table of the page; people is n where it is the same in every cell."""

    stem: str
    title: str
    corner: str
    columns: tuple[str, ...]
    numbers: tuple[bool, ...]
    lines: tuple[Line, ...]
    people: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """A picture of the page: its file, and a data: URI in the size at which it is shown.

    exact  shown pixel by pixel
    wide   scrolls in its own box where the page is narrow
    """

    stem: str
    title: str
    file: bytes
    preview: str
    size: tuple[int, int]
    exact: bool
    wide: bool


@dataclass(frozen=True)
class Judged:
    """A verdict of the page, with the finding that it comes from."""

    finding: str
    title: str
    verdict: Verdict
    effect: Cell
    kind: str


def sheet(table: Tabular, slots: Mapping[str, int]) -> Sheet:
    """Lay out a table; RobustPoseError where a row has not a cell a column."""
    for label, row in table.rows:
        if len(row) != len(table.columns):
            raise RobustPoseError(
                f"table {table.stem}: row {label!r} has {len(row)} cells for {len(table.columns)} columns"
            )
    values = [value for _, row in table.rows for value in row]
    people = _same_n(values)
    columns = range(len(table.columns))
    places = _places_of(table)
    return Sheet(
        stem=table.stem,
        title=table.title,
        corner="",
        columns=table.columns,
        numbers=tuple(not any(isinstance(row[i], str) for _, row in table.rows) for i in columns),
        lines=tuple(
            Line(
                label,
                slots.get(label),
                tuple(
                    _cell(value, places=places[i][j], shade=table.shade, says_n=table.says_n and people is None)
                    for j, value in enumerate(row)
                ),
            )
            for i, (label, row) in enumerate(table.rows)
        ),
        people=people,
        note=table.note,
    )


def numbers_of(chart: Chart) -> Sheet | None:
    """Lay out a chart's numbers, a curve a row; None where there are none or too many to read."""
    levels = sorted({x for curve in chart.curves for x in curve.x})
    if not 0 < len(levels) <= MOST_COLUMNS:
        return None
    lines = []
    for curve in chart.curves:
        low, high = curve.low or [None] * len(curve.x), curve.high or [None] * len(curve.x)
        points = {x: (y, a, b) for x, y, a, b in zip(curve.x, curve.y, low, high, strict=True)}
        places = _places([value for point in points.values() for value in point if value is not None])
        cells = tuple(_number(*points.get(x, (None, None, None)), places=places) for x in levels)
        lines.append(Line(curve.name, curve.slot, cells))
    return Sheet(
        stem=chart.stem,
        title=chart.y_label,
        corner=chart.x_label,
        columns=tuple(f"{x:g}" if x < 1000 else f"{x:,.0f}" for x in levels),
        numbers=(True,) * len(levels),
        lines=tuple(lines),
    )


def shown(picture: Picture) -> Shown | None:
    """Make a picture ready, small ones enlarged pixel by pixel; None for one without pixels."""
    if picture.image.size == 0:
        return None
    height, width = picture.image.shape[:2]
    factor = max(1, _ENLARGED_TO // max(height, width))
    file = png(picture.image)
    kind, preview = ("png", file) if len(file) <= _SMALL or factor > 1 else ("jpeg", jpeg(picture.image))
    return Shown(
        stem=picture.stem,
        title=picture.title,
        file=file,
        preview=f"data:image/{kind};base64,{base64.b64encode(preview).decode()}",
        size=(height * factor, width * factor),
        exact=factor > 1,
        wide=width >= _WIDE and width > 2 * height,
    )


def judged(finding: str, title: str, verdict: Verdict) -> Judged:
    """Make a verdict ready."""
    kinds = {"holds": "holds", "does not hold": "fails", "undecided": "open"}
    effect = _cell(verdict.effect, places=_places(_spans([verdict.effect])), shade=False, says_n=True)
    return Judged(finding=finding, title=title, verdict=verdict, effect=effect, kind=kinds[verdict.holds])


def _places_of(table: Tabular) -> list[list[int]]:
    """Choose each cell's decimals: units may change from row to row, or from column to column."""
    if table.shade:
        return [[1] * len(row) for _, row in table.rows]
    columns = [_places(_spans([row[j] for _, row in table.rows])) for j in range(len(table.columns))]
    return [[max(column, _places(_spans(row))) for column in columns] for _, row in table.rows]


def _cell(value: Value, *, places: int, shade: bool, says_n: bool) -> Cell:
    if value is None or isinstance(value, str):
        return Cell(text=value or "", is_number=False)
    if isinstance(value, int):
        return Cell(text=str(value))
    if isinstance(value, Estimate):
        number = _number(value.value, value.low, value.high, places=places)
        n = f"n {value.n}" if says_n else ""
        if not number.text:
            return Cell(text="", n=n, why=f"undefined for these {value.n} people")
    else:
        number, n = _number(value, None, None, places=places), ""
    middle = value.value if isinstance(value, Estimate) else value
    strength = round(min(max(middle / 100.0, 0.0), 1.0), 2) if shade and math.isfinite(middle) else None
    return Cell(text=number.text, span=number.span, n=n, shade=strength)


def _number(value: float | None, low: float | None, high: float | None, *, places: int) -> Cell:
    if value is None or math.isnan(value):
        return Cell(text="")
    has_span = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    span = f"[{_printed(low, places)}, {_printed(high, places)}]" if has_span else ""
    return Cell(text=_printed(value, places), span=span)


def _printed(value: float | None, places: int) -> str:
    if value is None or math.isinf(value):
        return "∞" if value == math.inf else "-∞"
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no minus before zero


def _places(values: Iterable[float]) -> int:
    """Choose the decimals of numbers that are read together: one of percents, more of small numbers."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest > 1 or largest == 0:
        return 1
    return 3 if largest >= 0.1 else 4


def _spans(values: Iterable[Value]) -> list[float]:
    found: list[float] = []
    for value in values:
        if isinstance(value, Estimate):
            found += [value.value, value.low, value.high]
        elif isinstance(value, float):
            found.append(value)
    return found


def _same_n(values: Sequence[Value]) -> int | None:
    numbers = {value.n for value in values if isinstance(value, Estimate)}
    return numbers.pop() if len(numbers) == 1 else None
