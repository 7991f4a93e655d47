"""Metrics: pure functions of the table of predictions."""

from robustpose.metrics.ap import CocoScores, coco_scores, has_areas, is_ranked, relative_scores, with_intervals
from robustpose.metrics.detected import detected_scores
from robustpose.metrics.estimate import Estimate, difference, relative, score
from robustpose.metrics.mpii import mpii_table
from robustpose.metrics.pck import ALL, Pck
from robustpose.metrics.perceptual import gmsd, psnr, ssim
from robustpose.metrics.table import Table, join, pair
from robustpose.metrics.tasks import accuracy, mean_iou, overlaps

METRICS = {
    "pckh": Pck(unit="head_size", threshold=0.5),
    "pck": Pck(unit="box_side", threshold=0.1),
    "ks": Pck(unit="similarity", threshold=0.5),
}

__all__ = [
    "ALL",
    "METRICS",
    "CocoScores",
    "Estimate",
    "Pck",
    "Table",
    "accuracy",
    "coco_scores",
    "detected_scores",
    "difference",
    "gmsd",
    "has_areas",
    "is_ranked",
    "join",
    "mean_iou",
    "mpii_table",
    "overlaps",
    "pair",
    "psnr",
    "relative",
    "relative_scores",
    "score",
    "ssim",
    "with_intervals",
]
