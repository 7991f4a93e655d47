"""How studies that measure models without attacking them run: a study opens, names its jobs and reads them.

What it reads is a Measurement (report/measurement.py), of which the terminal, the page and results.csv are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.defences import behind
from robustpose.errors import RobustPoseError, writing_to
from robustpose.folders import write_atomically
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import Job
from robustpose.jobs.results import CellResult, Floats
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench, input_size_of, padding_of
from robustpose.metrics import Estimate, Table, join
from robustpose.metrics.bootstrap import from_draws, redraws
from robustpose.models import OpenedModel
from robustpose.report import html, terminal
from robustpose.report.measurement import Measurement
from robustpose.studies.grid import listed
from robustpose.studies.running import (
    How,
    compute,
    how_of,
    render_ahead,
    report_unreadable,
    say_where,
    say_where_from,
)
from robustpose.study.definition import Study
from robustpose.study.described import describe_plan
from robustpose.study.options import MeasuringOptions, RunOptions
from robustpose.study.plan import Plan, blocks
from robustpose.study.saved import open_store, refuse_other, save_study
from robustpose.types import PoseDataset


@dataclass(frozen=True)
class People:
    """Rendered people that are rendered ahead, or any other people; in_photos: the photos of faults."""

    dataset: PoseDataset
    n: int
    in_photos: bool = False


class Opened(Protocol):
    """A measuring study with its models and data open."""

    @property
    def plan(self) -> Plan:
        """Models, people and metric; its study has no attacks."""
        ...

    @property
    def people(self) -> Sequence[People]:
        """Everyone whom the jobs load."""
        ...

    @property
    def jobs(self) -> Sequence[Job[Any]]:
        """What must be computed."""
        ...

    @property
    def bench(self) -> Workbench:
        """The models and data sets of the jobs."""
        ...

    def measure(self, store: Store, /) -> Measurement:
        """Read the jobs; RobustPoseError where no photo could be read."""
        ...


def run_measuring(opened: Opened, folder: Path, options: RunOptions) -> None:
    """Compute the missing jobs of a measuring study; write and print what they say."""
    how = how_of(options)
    store = _run_jobs(opened, folder, how)
    if how.shard.count > 1:
        shard = f"{how.shard.index}/{how.shard.count}"
        print(f"shard {shard} is done; after all shards, run the same command without --shard to finish {folder}")
        return
    found = opened.measure(store)
    for line in opened.plan.dataset.left_out:
        terminal.say(f"left out: {line}")
    report_unreadable(found.unreadable, opened.plan.n)
    with writing_to(folder, "name a writable folder with free space, as --out"):
        _write_lines(found, folder)
        html.write_measurement(opened.plan, found, folder / "report")
    terminal.print_measurement(found)
    say_where(folder)


def _run_jobs(opened: Opened, folder: Path, how: How) -> Store:
    """Compute the jobs that are missing in a folder, and record the run; return the store."""
    store = open_store(folder) if how.reuse else Store(folder)
    jobs, models = opened.jobs, opened.plan.models
    described = describe_plan(opened.plan)  # before models move to a device
    if not how.force:
        refuse_other(opened.plan.study, folder, described=described)
    if any(job not in store for job in jobs):
        sizes = sorted({(input_size_of(model.module), padding_of(model.module)) for model in models})
        for people in opened.people:
            for size, padding in sizes:
                render_ahead(
                    people.dataset, people.n, input_size=size, padding=padding, in_photos=people.in_photos
                )
    bench = opened.bench.on(how.device)
    save_study(opened.plan.study, folder, described=described)  # an interrupted run, too, says whose folder it is
    computed = compute(jobs, bench, store, how=how, title=opened.plan.study.name)
    for line in store.taken_over(jobs) if how.reuse else ():
        terminal.say(f"reused results from another version: {line}")
    say_where_from(folder, store, jobs, how=how, computed=computed)
    return store


def _write_lines(found: Measurement, folder: Path) -> None:
    """Write results.csv atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame([dict(line) for line in found.lines], infer_schema_length=None)
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None).round(3))
    write_atomically(folder / "results.csv", csv_bytes(frame))


def without_attacks(study: Study, options: MeasuringOptions) -> Study:
    """Return a study of no attacks with what the options say; RobustPoseError for an unknown defence."""
    return replace(
        study,
        models=behind(options.defence, listed(options.models) or study.models),
        data=options.data or study.data,
        n=study.n if options.n is None else options.n,
        seed=options.seed,
        spec=options.spec,
        images=options.images,
        min_keypoints=options.min_keypoints,
        min_box=options.min_box,
        per_cell=options.people_per_cell or study.per_cell,
        metric=options.metric,
    )


def clean_cells(plan: Plan, model: OpenedModel, dataset: PoseDataset, n: int) -> list[Cell]:
    """Return the cells of a model on the first n people of a data set, as they are."""
    return [
        Cell(
            model=model.name,
            model_fingerprint=model.fingerprint,
            data=dataset.name,
            data_fingerprint=dataset.fingerprint,
            start=rows.start,
            stop=rows.stop,
            photos=dataset.content(rows),
        )
        for rows in blocks(n, per_cell=plan.study.per_cell)
    ]


def read_table(plan: Plan, store: Store, jobs: Sequence[Job[CellResult]]) -> tuple[Table, list[CellResult]]:
    """Join the predictions of the blocks of one model; only the keypoints that all models share count.

    RobustPoseError where no photo could be read.
    """
    results = [store.read(job) for job in jobs]
    read = [each.table for each in results if len(each.table)]
    if not read:
        raise RobustPoseError(f"{plan.dataset.name}: none of the photos of {plan.n} people can be read")
    return join(read).over(plan.joints), results


def unreadable_of(results: Sequence[CellResult]) -> tuple[str, ...]:
    """Return one line for each person whose photo could not be read."""
    return tuple(dict.fromkeys(line for each in results for line in each.unreadable))


def mean_of(values: Floats, *, units: Sequence[str] | None = None, seed: int = 0) -> Estimate:
    """Return the mean of what is not NaN among values (N, ...), with an interval over people, or over `units`.

    units  the unit of each of the N rows, where rows of one unit depend on each other: frames of a clip
    """
    known = np.isfinite(values)
    axes = tuple(range(1, values.ndim))
    sums, counts = np.where(known, values, 0.0).sum(axis=axes), known.sum(axis=axes).astype(float)
    if units is not None:
        names, place = np.unique(np.asarray(units), return_inverse=True)
        sums, counts = (np.bincount(place, each, len(names)) for each in (sums, counts))
    weights = redraws(len(sums), seed=seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, draws = np.asarray(sums.sum() / counts.sum()), (weights @ sums) / (weights @ counts)
    taking_part = int((counts > 0).sum())
    return from_draws(value, draws, taking_part)
