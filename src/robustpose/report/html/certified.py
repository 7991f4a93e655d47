"""Figures of certified scores."""

from collections.abc import Sequence
from pathlib import Path

from robustpose.analysis.certified import CERTIFIED, SMOOTHED, CertifiedRow
from robustpose.findings import Chart, Curve
from robustpose.folders import write_atomically
from robustpose.metrics import ALL
from robustpose.report.html.charts import chart_svg


def write_certified(rows: Sequence[CertifiedRow], folder: Path) -> list[Path]:
    """Write a figure for each metric, certified score over radius, a curve for each model; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for metric in dict.fromkeys(row.metric for row in rows):
        stem = "certified-" + "".join(each if each.isalnum() else "-" for each in metric.lower())
        path = folder / f"{stem}.svg"
        write_atomically(path, chart_svg(_chart(rows, metric, stem)).encode())
        paths.append(path)
    return paths


def _chart(rows: Sequence[CertifiedRow], metric: str, stem: str) -> Chart:
    shown = [row for row in rows if row.metric == metric and row.part == ALL]
    curves = []
    for slot, model in enumerate(dict.fromkeys(row.model for row in shown)):
        mine = sorted((row for row in shown if row.model == model), key=lambda row: row.radius)
        certified = [row for row in mine if row.measure == CERTIFIED]
        smoothed = next(row for row in mine if row.measure == SMOOTHED)
        curves += [
            Curve(
                name=model,
                x=tuple(row.radius for row in certified),
                y=tuple(row.value for row in certified),
                low=tuple(row.low for row in certified),
                high=tuple(row.high for row in certified),
                slot=slot,
            ),
            Curve(
                name=f"{model}, smoothed",
                x=(0.0, max(row.radius for row in certified)),
                y=(smoothed.value, smoothed.value),
                slot=slot,
                dashed=True,
            ),
        ]
    return Chart(
        stem=stem,
        title=f"Certified {metric}",
        x_label="L2 radius, in units of [0, 1]",
        y_label=f"certified {metric}, %",
        curves=tuple(curves),
        scale="linear",
    )
