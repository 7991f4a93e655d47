"""Compares the two sides of the validity study, from their stored jobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.analysis.scores import Row, outcome, row_of, write_results
from robustpose.errors import RobustPoseError
from robustpose.folders import write_atomically
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Table, main_metric
from robustpose.metrics.bootstrap import from_draws, redraws
from robustpose.metrics.hits import percentages, totals, weighted_totals
from robustpose.metrics.table import Floats
from robustpose.studies.validity.agreement import Agreement, Pair, Scores, agreement
from robustpose.studies.validity.offsets import FOUND, WAYS, Offset, Sampled, distances, medians, offset
from robustpose.studies.validity.sides import METRIC, PHOTOS, RENDERED, shared_joints
from robustpose.study.plan import Plan

Measured = tuple[str, Setting | None]
"""A measure and its setting: 'clean' without one; 'attacked' or 'relative' under one."""


@dataclass(frozen=True)
class Line:
    """The agreement on one score: under a setting (None: clean), of a body part or 'all'."""

    measure: str
    setting: Setting | None
    part: str
    found: Agreement


@dataclass(frozen=True)
class Comparison:
    """The comparison of the two sides.

    models   names, in the study's order
    parts    body parts that all share, named as in the rendered people's skeleton
    joints   number of shared keypoints
    people   number of people: {'rendered' | 'photos': number}
    data     names of the data sets, by side
    rows     every score: {side: {(measure, setting, part): one row for each model}}
    lines    the agreement on each score
    offsets  offsets of clean keypoints
    """

    models: tuple[str, ...]
    parts: tuple[str, ...]
    joints: int
    metric: str
    people: Mapping[str, int]
    data: Mapping[str, str]
    settings: tuple[Setting, ...]
    rows: Mapping[str, Mapping[tuple[str, Setting | None, str], tuple[Row, ...]]]
    lines: tuple[Line, ...]
    offsets: tuple[Offset, ...]

    def line(self, measure: str, setting: Setting | None, part: str = ALL) -> Line:
        """Look up the agreement on one score."""
        asked = (measure, setting, part)
        return next(each for each in self.lines if (each.measure, each.setting, each.part) == asked)

    def misleading(self) -> list[tuple[Pair, list[Line]]]:
        """Return the misleading pairs with their scores, those with most scores first."""
        gathered: dict[Pair, list[Line]] = {}
        for line in self.lines:
            for pair in line.found.misleading if line.part == ALL else ():
                gathered.setdefault(pair, []).append(line)
        return sorted(gathered.items(), key=lambda each: -len(each[1]))


@dataclass(frozen=True)
class _Side:
    """One side's tables by model, over the shared keypoints and the people with results of all models."""

    plan: Plan
    tables: Mapping[Setting | None, tuple[Table, ...]]
    weights: Floats

    @property
    def people(self) -> int:
        return int(self.weights.shape[1])


def compare(sides: Mapping[str, Plan], stores: Mapping[str, Store]) -> Comparison:
    """Compare the sides; RobustPoseError if a job is missing or no photo could be read."""
    joints = shared_joints(sides)
    first = sides[RENDERED]
    models = tuple(model.name for model in first.models)
    parts = tuple(
        part
        for part, rows in first.dataset.skeleton.groups.items()
        if any(first.dataset.skeleton.keypoints[row] in joints for row in rows)
    )
    read = {name: _read(plan, stores[name], joints) for name, plan in sides.items()}
    # Reversing the photos' draws makes them independent of the rendered people's, while each side's intervals
    # remain those of its own results.csv.
    read[PHOTOS] = _Side(read[PHOTOS].plan, read[PHOTOS].tables, read[PHOTOS].weights[::-1])
    scores = {name: _scores(side, (ALL, *parts)) for name, side in read.items()}
    return Comparison(
        models=models,
        parts=parts,
        joints=len(joints),
        metric=main_metric(METRIC).name,
        people={name: side.people for name, side in read.items()},
        data={name: plan.dataset.name for name, plan in sides.items()},
        settings=first.study.settings,
        rows={name: _rows(side, scores[name]) for name, side in read.items()},
        lines=tuple(
            Line(measure, setting, part, agreement(models, found, scores[PHOTOS][measure, setting, part]))
            for (measure, setting, part), found in scores[RENDERED].items()
        ),
        offsets=tuple(_offsets(read, scores, parts)),
    )


def _read(plan: Plan, store: Store, joints: frozenset[str]) -> _Side:
    tables = {
        setting: [outcome(plan, store, model, setting).table.over(joints) for model in plan.models]
        for setting in (None, *plan.study.settings)
    }
    every = [table for each in tables.values() for table in each]
    shared = set(every[0].ids).intersection(*(table.ids for table in every))
    if not shared:
        raise RobustPoseError(f"{plan.dataset.name}: no person's photo could be read for all models")
    return _Side(
        plan=plan,
        tables={setting: tuple(_cut(table, shared) for table in each) for setting, each in tables.items()},
        weights=redraws(len(shared), seed=0),
    )


def _cut(table: Table, people: set[str]) -> Table:
    return table.take([row for row, name in enumerate(table.ids) if name in people])


