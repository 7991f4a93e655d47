"""Metrics: pure functions of a table of predictions."""

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
from robustpose.metrics.hits import ALL, KeypointMetric
from robustpose.metrics.lsp import LspScores
from robustpose.metrics.mpii import MpiiTable
from robustpose.metrics.pck import KS, PCK, PCKH, Pck
from robustpose.metrics.perceptual import gmsd, psnr, ssim
from robustpose.metrics.table import Table, check_once, join, pair
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
    """A metric that shows another metric in a benchmark's own layout: printed and in --json, not in results.csv.

    table_of  name of the other metric in METRICS; the table is shown only if it is the study's main metric
    title     heading of the table
    """

    table_of: str
    title: str


@runtime_checkable
class HasRemarks(Protocol):
    """A metric with remarks on how to interpret its numbers for a table."""

    def facts(self, table: Table, /) -> dict[str, object]:
        """Return the facts that --json shows beside the numbers."""
        ...

    def remarks(self, table: Table, /) -> tuple[str, ...]:
        """Return caveats, each with the model as its subject: 'has equal scores for everyone, ...'."""
        ...


def main_metrics() -> dict[str, KeypointMetric]:
    """Return the metrics that can be a study's main metric: those in which a radius decides what is correct."""
    return {name: metric for name, metric in METRICS.items() if isinstance(metric, KeypointMetric)}


def main_metric(name: str) -> KeypointMetric:
    """Return a study's main metric by name; RobustPoseError for an unknown or unsuitable one."""
    known = main_metrics()
    if name in METRICS and name not in known:
        raise RobustPoseError(
            f"metric {name!r} is not a mean over keypoints, so it cannot be a study's main metric; "
            f"known: {', '.join(sorted(known))}"
        )
    if name not in known:
        raise unknown_name("metric", name, known)
    return known[name]


def metrics_beside(main: str, table: Table) -> dict[str, Metric]:
    """Return the metrics that are defined on a table and reported beside a study's main metric."""
    return {
        name: metric
        for name, metric in METRICS.items()
        if not isinstance(metric, KeypointMetric)
        and not (isinstance(metric, TableOf) and metric.table_of != main)
        and metric.defined(table)
    }


def number_name(metric: Metric, number: str) -> str:
    """Return the name of a metric's number in results.csv: OKS AP, OKS AR(L), mean OKS; for 'all' the metric's."""
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
    "KeypointMetric",
    "Metric",
    "Pck",
    "Scores",
    "Table",
    "TableOf",
    "accuracy",
    "check_once",
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
