"""Models of other tasks under a study's attacks; the attacks need only a per-image loss, so they do not change."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustpose import attacks
from robustpose.attack_types import Loss
from robustpose.data.augment import PADDING
from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import Arrays, Floats, check_array, count_of, ids_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.workbench import Workbench, input_size_of
from robustpose.metrics import overlaps
from robustpose.models.architectures.tasks import task_loss
from robustpose.models.untouched import untouched
from robustpose.threats import make_threat
from robustpose.types import HasTaskLabels

VERSION = 1
"""Must be increased when reading labels or scoring predictions changes."""


@dataclass(frozen=True)
class TaskResult:
    """The scored predictions of a model of another task.

    correct        (N,) for classifiers: whether the class is correct; None for segmentation
    intersections  (N, C) for segmentation: pixels in both the predicted and the true region of each class
    unions         (N, C) for segmentation: pixels in either region
    """

    ids: tuple[str, ...]
    correct: NDArray[np.bool_] | None = None
    intersections: Floats | None = None
    unions: Floats | None = None
    forwards: int = 0
    backwards: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def asked(self) -> int:
        """Number of people that were to be predicted."""
        return len(self)

    def to_arrays(self) -> tuple[dict[str, object], Arrays]:
        """Return metadata for JSON, and arrays."""
        named = {"correct": self.correct, "intersections": self.intersections, "unions": self.unions}
        arrays: Arrays = {name: values for name, values in named.items() if values is not None}
        return {"ids": self.ids, "forwards": self.forwards, "backwards": self.backwards}, arrays

    @classmethod
    def from_arrays(cls, about: dict[str, Any], arrays: Arrays) -> "TaskResult":
        """Restore a result; KeyError, TypeError or ValueError if it is not one."""
        ids = ids_of(about)
        known = {name: arrays.get(name) for name in ("correct", "intersections", "unions")}
        for name, values in known.items():
            if values is not None:
                one = name == "correct"
                shape = (len(ids),) if one else (len(ids), -1)
                check_array(values, name, shape=shape, kinds="b" if one else "iuf")
        if {*arrays} - {*known}:
            raise ValueError(f"it holds arrays that no result has: {sorted({*arrays} - {*known})}")
        return cls(
            ids=ids,
            correct=known["correct"],
            intersections=known["intersections"],
            unions=known["unions"],
            forwards=count_of(about, "forwards"),
            backwards=count_of(about, "backwards"),
        )


@dataclass(frozen=True)
class TaskCell:
    """A model of another task on one block of people, clean or under an attack on its own loss."""

    task: str
    fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    setting: Setting | None = None
    seed: int = 0
    keep_images: ClassVar[int] = 0
    result: ClassVar[type[TaskResult]] = TaskResult

    def __post_init__(self) -> None:
        if self.setting is not None and self.setting.targeted:
            raise RobustPoseError(
                f"{self.task} supports untargeted attacks only; {self.setting.label} is targeted"
            )

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.task}: {'clean' if self.setting is None else self.setting.title}"

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        setting = None if self.setting is None else self.setting.fields()
        return {"kind": "task", **asdict(self), "setting": setting}

    def versions(self) -> dict[str, object]:
        """The versions of the code that computes it."""
        return {"job task": VERSION, **({} if self.setting is None else self.setting.versions())}

    @property
    def passes(self) -> int:
        """Two passes per gradient and person, and one for scoring."""
        return (self.stop - self.start) * (2 * self.gradients + 1)

    @property
    def gradients(self) -> int:
        """Number of gradients per person."""
        return 0 if self.setting is None else self.setting.gradients

    def sources(self) -> Sequence[Job[Any]]:
        """None."""
        return ()

    def trajectory(self) -> dict[str, object] | None:
        """The fields shared by cells that differ only in their number of steps."""
        shared = None if self.setting is None else self.setting.trajectory()
        return None if shared is None else {**self.fields(), "setting": shared}

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Attack its people on the task's loss, and score the predictions."""
        return [(cell, result, None) for cell, result in _computed(together, bench)]


def _computed(cells: Sequence[TaskCell], bench: Workbench) -> list[tuple[TaskCell, TaskResult]]:
    """Compute one clean cell, or the cells of one trajectory; RobustPoseError if the data have no labels."""
    first = cells[0]
    model = bench.tasks[first.fingerprint].module
    dataset, input_size = bench.datasets[first.data_fingerprint], input_size_of(model)
    if not isinstance(dataset, HasTaskLabels):
        raise RobustPoseError(f"{dataset.name} has no labels of actions and parts; only rendered people have them")
    rows = range(first.start, first.stop)
    batch = dataset.load(rows, input_size=input_size)
    labels = dataset.task_labels(rows, input_size=input_size, padding=PADDING)
    images = batch.images.to(bench.device)
    truth = torch.from_numpy(labels.parts).long() if _segments(first) else torch.from_numpy(labels.actions)
    truth = truth.to(bench.device)
    if first.setting is None:
        return [(first, _result(first, model, images, truth, ids=batch.ids))]
    several = len(cells) > 1
    longest = max(cells, key=lambda cell: cell.gradients)
    assert longest.setting is not None
    setting = longest.setting
    attack = attacks.make_perturbing(setting.attack, targeted=setting.targeted, steps=setting.steps)
    with untouched(model):
        made = attacks.craft(
            attack,
            _training_loss(model, truth),
            images,
            ids=batch.ids,
            at=[cell.gradients for cell in cells] if several else None,
            threat=make_threat(setting.threat, setting.eps),
            seed=longest.seed,
            round_to_8bit=setting.round_to_8bit,
        )
    found = [made[cell.gradients if several else 0] for cell in cells]
    return [
        (
            cell,
            _result(cell, model, each.images, truth, ids=batch.ids, spent=(each.forwards, each.backwards)),
        )
        for cell, each in zip(cells, found, strict=True)
    ]


def _training_loss(model: nn.Module, truth: Tensor) -> Loss:
    return lambda adv, rows: task_loss(model(adv), truth[rows])


def _result(
    cell: TaskCell,
    model: nn.Module,
    images: Tensor,
    truth: Tensor,
    *,
    ids: tuple[str, ...],
    spent: tuple[int, int] = (0, 0),
) -> TaskResult:
    with untouched(model), torch.no_grad():
        logits = model(images)
    if not torch.isfinite(logits).all():
        broken = (~torch.isfinite(logits).flatten(1).all(dim=1)).nonzero()[0]
        raise RobustPoseError(f"person {ids[int(broken)]}: {cell.task} returned NaN or infinity")
    found = logits.argmax(dim=1)
    forwards, backwards = spent
    if not _segments(cell):
        return TaskResult(ids=ids, correct=(found == truth).cpu().numpy(), forwards=forwards, backwards=backwards)
    shared, either = overlaps(found.cpu().numpy(), truth.cpu().numpy(), classes=logits.shape[1])
    return TaskResult(ids=ids, intersections=shared, unions=either, forwards=forwards, backwards=backwards)


def _segments(cell: TaskCell) -> bool:
    return cell.task.partition(":")[0] == "parts"
