"""The input of findings: stored predictions of a plan's models, by model and view."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job
from robustpose.jobs.results import CellResult, Floats, Pictures
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.task import TaskResult
from robustpose.metrics import KeypointMetric, Table, join, main_metric
from robustpose.study.definition import Learn, On, View
from robustpose.study.plan import Plan, choose_metric

T = TypeVar("T", bound=np.generic)


class Ask(Protocol):
    """A request of a finding, answered by the results of jobs."""

    def jobs(self, plan: Plan, /) -> Sequence[Job[Any]]:
        """Return the jobs of a plan that it needs."""
        ...


@dataclass(frozen=True)
class ModelAsk:
    """One model under a view."""

    model: str
    view: View

    def jobs(self, plan: Plan, /) -> Sequence[Job[Any]]:
        """Return the cells of the model under the view."""
        return plan.seen_cells(self.model, self.view)


@dataclass(frozen=True)
class TaskAsk:
    """One model of another task, clean (None) or under an attack."""

    task: str
    setting: Setting | None

    def jobs(self, plan: Plan, /) -> Sequence[Job[Any]]:
        """Return the task's cells."""
        return plan.task_cells(self.task, self.setting)


@dataclass(frozen=True)
class UniversalAsk:
    """A universal perturbation itself."""

    model: str
    learn: Learn

    def jobs(self, plan: Plan, /) -> Sequence[Job[Any]]:
        """Return the job that learns it."""
        return [plan.universal_cell(self.model, self.learn)]


def cells_of(plan: Plan, asks: Sequence[Ask]) -> list[Job[Any]]:
    """Return the jobs that the requests need."""
    return [job for ask in asks for job in ask.jobs(plan)]


@dataclass(frozen=True)
class Evidence:
    """The results of a plan in a store; RobustPoseError if a cell has not been computed."""

    plan: Plan
    store: Store
    _results: dict[tuple[str, View], CellResult] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the study's models, in its order."""
        return tuple(model.name for model in self.plan.models)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the study's models of other tasks."""
        return tuple(task.name for task in self.plan.tasks)

    @property
    def metric(self) -> KeypointMetric:
        """The study's metric, against the ground truth."""
        return main_metric(self.plan.metric)

    def metric_on(self, on: On) -> KeypointMetric:
        """Return the metric for the people of a view; not all data sets have head sizes."""
        return main_metric(choose_metric(self.plan.models, self.plan.dataset_of(on)))

    def table(self, model: str, view: View) -> Table:
        """Return a model's predictions, over the joints that all models of the study share."""
        return self._answer(model, view).table.over(self.plan.joints)

    def signals(self, model: str, view: View) -> dict[str, Floats]:
        """Return a model's further outputs, (N, K) each: see jobs/signals.py."""
        return dict(self._answer(model, view).signals)

    def pictures(self, model: str, view: View) -> Pictures:
        """Return the input images of the first people, as many as the view stores."""
        if not (view.is_plain and view.pictures):
            raise ValueError("images are stored for plain views that request them only")
        cells = [c for c in self.plan.seen_cells(model, view) if c.keep_images]
        for cell in cells:
            if cell not in self.store:
                raise RobustPoseError(f"{cell.title}: not computed, or too few images are stored")
        every = [self.store.pictures(cell) for cell in cells]
        kept = [each for each in every if len(each.clean)]
        if not kept:
            raise RobustPoseError("no images are stored: none of the photos could be read")
        return Pictures(
            clean=np.concatenate([each.clean for each in kept])[: view.pictures],
            adversarial=np.concatenate([each.adversarial for each in kept])[: view.pictures],
        )

    def universal(self, model: str, learn: Learn) -> NDArray[np.float32]:
        """Return a universal perturbation (3, H, W) in [0, 1] units."""
        return self.store.read(self.plan.universal_cell(model, learn)).perturbation

    def task(self, task: str, setting: Setting | None) -> TaskResult:
        """Return the results of a model of another task."""
        found = [self.store.read(cell) for cell in self.plan.task_cells(task, setting)]
        return TaskResult(
            ids=tuple(name for each in found for name in each.ids),
            correct=_stacked(each.correct for each in found),
            intersections=_stacked(each.intersections for each in found),
            unions=_stacked(each.unions for each in found),
            forwards=sum(each.forwards for each in found),
            backwards=sum(each.backwards for each in found),
        )

    def _answer(self, model: str, view: View) -> CellResult:
        if (model, view) not in self._results:
            found = [self.store.read(cell) for cell in self.plan.seen_cells(model, view)]
            people = [each for each in found if len(each.table)]
            if not people:
                raise RobustPoseError("none of the photos could be read")
            self._results[model, view] = CellResult(
                table=join([each.table for each in people]),
                signals={
                    name: np.concatenate([each.signals[name] for each in people]) for name in people[0].signals
                },
                forwards=sum(each.forwards for each in found),
                backwards=sum(each.backwards for each in found),
                unreadable=tuple(line for each in found for line in each.unreadable),
            )
        return self._results[model, view]


def _stacked(arrays: Iterable[NDArray[T] | None]) -> NDArray[T] | None:
    there = [array for array in arrays if array is not None]
    return np.concatenate(there) if there else None
