"""Stores of hand-made answers: of each model and setting, how many of 40 people are right, so scores are known."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from robustpose.analysis.evidence import Ask, Evidence, cells_of
from robustpose.jobs.attack import Cell
from robustpose.jobs.results import CellResult
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.task import TaskCell, TaskResult
from robustpose.metrics import Table
from robustpose.models import OpenedModel, OpenedTask
from robustpose.study.definition import Grid
from robustpose.study.plan import Plan
from tests.conftest import TRIO, LinearPose, TinyHeatmaps
from tests.study import study_fakes

PEOPLE = 40
EPS = (1 / 255, 8 / 255, 16 / 255)
GRID = Grid(eps=EPS, targeted_eps=EPS, walk=(1, 5, 20), long=100)

Right = Callable[[str, Setting | None], int]
"""Of a model under a setting: how many people are right (targeted: how many see the target)."""


class OneStage(TinyHeatmaps):
    """A heatmap model whose last stage is its only one."""

    def forward(self, images):  # type: ignore[no-untyped-def]
        output = super().forward(images)
        return replace(output, stages=output.stages[-1:])


def model(name: str, kind: type[nn.Module]) -> OpenedModel:
    return OpenedModel(name=name, module=kind().eval(), fingerprint=name)  # type: ignore[arg-type]


def regression(name: str) -> OpenedModel:
    return model(name, LinearPose)


def heatmaps(name: str) -> OpenedModel:
    return model(name, OneStage)


def staged(name: str) -> OpenedModel:
    return model(name, TinyHeatmaps)


def hand_plan(*models: OpenedModel, tasks: tuple[OpenedTask, ...] = (), labelled: bool = False) -> Plan:
    people = study_fakes.Flags(people=PEOPLE) if labelled else study_fakes.NoisePeople(people=PEOPLE)
    plan = study_fakes.plan(n=PEOPLE, people=people, models=models, tasks=tasks)
    return replace(plan, study=replace(plan.study, grid=GRID))


def evidence_of(plan: Plan, asks: Sequence[Ask], folder: Path, right: Right) -> Evidence:
    """Store answers for what is asked, and for nothing else."""
    store = Store(folder)
    for cell in cells_of(plan, asks):
        rows = np.arange(cell.start, cell.stop)
        if isinstance(cell, Cell):
            targeted = cell.setting is not None and cell.setting.targeted
            store.put(cell, CellResult(table(rows, right(cell.model, cell.setting), targeted=targeted)))
        elif isinstance(cell, TaskCell):
            store.put(cell, answers(cell.task, rows, right(cell.task, cell.setting)))
    return Evidence(plan, store)


def table(rows: np.ndarray, right: int, *, targeted: bool = False) -> Table:
    """The first `right` of all people answer (0, 0) for every keypoint; the others answer (90, 90)."""
    n = len(rows)
    predicted = np.full((n, 3, 2), 90.0)
    predicted[rows < right] = 0.0
    true = np.full((n, 3, 2), 50.0) if targeted else np.zeros((n, 3, 2))
    return Table(
        ids=tuple(f"p{row}" for row in rows),
        skeleton=TRIO,
        predicted=predicted,
        keypoints=true,
        visible=np.ones((n, 3), bool),
        head_size=np.full(n, 2.0),
        box_side=np.full(n, 10.0),
        target=np.zeros((n, 3, 2)) if targeted else None,
        target_visible=np.ones((n, 3), bool) if targeted else None,
    )


def answers(task: str, rows: np.ndarray, right: int) -> TaskResult:
    """Classifiers: the first `right` are right. Segmenters, two parts: those overlap, others do not."""
    hit = rows < right
    ids = tuple(f"p{row}" for row in rows)
    if task.startswith("action"):
        return TaskResult(ids=ids, correct=hit)
    shared = np.repeat(hit[:, None] * 10.0, 2, axis=1)
    return TaskResult(ids=ids, intersections=shared, unions=np.full((len(rows), 2), 10.0))
