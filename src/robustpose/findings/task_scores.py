"""Scores of other tasks as samples that can be compared with those of pose models on the same people.

accuracy  share of people with the correct class; mean IoU: see metrics.tasks
"""

import numpy as np

from robustpose.analysis.evidence import Evidence
from robustpose.findings.statistics import Sample, ratio, redraws
from robustpose.findings.sweeps import model_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.task import TaskResult
from robustpose.metrics.table import Floats
from robustpose.study import described
from robustpose.study.plan import Plan
from robustpose.types import HasTaskLabels

TASK_SCORES = {"action": "accuracy", "parts": "mean IoU"}


def tasks_of(plan: Plan) -> dict[str, str]:
    """Return the models of other tasks, {'action': ..., 'parts': ...}; none if the data lack their labels."""
    if not isinstance(plan.dataset, HasTaskLabels):
        return {}
    names = [task.name for task in plan.tasks]
    return {design: name for design in TASK_SCORES if (name := model_of(names, design)) is not None}


def slot_of_task(evidence: Evidence, task: str) -> int:
    """Return the slot of a model of another task, after those of the pose models."""
    return len(evidence.models) + evidence.tasks.index(task)


def classes_of(evidence: Evidence, task: str) -> int:
    """Count a model's classes."""
    return described.classes_of({each.name: each for each in evidence.plan.tasks}[task].module)


def task_score(evidence: Evidence, task: str, setting: Setting | None) -> Sample:
    """Score a model of another task: accuracy or mean IoU, in %."""
    return scored_task(evidence.task(task, setting))


def task_relative(evidence: Evidence, task: str, setting: Setting) -> Sample:
    """Score relative to the clean score: 100 x attacked / clean."""
    return ratio(task_score(evidence, task, setting), task_score(evidence, task, None))


def scored_task(result: TaskResult) -> Sample:
    """Score predictions in %: the accuracy of classifiers, the mean IoU over classes of segmentation models."""
    weights = redraws(len(result.ids), seed=0)
    everyone = np.ones(len(result.ids))
    if result.correct is not None:
        correct = result.correct.astype(float)
        return Sample(
            value=np.asarray(100.0 * correct.mean()),
            draws=100.0 * (weights @ correct) / len(correct),
            n=len(correct),
            right=int(result.correct.sum()),
        )
    return Sample(
        value=_mean_over_classes(_iou(result, everyone)),
        draws=_mean_over_classes(_iou(result, weights)),
        n=len(result.ids),
    )


def scored_parts(result: TaskResult) -> list[Sample]:
    """Return a segmentation model's IoU of each class, in %."""
    value = _iou(result, np.ones(len(result.ids)))
    draws = _iou(result, redraws(len(result.ids), seed=0))
    return [Sample(value[part], draws[:, part], len(result.ids)) for part in range(len(value))]


def _iou(result: TaskResult, weights: Floats) -> Floats:
    """Return each class's IoU (..., C) in %, each person weights (..., N) times; NaN for an absent class."""
    assert result.intersections is not None and result.unions is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        each: Floats = 100.0 * (weights @ result.intersections) / (weights @ result.unions)
    return each


def _mean_over_classes(iou: Floats) -> Floats:
    there = np.isfinite(iou)
    with np.errstate(invalid="ignore"):
        average: Floats = np.asarray(np.where(there, iou, 0.0).sum(axis=-1) / there.sum(axis=-1))
    return average
