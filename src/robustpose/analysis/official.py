"""COCO's official scores of a study on people with areas, beside its own metric; metrics/ap.py has the protocol.

They are over the keypoints that the data and every net of the study share, as all scores of a study are: only with
all 17 of them are they the numbers that COCO's own tool would give.
"""

from robustpose.analysis.scores import Row, outcome, result_rows, row_of
from robustpose.data.people import PhotoPeople
from robustpose.jobs.store import Store
from robustpose.metrics import (
    ALL,
    CocoScores,
    Estimate,
    Table,
    coco_scores,
    detected_scores,
    has_areas,
    is_ranked,
    pair,
    relative_scores,
    with_intervals,
)
from robustpose.study.plan import Plan


def official_name(score: str) -> str:
    """Return what results.csv calls a score: OKS AP, OKS AR(L), mean OKS."""
    return "mean OKS" if score == "mean" else f"OKS {score}"


def has_official(plan: Plan, table: Table) -> bool:
    """Say whether COCO's scores are defined for a plan's data."""
    return has_detections(plan) or has_areas(table)


def has_detections(plan: Plan) -> bool:
    """Say whether the boxes are a detector's."""
    return isinstance(plan.dataset, PhotoPeople) and plan.dataset.detected is not None


def official_estimates(plan: Plan, clean: Table, attacked: Table) -> dict[str, dict[str, Estimate]]:
    """Score an attack: {'clean' | 'attacked' | 'relative': {score: estimate}}; empty where nobody has an area."""
    if not has_official(plan, clean):
        return {}
    before = _scores(plan, clean)
    return {"clean": with_intervals(before), **_estimates(plan, clean, before, attacked)}


def _scores(plan: Plan, table: Table) -> CocoScores:
    """Score a table by the protocol of the plan's boxes: true ones, or a detector's."""
    if isinstance(plan.dataset, PhotoPeople) and plan.dataset.detected is not None:
        return detected_scores(table, plan.dataset.detected, joints=plan.joints)
    return coco_scores(table)


def official_rows(plan: Plan, store: Store) -> list[Row]:
    """Score every cell of a plan; no rows where nobody has an area."""
    rows: list[Row] = []
    for model in plan.models:
        clean = outcome(plan, store, model, None).table
        if not has_official(plan, clean):
            return []
        before = _scores(plan, clean)
        rows += [
            row_of(plan, model, None, measure="clean", metric=official_name(score), part=ALL, estimate=estimate)
            for score, estimate in with_intervals(before).items()
        ]
        for setting in plan.study.settings:
            attacked = outcome(plan, store, model, setting).table
            rows += [
                row_of(plan, model, setting, measure=measure, metric=official_name(score), part=ALL, estimate=each)
                for measure, by_score in _estimates(plan, clean, before, attacked).items()
                for score, each in by_score.items()
            ]
    return rows


def all_rows(plan: Plan, store: Store) -> list[Row]:
    """Score every cell of a plan by its metric, and officially where people have areas."""
    return [*result_rows(plan, store), *official_rows(plan, store)]


def unranked(plan: Plan, store: Store) -> tuple[str, ...]:
    """Name the nets whose scores put their answers in no order, where official scores are given."""
    tables = {model.name: outcome(plan, store, model, None).table for model in plan.models}
    return tuple(name for name, table in tables.items() if has_official(plan, table) and not is_ranked(table))


def _estimates(plan: Plan, clean: Table, before: CocoScores, attacked: Table) -> dict[str, dict[str, Estimate]]:
    both, after = pair(clean, attacked)
    if both.ids != clean.ids:
        before = _scores(plan, both)
    alone = _scores(plan, attacked)
    paired = alone if after.ids == attacked.ids else _scores(plan, after)
    return {"attacked": with_intervals(alone), "relative": relative_scores(before, paired)}
