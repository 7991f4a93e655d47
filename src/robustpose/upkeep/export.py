"""Stored predictions as one long table: a row for each keypoint of each person under each attack."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.analysis.scores import outcome
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.folders import write_atomically
from robustpose.jobs.setting import Setting
from robustpose.metrics import Table
from robustpose.metrics.hits import radius_of
from robustpose.models import OpenedModel
from robustpose.study.plan import metric_of
from robustpose.upkeep.opened import OpenedRun

FORMATS = ("parquet", "csv")


def export(run: OpenedRun, path: Path, *, format: str) -> int:
    """Write a study's predictions and hits; return the number of rows.

    RobustPoseError for an unknown format and for results that have not been computed.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    frames = list(_frames(run))
    if not frames:
        raise RobustPoseError(f"{run.folder}: the study has no attack or model to export")
    frame = pl.concat(frames)
    if format == "csv":
        content = csv_bytes(frame, decimals=None)
    else:
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        content = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return len(frame)


def _frames(run: OpenedRun) -> Iterator[pl.DataFrame]:
    for model in run.plan.models:
        for setting in (None, *run.plan.study.settings):
            yield _frame(run, model, setting, outcome(run.plan, run.store, model, setting).table)


def _frame(run: OpenedRun, model: OpenedModel, setting: Setting | None, table: Table) -> pl.DataFrame:
    n, k = len(table), len(table.skeleton)
    metric = metric_of(run.plan)
    hits, radius = metric.hits(table), radius_of(metric, table)
    distance = np.linalg.norm(table.predicted - table.keypoints, axis=2)
    photo = np.array(table.ids, dtype=np.str_) if table.photo is None else table.photo
    return pl.DataFrame(
        {
            "model": [model.name] * (n * k),
            "data": [run.plan.dataset.name] * (n * k),
            "attack": ["clean" if setting is None else setting.label] * (n * k),
            "eps": ["" if setting is None else setting.budget] * (n * k),
            "objective": ["" if setting is None else setting.objective] * (n * k),
            "person": [name for name in table.ids for _ in range(k)],
            "photo": [str(name) for name in photo for _ in range(k)],
            "keypoint": list(table.skeleton.keypoints) * n,
            "visible": table.visible.ravel(),
            "x": table.predicted[..., 0].ravel(),
            "y": table.predicted[..., 1].ravel(),
            "true_x": table.keypoints[..., 0].ravel(),
            "true_y": table.keypoints[..., 1].ravel(),
            "distance": distance.ravel(),
            "radius": radius.ravel(),
            "hit": [None if np.isnan(hit) else bool(hit) for hit in hits.ravel()],
        }
    )
