"""Scores of the corruptions study: a pure function of its stored cells.

mPC, mean performance under corruption, is the mean of the scores over corruptions and severities; rPC, relative
performance under corruption, is mPC in percent of the clean score (Michaelis et al. 2019, arXiv 1907.07484). All
models and corruptions are scored on the same people, redrawn alike, so that every difference is paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robustpose.analysis.scores import outcome
from robustpose.corruptions import CORRUPTIONS
from robustpose.errors import RobustPoseError
from robustpose.findings.statistics import Sample, mean, ratio, redraws
from robustpose.jobs.corruption import CorruptedCell
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, METRICS, KeypointMetric, Metric, Table, join, scores_of
from robustpose.metrics.hits import percentages, totals, weighted_totals
from robustpose.metrics.table import Floats
from robustpose.studies.corruptions.definition import CorruptionStudy, corrupted_cells
from robustpose.study.plan import Plan, metric_of

Place = tuple[str, int]
"""A corruption and a severity."""

BESIDE = ("oks", "oks_detected")
"""Metrics that are reported beside the main one, where the data define them: their number `AP`."""


@dataclass(frozen=True)
class Size:
    """A third of the people by the longer side of their box, in pixels of the photo."""

    name: str
    people: NDArray[np.bool_]


@dataclass(frozen=True)
class ModelScores:
    """One model's scores; each Sample is over all people, or over the third of a size.

    clean, corrupted  by body part, 'all' included
    by_size           clean, and corrupted by place, of each third
    beside            of other metrics: clean, and corrupted by place
    """

    model: str
    clean: Mapping[str, Sample]
    corrupted: Mapping[Place, Mapping[str, Sample]]
    by_size: Mapping[str, tuple[Sample, Mapping[Place, Sample]]]
    beside: Mapping[str, tuple[Sample, Mapping[Place, Sample]]]
    tables: Mapping[Place | None, Table]

    def mpc(self, part: str = ALL, *, names: Sequence[str] = (), severity: int | None = None) -> Sample:
        """Return mPC: the mean over corruptions (of `names`, if any) and severities (or of one)."""
        return mean(
            [
                found[part]
                for (name, at), found in self.corrupted.items()
                if (not names or name in names) and severity in (None, at)
            ]
        )

    def rpc(self, part: str = ALL, *, names: Sequence[str] = (), severity: int | None = None) -> Sample:
        """Return rPC: mPC in percent of the clean score."""
        return ratio(self.mpc(part, names=names, severity=severity), self.clean[part])

    def relative(self, place: Place, part: str = ALL) -> Sample:
        """Return the score at one corruption and severity in percent of the clean one."""
        return ratio(self.corrupted[place][part], self.clean[part])


@dataclass(frozen=True)
class Scored:
    """The scores of all models, of the same people.

    metric    the main metric's name
    families  of the study's corruptions, in order, with their names
    """

    metric: str
    people: int
    parts: tuple[str, ...]
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    families: Mapping[str, tuple[str, ...]]
    sizes: tuple[Size, ...]
    models: tuple[ModelScores, ...]


def score_study(study: CorruptionStudy, plan: Plan, store: Store) -> Scored:
    """Score a study; RobustPoseError where a cell is missing or no photo could be read."""
    places = [(name, severity) for name in study.corruptions for severity in study.severities]
    tables = {model.name: _tables(study, plan, store, model.name, places) for model in plan.models}
    shared = set.intersection(*(set(table.ids) for each in tables.values() for table in each.values()))
    if not shared:
        raise RobustPoseError(f"{plan.dataset.name}: no person's photo could be read for all models")
    cut = {name: {place: _of(table, shared) for place, table in each.items()} for name, each in tables.items()}
    first = cut[plan.models[0].name][None]
    sizes = thirds(first)
    families: dict[str, tuple[str, ...]] = {}
    for name in study.corruptions:
        family = CORRUPTIONS[name].family
        families[family] = (*families.get(family, ()), name)
    metric = metric_of(plan)
    models = tuple(_scores(name, each, metric, sizes) for name, each in cut.items())
    parts = tuple(
        part
        for part in plan.dataset.skeleton.groups
        if all(np.isfinite(each.clean[part].value) for each in models if part in each.clean)
        and all(part in each.clean for each in models)
    )
    return Scored(
        metric=metric.name,
        people=len(shared),
        parts=parts,
        corruptions=study.corruptions,
        severities=study.severities,
        families=families,
        sizes=sizes,
        models=models,
    )


def thirds(table: Table) -> tuple[Size, ...]:
    """Cut the people into thirds by size; fewer where many are of one size."""
    assert table.crops is not None
    side = table.box_side / np.abs(table.crops[:, 0, 0])
    low, high = np.quantile(side, [1 / 3, 2 / 3])
    small, large = side <= low, side > high
    named = (
        (f"up to {low:.0f} pixels", small),
        (f"{low:.0f} to {high:.0f} pixels", ~small & ~large),
        (f"over {high:.0f} pixels", large),
    )
    return tuple(Size(name, people) for name, people in named if people.any())


def _tables(
    study: CorruptionStudy, plan: Plan, store: Store, model: str, places: Sequence[Place]
) -> dict[Place | None, Table]:
    tables: dict[Place | None, Table] = {None: outcome(plan, store, plan.named(model), None).table}
    clean = tables[None]
    for name, severity in places:
        cells = corrupted_cells(plan, model, study.corrupted(name, severity))
        tables[name, severity] = joined(plan, store, cells, clean)
    return tables


def joined(plan: Plan, store: Store, cells: Sequence[CorruptedCell], clean: Table) -> Table:
    """Join the tables of corrupted cells, with what a clean table of the same study says of the data."""
    table = join([store.read(cell).answers.table for cell in cells]).over(plan.joints)
    return replace(table, data=clean.data, detected=clean.detected)


def _of(table: Table, people: set[str]) -> Table:
    return table.take([row for row, name in enumerate(table.ids) if name in people])


def _scores(
    model: str, tables: Mapping[Place | None, Table], metric: KeypointMetric, sizes: Sequence[Size]
) -> ModelScores:
    clean = tables[None]
    weights = redraws(len(clean), seed=0)
    hits = {place: metric.hits(table) for place, table in tables.items()}
    by_part = {place: _by_part(each, clean, weights) for place, each in hits.items()}
    by_size = {}
    for size in sizes:
        held = {place: _total(each[size.people], weights[:, size.people]) for place, each in hits.items()}
        by_size[size.name] = held[None], {place: each for place, each in held.items() if place is not None}
    beside = {}
    for name in BESIDE:
        if METRICS[name].defined(clean):
            held = {place: _average_precision(METRICS[name], table) for place, table in tables.items()}
            beside[f"{METRICS[name].name} AP"] = (
                held[None],
                {place: each for place, each in held.items() if place is not None},
            )
    return ModelScores(
        model=model,
        clean=by_part[None],
        corrupted={place: each for place, each in by_part.items() if place is not None},
        by_size=by_size,
        beside=beside,
        tables=tables,
    )


def _by_part(hits: Floats, table: Table, weights: Floats) -> dict[str, Sample]:
    values = percentages(*totals(hits), table.skeleton)
    draws = percentages(*weighted_totals(hits, weights), table.skeleton)
    known = np.isfinite(hits)
    parts: dict[str, Sequence[int]] = {ALL: range(hits.shape[1]), **table.skeleton.groups}
    return {
        part: Sample(
            value=np.asarray(values[part]),
            draws=draws[part],
            n=int(known[:, list(rows)].any(axis=1).sum()),
            right=int((hits[:, list(rows)] == 1).any(axis=1).sum()),
        )
        for part, rows in parts.items()
    }


def _total(hits: Floats, weights: Floats) -> Sample:
    """Score some of the people: of each draw, those of them who are drawn."""
    right, known = np.nansum(hits), np.isfinite(hits)
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = 100 * (weights @ np.where(known, hits, 0.0).sum(axis=1)) / (weights @ known.sum(axis=1))
        value = 100 * right / known.sum()
    return Sample(np.asarray(value), np.asarray(draws), n=int(known.any(axis=1).sum()))


def _average_precision(metric: Metric, table: Table) -> Sample:
    found = scores_of(metric, table)
    return Sample(np.asarray(found.values["AP"]), found.draws["AP"], n=found.people["AP"])
