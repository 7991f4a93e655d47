"""Computes scores from stored cells; each row has a score, its interval and its number of people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.data.people import PhotoPeople
from robustpose.errors import RobustPoseError
from robustpose.folders import write_atomically
from robustpose.jobs.results import CellResult, Floats, Pictures
from robustpose.jobs.setting import Setting
from robustpose.jobs.signals import BEATEN, MOTION
from robustpose.jobs.store import Store
from robustpose.metrics import (
    ALL,
    METRICS,
    Estimate,
    HasRemarks,
    Metric,
    Scores,
    Table,
    TableOf,
    check_once,
    join,
    metrics_beside,
    number_name,
    pair,
    relative,
    relative_scores,
    score,
    scores_of,
    with_intervals,
)
from robustpose.models import OpenedModel
from robustpose.study.plan import Plan, metric_of


@dataclass(frozen=True)
class Row:
    """One line of results.csv.

    attack    the paper's name of the setting, or 'clean'
    rounded   whether the images were rounded to 8 bits before scoring
    metric    the study's main metric, or another that is defined on the data: 'OKS AP', ..., 'mean OKS'
    measure   'clean', 'attacked', 'relative' (100 x attacked / clean) or 'target' (hits of the target pose); for
              ensembles also 'joints': 'relative' or 'target' with the worst image of each keypoint
    part      'all', or a body part with left and right averaged
    value     percent, with its 95% interval low to high over n people
    """

    model: str
    data: str
    attack: str
    eps: str
    steps: int
    objective: str
    rounded: bool
    measure: str
    metric: str
    part: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Shown:
    """A block's predictions, and the stored images of its first people."""

    table: Table
    pictures: Pictures


@dataclass(frozen=True)
class Outcome:
    """One model under one setting: the joined tables, their cost, and the images of the first block."""

    model: OpenedModel
    setting: Setting | None
    table: Table
    results: tuple[CellResult, ...]
    shown: Shown

    @property
    def each_joint(self) -> Table | None:
        """The table with the worst image of each keypoint; None for attacks other than ensembles."""
        if any(BEATEN not in result.signals for result in self.results if len(result.table)):
            return None
        beaten = np.concatenate([result.signals[BEATEN] for result in self.results if len(result.table)]) > 0
        lost = np.nan if self.table.target is None else self.table.target
        return replace(self.table, predicted=np.where(beaten[..., None], lost, self.table.predicted))

    @property
    def motions(self) -> Floats | None:
        """The motion of each person (N, 4); None for attacks other than spatial ones."""
        if any(MOTION not in result.signals for result in self.results if len(result.table)):
            return None
        return np.concatenate([result.signals[MOTION] for result in self.results if len(result.table)])

    @property
    def forwards(self) -> int:
        """Forward passes of one image that the attack used."""
        return sum(result.forwards for result in self.results)

    @property
    def backwards(self) -> int:
        """Gradients of one image that the attack used."""
        return sum(result.backwards for result in self.results)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """One line for each person whose photo could not be read."""
        return tuple(line for result in self.results for line in result.unreadable)


def outcome(plan: Plan, store: Store, model: OpenedModel, setting: Setting | None) -> Outcome:
    """Join the stored blocks of one model under one setting; RobustPoseError if no photo could be read."""
    cells = plan.cells(model, setting)
    results = tuple(store.read(cell) for cell in cells)
    shown = Shown(table=results[0].table, pictures=store.pictures(cells[0]))
    table = join([result.table for result in results]).over(plan.joints)
    detected = plan.dataset.detected if isinstance(plan.dataset, PhotoPeople) else None
    table = replace(table, data=plan.dataset.name, detected=detected)
    found = Outcome(model=model, setting=setting, table=table, results=results, shown=shown)
    check_once(table.ids)
    if len(table) == 0:
        raise RobustPoseError(f"none of the {plan.n} photos could be read; the first: {found.unreadable[0]}")
    return found


def estimates(
    plan: Plan, clean: Table, attacked: Table, *, each_joint: Table | None = None
) -> dict[str, dict[str, Estimate]]:
    """Score an attack: {'attacked' | 'relative' | 'target' | 'joints': {part: estimate}}.

    `each_joint` is Outcome.each_joint. Targeted, people without a target pose were not attacked and do not count.
    """
    metric = metric_of(plan)
    attacked = _attacked_people(attacked)
    each_joint = None if each_joint is None else _attacked_people(each_joint)
    scores = {"attacked": score(attacked, metric), "relative": relative(clean, attacked, metric)}
    if attacked.target is not None:
        scores["target"] = score(attacked, metric.against_target())
    if each_joint is not None:
        aimed = each_joint.target is not None
        scores["joints"] = (
            score(each_joint, metric.against_target()) if aimed else relative(clean, each_joint, metric)
        )
    return scores


def _attacked_people(table: Table) -> Table:
    """Return the people whom a targeted attack had a target pose for; everybody otherwise."""
    if table.target_visible is None or table.target_visible.any(axis=1).all():
        return table
    return table.take(np.flatnonzero(table.target_visible.any(axis=1)).tolist())


def score_clean(plan: Plan, clean: Table) -> dict[str, Estimate]:
    """Score a model's clean predictions."""
    return score(clean, metric_of(plan))


