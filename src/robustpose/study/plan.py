"""Turns a study into jobs: opens its models and data, and divides its people into blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from robustpose.data import open_dataset
from robustpose.defences import open_defended, spec_is_for
from robustpose.errors import RobustPoseError
from robustpose.fields import MOST
from robustpose.jobs.attack import Cell
from robustpose.jobs.run import OnProgress, run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.task import TaskCell
from robustpose.jobs.transfer import Replay
from robustpose.jobs.universal import UniversalCell
from robustpose.jobs.workbench import Workbench
from robustpose.metrics import KeypointMetric, main_metric
from robustpose.models import OpenedModel, OpenedTask, open_task
from robustpose.objectives import OBJECTIVES
from robustpose.skeletons import Skeleton
from robustpose.study.definition import Learn, On, Study, View
from robustpose.types import HasTaskLabels, PoseDataset


@dataclass(frozen=True)
class Plan:
    """A study with its models and data opened, ready to run."""

    study: Study
    models: tuple[OpenedModel, ...]
    dataset: PoseDataset
    metric: str
    tasks: tuple[OpenedTask, ...] = ()
    training: PoseDataset | None = None
    other: PoseDataset | None = None

    @property
    def n(self) -> int:
        """Number of people: the study's, or all of the data set."""
        return len(self.dataset) if self.study.n is None else min(self.study.n, len(self.dataset))

    @cached_property
    def joints(self) -> frozenset[str]:
        """The keypoints shared by the data and all models; all models of a study are scored on them."""
        names = set(self.dataset.skeleton.keypoints)
        return frozenset(names.intersection(*(model.module.skeleton.keypoints for model in self.models)))

    def dataset_of(self, on: On) -> PoseDataset:
        """Return the data set of a view; ValueError if the study has none."""
        dataset = {"validation": self.dataset, "training": self.training, "other": self.other}[on]
        if dataset is None:
            raise ValueError(f"the study has no {on} data set to show")
        return dataset

    def named(self, model: str) -> OpenedModel:
        """Return a model of the study by name; KeyError if there is none."""
        return {each.name: each for each in self.models}[model]

    @property
    def _blocks(self) -> list[range]:
        return blocks(self.n, per_cell=self.study.per_cell)

    @cached_property
    def _photos(self) -> dict[range, str]:
        return {rows: self.dataset.content(rows) for rows in (*self._blocks, range(self.n))}

    def cells(self, model: OpenedModel, setting: Setting | None) -> tuple[Cell, ...]:
        """Return the cells of one model under one setting (None: clean), one per block of people."""
        targeted = setting is not None and setting.targeted
        own = setting is not None and setting.spec.objective is None
        asks = own or (setting is not None and OBJECTIVES[setting.objective].needs_radius)
        measured = targeted or asks
        return tuple(
            Cell(
                model=model.name,
                model_fingerprint=model.fingerprint,
                data=self.dataset.name,
                data_fingerprint=self.dataset.fingerprint,
                start=rows.start,
                stop=rows.stop,
                photos=self._photos[rows] + (self._photos[range(self.n)] if targeted else ""),
                setting=setting,
                pool=self.n if targeted else 0,
                metric=self.metric if measured else "",
                keep_images=max(0, min(self.study.keep_images, rows.stop) - rows.start),
                seed=0 if setting is None else self.study.seed,
            )
            for rows in self._blocks
        )

    def seen_cells(self, model: str, view: View) -> tuple[Cell | Replay, ...]:
        """Return the cells of one model under a view, one per block of people."""
        opened = self.named(model)
        people = self._people(opened, view.on)
        if view.is_plain:
            if view.on != "validation":
                return tuple(people)
            cells = self.cells(opened, view.setting)
            if not view.pictures:
                return cells
            return tuple(
                replace(cell, keep_images=max(cell.keep_images, min(view.pictures, cell.stop) - cell.start, 0))
                for cell in cells
            )
        return tuple(
            Replay(people=each, source=self._source(opened, view, block), change=view.change)
            for block, each in enumerate(people)
        )

    def universal_cell(self, model: str, learn: Learn) -> UniversalCell:
        """Return the cell that learns a model's universal perturbation; ValueError without a training set."""
        if self.training is None:
            raise ValueError("the study has no training set to learn universal perturbations on")
        opened, grid = self.named(model), self.study.grid
        there = min(grid.universal_people, len(self.training))
        people = min(there, max(grid.universal_batch, round(learn.share * there)))
        return UniversalCell(
            model=opened.name,
            model_fingerprint=opened.fingerprint,
            data=self.training.name,
            data_fingerprint=self.training.fingerprint,
            start=0,
            stop=people,
            eps=learn.eps,
            samples=grid.universal_samples,
            batch=grid.universal_batch,
            objective=learn.objective,
            photos=self.training.content(range(people)),
            seed=self.study.seed,
        )

    def task_cells(self, task: str, setting: Setting | None) -> tuple[TaskCell, ...]:
        """Return the cells of a model of another task under one setting (None: clean), one per block of people."""
        model = {each.name: each for each in self.tasks}[task]
        return tuple(
            TaskCell(
                task=model.name,
                fingerprint=model.fingerprint,
                data=self.dataset.name,
                data_fingerprint=self.dataset.fingerprint,
                start=rows.start,
                stop=rows.stop,
                setting=setting,
                seed=0 if setting is None else self.study.seed,
            )
            for rows in self._blocks
        )

    def _people(self, model: OpenedModel, on: On) -> list[Cell]:
        """Return a model's clean cells of the people of a view."""
        if on == "validation":
            return list(self.cells(model, None))
        dataset = self.dataset_of(on)
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
            for rows in blocks(min(self.n, len(dataset)), per_cell=self.study.per_cell)
        ]

    def _source(self, model: OpenedModel, view: View, block: int) -> Cell | UniversalCell | None:
        maker = view.source or model.name
        if view.universal is not None:
            return self.universal_cell(maker, view.universal)
        if view.setting is None:
            return None
        cell = self.cells(self.named(maker), view.setting)[block]
        return replace(cell, keep_images=cell.stop - cell.start)

    def all_cells(self) -> tuple[Cell, ...]:
        """All cells of the study, the clean ones first."""
        return tuple(
            cell
            for setting in (None, *self.study.settings)
            for model in self.models
            for cell in self.cells(model, setting)
        )


