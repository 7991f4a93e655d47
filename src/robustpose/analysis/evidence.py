"""What findings are made of: the stored answers of a plan's models, asked for by what the models were shown."""

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
from robustpose.metrics import Pck, Table, join, main_metric
from robustpose.study.plan import Plan, choose_metric
from robustpose.study.view import Learn, On, View

T = TypeVar("T", bound=np.generic)


class Ask(Protocol):
    """What a finding wants to know; the jobs whose results say it."""

    def jobs(self, plan: Plan, /) -> Sequence[Job[Any]]:
        """Return the jobs of a plan that answer it."""
        ...


@dataclass(frozen=True)
class ModelAsk:
    """One model shown what a view says."""

    model: str
    view: View

    def jobs(self, plan: Plan, /) -> Sequence[Job[Any]]:
        """Return the model's cells of these people."""
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
    """Return the jobs that answer what is asked."""
    return [job for ask in asks for job in ask.jobs(plan)]


@dataclass(frozen=True)
class Evidence:
    """The answers that a store holds for a plan; RobustPoseError where a cell has not been computed."""

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
    def metric(self) -> Pck:
        """The study's metric, against the truth."""
        return main_metric(self.plan.metric)

    def metric_on(self, on: On) -> Pck:
        """Return the metric that suits the people that a view says: head sizes are not everywhere."""
        return main_metric(choose_metric(self.plan.models, self.plan.dataset_of(on)))

    def table(self, model: str, view: View) -> Table:
        """Return what a model answered, over the joints that all models of the study share."""
        return self._answer(model, view).table.over(self.plan.joints)

    def signals(self, model: str, view: View) -> dict[str, Floats]:
        """Return what its output said beside the keypoints, (N, K) each: see jobs/signals.py."""
        return dict(self._answer(model, view).signals)

    def pictures(self, model: str, view: View) -> Pictures:
        """Return the pictures that the model saw, of the first people, as many as the view keeps."""
        if not (view.is_plain and view.pictures):
            raise ValueError("pictures are kept of plain views that ask for them")
        cells = [c for c in self.plan.seen_cells(model, view) if c.keep_images]
        for cell in cells:
            if cell not in self.store:
                raise RobustPoseError(f"{cell.title}: not computed, or with too few pictures kept")
        every = [self.store.pictures(cell) for cell in cells]
        kept = [each for each in every if len(each.clean)]
        if not kept:
            raise RobustPoseError("no pictures are kept: none of the photos could be read")
        return Pictures(
            clean=np.concatenate([each.clean for each in kept])[: view.pictures],
            adversarial=np.concatenate([each.adversarial for each in kept])[: view.pictures],
        )

    def universal(self, model: str, learn: Learn) -> NDArray[np.float32]:
        """Return a universal perturbation (3, H, W) in [0, 1] units."""
        return self.store.read(self.plan.universal_cell(model, learn)).perturbation

    def task(self, task: str, setting: Setting | None) -> TaskResult:
        """Return what a model of another task answered."""
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
