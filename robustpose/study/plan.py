"""From a study to its cells: which models, data, settings and blocks of people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from robustpose.data import open_dataset
from robustpose.errors import RobustPoseError
from robustpose.metrics import METRICS, Pck
from robustpose.models import OpenedModel, open_model
from robustpose.skeletons import Skeleton
from robustpose.study.cell import Cell, Setting
from robustpose.types import PoseDataset

PEOPLE_PER_CELL = 25


@dataclass(frozen=True)
class Study:
    """What to compute: every model under every setting on the first n people (None: all) of a data set.

    models, data  as on the command line: 'shg2', 'tflite:PATH'; 'synthpose', 'coco:PATH'
    card, images  the card of imported nets and the photo folder, where they are not found by themselves
    min_keypoints, min_box  of people in photos, who takes part: labelled keypoints, longer side in photo pixels
    keep_images   how many people keep their adversarial pictures, for the report
    """

    name: str
    title: str
    models: tuple[str, ...]
    data: str
    settings: tuple[Setting, ...]
    n: int | None
    seed: int = 0
    card: str = ""
    images: str = ""
    min_keypoints: int = 0
    min_box: float = 0
    keep_images: int = 6


@dataclass(frozen=True)
class Plan:
    """A study with its models and data opened, ready to run."""

    study: Study
    models: tuple[OpenedModel, ...]
    dataset: PoseDataset
    metric: str

    @property
    def n(self) -> int:
        """People that take part: the study's number, or all there are."""
        return len(self.dataset) if self.study.n is None else min(self.study.n, len(self.dataset))

    @cached_property
    def joints(self) -> frozenset[str]:
        """The keypoints that the data and every net have: all nets of a study are scored on the same ones."""
        names = set(self.dataset.skeleton.keypoints)
        return frozenset(names.intersection(*(model.net.skeleton.keypoints for model in self.models)))

    @property
    def _blocks(self) -> list[range]:
        starts = range(0, self.n, PEOPLE_PER_CELL)
        return [range(start, min(start + PEOPLE_PER_CELL, self.n)) for start in starts]

    @cached_property
    def _photos(self) -> dict[range, str]:
        return {rows: self.dataset.content(rows) for rows in (*self._blocks, range(self.n))}

    def cells(self, model: OpenedModel, setting: Setting | None) -> tuple[Cell, ...]:
        """Cut one model under one setting (None: clean) into blocks of people."""
        targeted = setting is not None and setting.targeted
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
                metric=self.metric if targeted else "",
                keep_images=self.study.keep_images if rows.start == 0 else 0,
                seed=0 if setting is None else self.study.seed,
            )
            for rows in self._blocks
        )

    def all_cells(self) -> tuple[Cell, ...]:
        """Every cell of the study, the clean ones first."""
        return tuple(
            cell
            for setting in (None, *self.study.settings)
            for model in self.models
            for cell in self.cells(model, setting)
        )


def make_plan(
    study: Study, *, models: Sequence[OpenedModel], dataset: PoseDataset, metric: str | None = None
) -> Plan:
    """Check that a study can be run and choose its metric; RobustPoseError where nothing can be scored."""
    if study.n is not None and study.n < 1:
        raise RobustPoseError(f"--n must be at least 1, got {study.n}")
    if len(dataset) == 0:
        raise RobustPoseError(f"{dataset.name} holds no person")
    fingerprints = [model.fingerprint for model in models]
    if len(set(fingerprints)) < len(fingerprints):
        raise RobustPoseError("the same model is named twice")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise RobustPoseError(f"two models share a name, so no table could tell them apart: {', '.join(names)}")
    for model in models:
        if not any(_shared(model.net.skeleton, dataset.skeleton)):
            raise RobustPoseError(
                f"{model.name} ({model.net.skeleton.name}) and {dataset.name} ({dataset.skeleton.name}) "
                "share no keypoint that counts"
            )
    return Plan(
        study=study, models=tuple(models), dataset=dataset, metric=metric or choose_metric(models, dataset)
    )


def open_plan(study: Study) -> Plan:
    """Open a study's models and data; RobustPoseError where something cannot be opened or scored."""
    card = Path(study.card) if study.card else None
    if card is not None and not any(spec.startswith("tflite:") for spec in study.models):
        raise RobustPoseError("a card describes a net that others trained (tflite:PATH); none is among the models")
    models = [open_model(spec, card=card if spec.startswith("tflite:") else None) for spec in study.models]
    dataset = open_dataset(
        study.data,
        images=Path(study.images) if study.images else None,
        min_keypoints=study.min_keypoints,
        min_box=study.min_box,
    )
    return make_plan(study, models=models, dataset=dataset)


def choose_metric(models: Sequence[OpenedModel], dataset: PoseDataset) -> str:
    """Choose 'pckh' where the data has head sizes and every net has every joint that counts, else 'pck'."""
    complete = all(all(_shared(model.net.skeleton, dataset.skeleton)) for model in models)
    if not complete:
        return "pck"
    return "pckh" if dataset.has_head_sizes else "pck"


def metric_of(plan: Plan) -> Pck:
    """Return the plan's metric, against the truth."""
    return METRICS[plan.metric]


def fingerprints(plan: Plan) -> tuple[Mapping[str, OpenedModel], Mapping[str, PoseDataset]]:
    """Return models and data sets by the fingerprints that cells name."""
    return {model.fingerprint: model for model in plan.models}, {plan.dataset.fingerprint: plan.dataset}


def _shared(model: Skeleton, data: Skeleton) -> list[bool]:
    """Say of each of the data's counted keypoints whether the model has it."""
    rows = data.rows_in(model)
    return [row is not None for row, counted in zip(rows, data.counted, strict=True) if counted]
