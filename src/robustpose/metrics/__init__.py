"""Metrics: pure functions of the table of predictions."""

from typing import Protocol, runtime_checkable

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.metrics.bootstrap import (
    Estimate,
    Metric,
    Scores,
    difference,
    relative,
    relative_scores,
    score,
    scores_of,
    with_intervals,
)
from robustpose.metrics.coco import DetectedOks, Oks
from robustpose.metrics.lsp import LspScores
from robustpose.metrics.mpii import MpiiTable
from robustpose.metrics.pck import ALL, KS, PCK, PCKH, Pck
from robustpose.metrics.perceptual import gmsd, psnr, ssim
from robustpose.metrics.table import Table, join, pair
from robustpose.metrics.tasks import accuracy, mean_iou, overlaps

METRICS: dict[str, Metric] = {
    "pckh": PCKH,
    "pck": PCK,
    "ks": KS,
    "oks": Oks(),
    "oks_detected": DetectedOks(),
    "mpii": MpiiTable(),
    "lsp": LspScores(),
}


@runtime_checkable
class TableOf(Protocol):
    """A metric that is another one in a benchmark's own layout: printed and in --json, not in results.csv.

    table_of  the metric, of METRICS; where the study's is another, the table is not shown
    title     what it is called above its columns
    """

    table_of: str
    title: str


@runtime_checkable
class HasRemarks(Protocol):
    """A metric that says how its numbers of a table are to be read."""

    def facts(self, table: Table, /) -> dict[str, object]:
        """Return what --json has beside the numbers."""
        ...

    def remarks(self, table: Table, /) -> tuple[str, ...]:
        """Return what weakens the numbers, each as said of the model: 'is equally sure of everyone, ...'."""
        ...


def main_metrics() -> dict[str, Pck]:
    """Return the metrics that can be a study's main one: means over correct keypoints, with a radius to attack."""
    return {name: metric for name, metric in METRICS.items() if isinstance(metric, Pck)}


def main_metric(name: str) -> Pck:
    """Return a study's main metric by name; RobustPoseError where it is unknown or cannot be one."""
    known = main_metrics()
    if name in METRICS and name not in known:
        raise RobustPoseError(
            f"metric {name!r} is no mean over keypoints, so it cannot be a study's main one; "
            f"known: {', '.join(sorted(known))}"
        )
    if name not in known:
        raise unknown_name("metric", name, known)
    return known[name]


def metrics_beside(main: str, table: Table) -> dict[str, Metric]:
    """Return the metrics that are defined on a table, beside a study's main one."""
    return {
        name: metric
        for name, metric in METRICS.items()
        if not isinstance(metric, Pck)
        and not (isinstance(metric, TableOf) and metric.table_of != main)
        and metric.defined(table)
    }


def number_name(metric: Metric, number: str) -> str:
    """Return what results.csv calls one of a metric's numbers: OKS AP, OKS AR(L), mean OKS; its name for 'all'."""
    if number in (ALL, "mean"):
        return metric.name if number == ALL else f"mean {metric.name}"
    return f"{metric.name} {number}"


__all__ = [
    "ALL",
    "KS",
    "METRICS",
    "PCK",
    "PCKH",
    "Estimate",
    "HasRemarks",
    "Metric",
    "Pck",
    "Scores",
    "Table",
    "TableOf",
    "accuracy",
    "difference",
    "gmsd",
    "join",
    "main_metric",
    "main_metrics",
    "mean_iou",
    "metrics_beside",
    "number_name",
    "overlaps",
    "pair",
    "psnr",
    "relative",
    "relative_scores",
    "score",
    "scores_of",
    "ssim",
    "with_intervals",
]
