"""Lays out the tables, images and verdicts of findings for the page."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from robustpose.errors import RobustPoseError
from robustpose.findings import Chart, Picture, Tabular, Verdict
from robustpose.metrics import Estimate
from robustpose.report.html.pictures import jpeg, png

SHADE = 0.55
"""The strongest shade on which text has a contrast of 4.5, in light and in dark mode."""

MOST_COLUMNS = 16
"""Maximum number of levels of a chart whose numbers are also shown as a table."""

_ENLARGED_TO = 320
_SMALL = 300 * 1024
"""Largest PNG, in bytes, that is embedded as it is; larger ones are embedded as JPEG."""
_WIDE = 640

Value = Estimate | float | str | None


@dataclass(frozen=True)
class Cell:
    """A table's cell as printed.

    span   the interval; empty if there is none
    n      the number of people, if it differs within the table
    shade  strength of the background, 0 to 1; None for no shading
    """

    text: str
    span: str = ""
    n: str = ""
    shade: float | None = None
    is_number: bool = True
    why: str = ""


@dataclass(frozen=True)
class Line:
    """A row; slot is the model's, if the label is a model's name."""

    label: str
    slot: int | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """A table of the page; people is n, if it is the same in every cell."""

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
    """An image of the page: its file, and a preview as a data: URI.

    exact  displayed without smoothing
    wide   scrolls horizontally on narrow pages
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
    """A verdict of the page, with its finding."""

    finding: str
    title: str
    verdict: Verdict
    effect: Cell
    kind: str


def sheet(table: Tabular, slots: Mapping[str, int]) -> Sheet:
    """Lay out a table; RobustPoseError if a row does not have one cell for each column."""
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
    """Lay out a chart's numbers, one row for each curve; None if there are none or too many."""
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
    """Prepare an image, enlarging a small one without interpolation; None for an empty image."""
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
    """Prepare a verdict for the page."""
    kinds = {"holds": "holds", "does not hold": "fails", "undecided": "open"}
    effect = _cell(verdict.effect, places=_places(_spans([verdict.effect])), shade=False, says_n=True)
    return Judged(finding=finding, title=title, verdict=verdict, effect=effect, kind=kinds[verdict.holds])


def _places_of(table: Tabular) -> list[list[int]]:
    """Choose each cell's decimals; units may differ between rows or between columns."""
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
    """Choose the decimals for a group of numbers: one for percentages, more for small numbers."""
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