def result_rows(plan: Plan, store: Store) -> list[Row]:
    """Score every job of a plan by its main metric."""
    rows: list[Row] = []
    for model in plan.models:
        clean = outcome(plan, store, model, None).table
        rows += _rows(plan, model, None, {"clean": score_clean(plan, clean)})
        for setting in plan.study.settings:
            found = outcome(plan, store, model, setting)
            scores = estimates(plan, clean, found.table, each_joint=found.each_joint)
            rows += _rows(plan, model, setting, scores)
    return rows


def beside_rows(plan: Plan, store: Store) -> list[Row]:
    """Score every job of a plan by the other metrics that are defined on its data."""
    rows: list[Row] = []
    for model in plan.models:
        clean = outcome(plan, store, model, None).table
        for metric in metrics_beside(plan.metric, clean).values():
            if isinstance(metric, TableOf):  # its numbers are there already
                continue
            before = scores_of(metric, clean)
            rows += _beside(plan, model, None, metric, {"clean": with_intervals(before)})
            for setting in plan.study.settings:
                attacked = outcome(plan, store, model, setting).table
                rows += _beside(plan, model, setting, metric, _attacked(metric, clean, before, attacked))
    return rows


def all_rows(plan: Plan, store: Store) -> list[Row]:
    """Score every job of a plan by its main metric, then by the others that are defined on its data."""
    return [*result_rows(plan, store), *beside_rows(plan, store)]


def beside_estimates(metric: Metric, clean: Table, attacked: Table) -> dict[str, dict[str, Estimate]]:
    """Score an attack by another metric: {'clean' | 'attacked' | 'relative': {number: estimate}}."""
    before = scores_of(metric, clean)
    return {"clean": with_intervals(before), **_attacked(metric, clean, before, attacked)}


def headlines(plan: Plan, rows: Sequence[Row]) -> dict[str, Metric]:
    """Return the first number of each metric other than the main one, by its name in rows."""
    found: dict[str, Metric] = {}
    for metric in METRICS.values():
        numbers = [row.metric for row in rows if row.metric not in main_names(plan) and _is_of(row.metric, metric)]
        found |= dict.fromkeys(numbers[:1], metric)
    return found


def main_names(plan: Plan) -> tuple[str, str]:
    """Return the names of the main metric in rows: against the ground truth, and against the target pose."""
    metric = metric_of(plan)
    return metric.name, metric.against_target().name


def remarks(plan: Plan, store: Store) -> tuple[str, ...]:
    """List the limitations of the metrics other than the main one, one line per model and metric."""
    tables = {model.name: outcome(plan, store, model, None).table for model in plan.models}
    return tuple(
        f"{name} {remark}"
        for name, table in tables.items()
        for metric in metrics_beside(plan.metric, table).values()
        if isinstance(metric, HasRemarks)
        for remark in metric.remarks(table)
    )


def write_results(rows: Sequence[Row], path: Path) -> None:
    """Write results.csv atomically: percent with three decimals, empty if undefined."""
    frame = pl.DataFrame([asdict(row) for row in rows]).with_columns(
        pl.col("value", "low", "high").fill_nan(None).round(3)
    )
    write_atomically(path, csv_bytes(frame))


def row_of(
    plan: Plan,
    model: OpenedModel,
    setting: Setting | None,
    *,
    measure: str,
    metric: str,
    part: str,
    estimate: Estimate,
) -> Row:
    """Return one score of one model under one setting as a row."""
    return Row(
        model=model.name,
        data=plan.dataset.name,
        attack="clean" if setting is None else setting.label,
        eps="0/255" if setting is None else setting.budget,
        steps=0 if setting is None else setting.gradients,
        objective="" if setting is None else setting.objective,
        rounded=setting is None or setting.round_to_8bit,
        measure=measure,
        metric=metric,
        part=part,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
    )


def _rows(
    plan: Plan, model: OpenedModel, setting: Setting | None, scores: dict[str, dict[str, Estimate]]
) -> list[Row]:
    metric = metric_of(plan)
    return [
        row_of(
            plan,
            model,
            setting,
            measure=measure,
            metric=metric.against_target().name if measure == "target" else metric.name,
            part=part,
            estimate=estimate,
        )
        for measure, by_part in scores.items()
        for part, estimate in by_part.items()
        if part == ALL or estimate.n > 0
    ]


def _attacked(metric: Metric, clean: Table, before: Scores, attacked: Table) -> dict[str, dict[str, Estimate]]:
    both, after = pair(clean, attacked)
    if both.ids != clean.ids:
        before = scores_of(metric, both)
    alone = scores_of(metric, attacked)
    paired = alone if after.ids == attacked.ids else scores_of(metric, after)
    return {"attacked": with_intervals(alone), "relative": relative_scores(before, paired)}


def _beside(
    plan: Plan,
    model: OpenedModel,
    setting: Setting | None,
    metric: Metric,
    scores: dict[str, dict[str, Estimate]],
) -> list[Row]:
    return [
        row_of(plan, model, setting, measure=measure, metric=number_name(metric, number), part=ALL, estimate=each)
        for measure, by_number in scores.items()
        for number, each in by_number.items()
    ]


def _is_of(number: str, metric: Metric) -> bool:
    return number in (metric.name, f"mean {metric.name}") or number.startswith(f"{metric.name} ")