def _scores(side: _Side, parts: Sequence[str]) -> dict[tuple[str, Setting | None, str], Scores]:
    """Score every model: clean in percent of keypoints, and the relative score under each setting in percent."""
    values: dict[Measured, list[dict[str, Floats]]] = {}
    for setting, tables in side.tables.items():
        values["clean" if setting is None else "attacked", setting] = [
            _percent(each, side.weights) for each in tables
        ]
    clean = values["clean", None]
    for setting in side.plan.study.settings:
        values["relative", setting] = [
            {part: _ratio(after[part], before[part]) for part in after}
            for before, after in zip(clean, values["attacked", setting], strict=True)
        ]
    return {
        (measure, setting, part): Scores(
            values=np.array([model[part][0] for model in models]),
            draws=np.array([model[part][1:] for model in models]),
            people=side.people,
        )
        for (measure, setting), models in values.items()
        for part in parts
    }


def _percent(table: Table, weights: Floats) -> dict[str, Floats]:
    """Score a table (1 + D,): its value, then each draw."""
    hits = main_metric(METRIC).hits(table)
    value = percentages(*totals(hits), table.skeleton)
    draws = percentages(*weighted_totals(hits, weights), table.skeleton)
    return {part: np.concatenate([[value[part]], draws[part]]) for part in value}


def _ratio(after: Floats, before: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = 100.0 * after / before
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _rows(
    side: _Side, scores: Mapping[tuple[str, Setting | None, str], Scores]
) -> dict[tuple[str, Setting | None, str], tuple[Row, ...]]:
    counts = [_people(table) for table in side.tables[None]]
    return {
        (measure, setting, part): tuple(
            row_of(
                side.plan,
                model,
                setting,
                measure=measure,
                metric=main_metric(METRIC).name,
                part=part,
                estimate=from_draws(found.values[place], found.draws[place], counts[place][part]),
            )
            for place, model in enumerate(side.plan.models)
        )
        for (measure, setting, part), found in scores.items()
    }


def _people(table: Table) -> dict[str, int]:
    """Count the people with a counted keypoint: in total, and for each part."""
    counts = table.visible & np.asarray(table.skeleton.counted)
    parts = {part: int(counts[:, list(rows)].any(axis=1).sum()) for part, rows in table.skeleton.groups.items()}
    return {ALL: int(counts.any(axis=1).sum()), **parts}


def _offsets(
    sides: Mapping[str, _Side],
    scores: Mapping[str, Mapping[tuple[str, Setting | None, str], Scores]],
    parts: Sequence[str],
) -> Iterator[Offset]:
    for place, model in enumerate(sides[RENDERED].plan.models):
        tables = {name: side.tables[None][place] for name, side in sides.items()}
        for part in parts:
            found = {name: scores[name]["clean", None, part] for name in sides}
            hits = {
                name: Sampled(float(each.values[place]), each.draws[place], _people(tables[name])[part])
                for name, each in found.items()
            }
            yield offset(model.name, part, FOUND, rendered=hits[RENDERED], photos=hits[PHOTOS])
        for way in WAYS:
            off = {name: distances(table, way) for name, table in tables.items()}
            for part in parts:
                rows = list(model.module.skeleton.groups[part])
                middle = {name: medians(each[:, rows], sides[name].weights) for name, each in off.items()}
                if all(each.n for each in middle.values()):
                    yield offset(model.name, part, way, rendered=middle[RENDERED], photos=middle[PHOTOS])


def write_comparison(found: Comparison, folder: Path) -> None:
    """Write validity.csv (all scores), agreement.csv (agreement of rankings) and offsets.csv, each atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for side in found.rows.values() for each in side.values() for row in each]
    write_results(rows, folder / "validity.csv")
    _write(folder / "agreement.csv", [_agreement_line(found, line) for line in found.lines])
    _write(folder / "offsets.csv", [_offset_line(each) for each in found.offsets])


def _agreement_line(found: Comparison, line: Line) -> dict[str, object]:
    each, setting = line.found, line.setting
    return {
        "measure": line.measure,
        "attack": "clean" if setting is None else setting.label,
        "eps": "0/255" if setting is None else setting.budget,
        "part": line.part,
        "tau": each.tau.value,
        "low": each.tau.low,
        "high": each.tau.high,
        "one_order": each.one_order.value,
        "one_order_low": each.one_order.low,
        "one_order_high": each.one_order.high,
        "nets": each.tau.n,
        "people_rendered": found.people[RENDERED],
        "people_photos": found.people[PHOTOS],
        "pairs": each.pairs,
        "decided_rendered": each.rendered,
        "decided_photos": each.photos,
        "decided_both": each.both,
        "agree": each.agree,
        "misleading": "; ".join(f"{pair.in_photos} > {pair.in_rendered}" for pair in each.misleading),
    }


def _offset_line(each: Offset) -> dict[str, object]:
    line: dict[str, object] = {"model": each.model, "part": each.part, "way": each.way}
    for side in ("rendered", "photos", "change"):
        estimate = getattr(each, side)
        line |= {side: estimate.value, f"{side}_low": estimate.low, f"{side}_high": estimate.high}
    return line | {"n_rendered": each.rendered.n, "n_photos": each.photos.n}


def _write(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    frame = pl.DataFrame(lines)
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None).round(3))
    write_atomically(path, csv_bytes(frame))
