"""The numbers of the findings page as CSV files; undefined numbers are empty."""

import csv
import io
import math
from collections.abc import Sequence

from robustpose.findings import Chart, Tabular, Verdict
from robustpose.metrics import Estimate


def chart_csv(chart: Chart) -> bytes:
    """Write a chart's numbers in long form: curve, x, y, low, high."""
    rows = []
    for curve in chart.curves:
        low, high = curve.low or [math.nan] * len(curve.x), curve.high or [math.nan] * len(curve.x)
        rows += [[curve.name, *point] for point in zip(curve.x, curve.y, low, high, strict=True)]
    return _csv(["curve", "x", "y", "low", "high"], rows)


def table_csv(table: Tabular) -> bytes:
    """Write a table; a column with estimates becomes four: value, low, high, n."""
    wide = [any(isinstance(values[i], Estimate) for _, values in table.rows) for i in range(len(table.columns))]
    header = ["row"]
    for column, is_wide in zip(table.columns, wide, strict=True):
        header += [column, f"{column}: low", f"{column}: high", f"{column}: n"] if is_wide else [column]
    rows: list[list[object]] = []
    for label, values in table.rows:
        row: list[object] = [label]
        for value, is_wide in zip(values, wide, strict=True):
            row += _four(value) if is_wide else [value]
        rows.append(row)
    return _csv(header, rows)


def verdicts_csv(verdicts: Sequence[tuple[str, Verdict]]) -> bytes:
    """Write the verdicts, each with its finding."""
    header = ["finding", "claim", "holds", "effect", "low", "high", "n", "paper", "measured"]
    return _csv(
        header,
        [
            [finding, each.claim, each.holds, *_four(each.effect), each.paper, each.measured]
            for finding, each in verdicts
        ],
    )


def _four(value: object) -> list[object]:
    if isinstance(value, Estimate):
        return [value.value, value.low, value.high, value.n]
    return [value, None, None, None]


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_printed(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _printed(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