def make_plan(
    study: Study, *, models: Sequence[OpenedModel], dataset: PoseDataset, metric: str | None = None
) -> Plan:
    """Check that a study can be run and choose its metric; RobustPoseError if nothing can be scored."""
    if study.n is not None and study.n < 1:
        raise RobustPoseError(f"--n must be at least 1, got {study.n}")
    if not 0 <= study.seed <= MOST:
        raise RobustPoseError(f"a seed must be 0 to 2^62, got {str(study.seed)[:40]}")
    if study.per_cell < 1:
        raise RobustPoseError(f"--people-per-cell must be at least 1, got {study.per_cell}")
    if len(dataset) == 0:
        raise RobustPoseError(f"{dataset.name} contains no person")
    fingerprints = [model.fingerprint for model in models]
    if len(set(fingerprints)) < len(fingerprints):
        raise RobustPoseError("the same model is named twice")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise RobustPoseError(f"model names must be unique in a study, got {', '.join(names)}")
    for model in models:
        if not any(_shared(model.module.skeleton, dataset.skeleton)):
            raise RobustPoseError(
                f"{model.name} ({model.module.skeleton.name}) and {dataset.name} ({dataset.skeleton.name}) "
                "share no counted keypoint"
            )
    if study.metric:
        _check_metric(study.metric, dataset)
    chosen = metric or study.metric or choose_metric(models, dataset)
    return Plan(study=study, models=tuple(models), dataset=dataset, metric=chosen)


def open_plan(study: Study, *, models: Sequence[OpenedModel] = (), tasks: Sequence[OpenedTask] = ()) -> Plan:
    """Open a study's models and data; RobustPoseError if something cannot be opened or scored.

    `models` and `tasks` are those of the study, if they are already open.
    """
    models = models or open_models(study)
    dataset = open_dataset(
        study.data,
        images=Path(study.images) if study.images else None,
        min_keypoints=study.min_keypoints,
        min_box=study.min_box,
        detections=Path(study.detections) if study.detections else None,
    )
    plan = make_plan(study, models=models, dataset=dataset)
    labelled = isinstance(dataset, HasTaskLabels)
    return replace(
        plan,
        tasks=(tuple(tasks) or tuple(open_task(spec) for spec in study.tasks)) if labelled else (),
        training=_second(study, study.training),
        other=_second(study, study.other),
    )


def open_models(study: Study, models: Sequence[str | OpenedModel] = ()) -> list[OpenedModel]:
    """Open a study's models in order; `models` may contain opened ones. RobustPoseError if one cannot be."""
    given = Path(study.spec) if study.spec else None
    if given is not None and not any(map(spec_is_for, study.models)):
        raise RobustPoseError("--spec needs a third-party model such as onnx:PATH; none of the models is one")
    return [
        open_defended(each, spec=given if spec_is_for(each) else None) if isinstance(each, str) else each
        for each in models or study.models
    ]


def _second(study: Study, spec: str) -> PoseDataset | None:
    """Open another data set of a study; if it is of the same kind, its photos are in the same folder."""
    if not spec:
        return None
    same = spec.partition(":")[0] == study.data.partition(":")[0]
    return open_dataset(spec, images=Path(study.images) if study.images and same else None)


def _check_metric(name: str, dataset: PoseDataset) -> None:
    lacking = main_metric(name).lacks(dataset)
    if lacking:
        raise RobustPoseError(f"--metric {name}: {dataset.name} has no {lacking}; omit --metric, or use pck")


def choose_metric(models: Sequence[OpenedModel], dataset: PoseDataset) -> str:
    """Choose 'pckh' if the data have head sizes and every model has every scored joint, else 'pck'."""
    complete = all(all(_shared(model.module.skeleton, dataset.skeleton)) for model in models)
    if not complete:
        return "pck"
    return "pckh" if dataset.has_head_sizes else "pck"


def metric_of(plan: Plan) -> KeypointMetric:
    """Return the plan's metric, against the ground truth."""
    return main_metric(plan.metric)


def workbench(plan: Plan) -> Workbench:
    """Return the plan's models and data sets, by the fingerprints in cells."""
    datasets = [each for each in (plan.training, plan.other, plan.dataset) if each is not None]
    return Workbench(
        models={model.fingerprint: model for model in plan.models},
        datasets={dataset.fingerprint: dataset for dataset in datasets},
        tasks={task.fingerprint: task for task in plan.tasks},
    )


def run_cells(
    plan: Plan, store: Store, *, device: str = "cpu", on_progress: OnProgress = lambda progress: None
) -> int:
    """Compute the cells of a plan that are missing in the store; return how many were computed."""
    return run_all(plan.all_cells(), workbench(plan).on(device), store, on_progress=on_progress)


def blocks(n: int, *, per_cell: int) -> list[range]:
    """Split n people into blocks, one per cell."""
    return [range(start, min(start + per_cell, n)) for start in range(0, n, per_cell)]


def _shared(model: Skeleton, data: Skeleton) -> list[bool]:
    """Return, for each scored keypoint of the data, whether the model has it."""
    rows = data.rows_in(model)
    return [row is not None for row, counted in zip(rows, data.counted, strict=True) if counted]
