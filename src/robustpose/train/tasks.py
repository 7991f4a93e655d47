"""The training tasks: poses, actions or body parts, each with its augmentation, loss and validation score."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustpose.data.augment import PADDING, TrainingPeople, augmented, augmented_with_labels
from robustpose.errors import RobustPoseError
from robustpose.metrics import ALL, PCK, PCKH, Estimate, KeypointMetric, Table, accuracy, mean_iou, overlaps, score
from robustpose.models.architectures.tasks import task_loss
from robustpose.types import Batch, HasTaskLabels, PoseDataset, PoseModel

_AT_ONCE = 50

TrainingBatch = tuple[Tensor, ...]
"""Augmented images (N, 3, H, W), followed by the labels for the loss of the task."""


class TrainingTask(Protocol):
    """One task that a model can be trained for."""

    @property
    def metric(self) -> str:
        """The name of its validation metric."""
        ...

    @property
    def needs_labels(self) -> bool:
        """Whether the training people must have action and part labels."""
        ...

    def draw(
        self,
        people: TrainingPeople,
        rows: NDArray[np.int64],
        generator: np.random.Generator,
        *,
        half_body: float = 0.0,
    ) -> TrainingBatch:
        """Augment the people of `rows`; half_body is the fraction of half-body crops, for poses only."""
        ...

    def loss(self, model: nn.Module, batch: TrainingBatch) -> Tensor:
        """Return the loss of a batch that is on the model's device."""
        ...

    def score(self, model: nn.Module, validation: PoseDataset, *, n: int) -> Estimate:
        """Score a model on the first n people."""
        ...


@dataclass(frozen=True)
class PoseTask:
    """Keypoints. Loss: the head's loss, summed over the stages. Score: PCKh@0.5, or another PCK."""

    input_size: tuple[int, int]
    measure: KeypointMetric = PCKH
    needs_labels: bool = False

    @property
    def metric(self) -> str:
        """The measure's name."""
        return self.measure.name

    def draw(
        self,
        people: TrainingPeople,
        rows: NDArray[np.int64],
        generator: np.random.Generator,
        *,
        half_body: float = 0.0,
    ) -> TrainingBatch:
        """Return images, keypoints and visibility."""
        return augmented(people, rows, input_size=self.input_size, generator=generator, half_body=half_body)

    def loss(self, model: nn.Module, batch: TrainingBatch) -> Tensor:
        """Sum the losses of the stages."""
        assert isinstance(model, PoseModel)
        images, keypoints, visible = batch
        stages = model(images).stages
        target = model.head.encode(keypoints)
        with torch.autocast(images.device.type, enabled=False):
            return torch.stack([model.head.loss(raw.float(), target, visible).mean() for raw in stages]).sum()

    def score(self, model: nn.Module, validation: PoseDataset, *, n: int) -> Estimate:
        """Return the measure over all joints."""
        people = validation.load(range(n), input_size=self.input_size)
        return evaluate(model, people, measure=self.measure)[ALL]


@dataclass(frozen=True)
class ActionTask:
    """Action of the person. Loss: cross-entropy. Score: accuracy."""

    input_size: tuple[int, int]
    metric: str = "accuracy"
    needs_labels: bool = True

    def draw(
        self,
        people: TrainingPeople,
        rows: NDArray[np.int64],
        generator: np.random.Generator,
        *,
        half_body: float = 0.0,
    ) -> TrainingBatch:
        """Return images and actions."""
        images, actions, _ = augmented_with_labels(people, rows, input_size=self.input_size, generator=generator)
        return images, actions

    def loss(self, model: nn.Module, batch: TrainingBatch) -> Tensor:
        """Return the cross-entropy."""
        images, actions = batch
        return task_loss(model(images).float(), actions).mean()

    def score(self, model: nn.Module, validation: PoseDataset, *, n: int) -> Estimate:
        """Return the accuracy over people."""
        right = [
            logits.argmax(dim=1).numpy() == actions
            for logits, actions, _ in _answers(model, validation, n=n, input_size=self.input_size)
        ]
        return accuracy(np.concatenate(right))


@dataclass(frozen=True)
class PartsTask:
    """Body part of each pixel. Loss: cross-entropy and overlap. Score: mean IoU, background included."""

    input_size: tuple[int, int]
    metric: str = "mIoU"
    needs_labels: bool = True

    def draw(
        self,
        people: TrainingPeople,
        rows: NDArray[np.int64],
        generator: np.random.Generator,
        *,
        half_body: float = 0.0,
    ) -> TrainingBatch:
        """Return images and part labels."""
        images, _, parts = augmented_with_labels(people, rows, input_size=self.input_size, generator=generator)
        return images, parts

    def loss(self, model: nn.Module, batch: TrainingBatch) -> Tensor:
        """Return the mean loss over the images."""
        images, parts = batch
        return task_loss(model(images).float(), parts).mean()

    def score(self, model: nn.Module, validation: PoseDataset, *, n: int) -> Estimate:
        """Return the mean IoU."""
        found = [
            overlaps(logits.argmax(dim=1).numpy(), parts, classes=logits.shape[1])
            for logits, _, parts in _answers(model, validation, n=n, input_size=self.input_size)
        ]
        intersections, unions = (np.concatenate(each) for each in zip(*found, strict=True))
        return mean_iou(intersections, unions)


def training_task_of(architecture: str, model: nn.Module, *, head_sizes: bool = True) -> TrainingTask:
    """Return the training task of a model; RobustPoseError if it has none here.

    head_sizes  whether the validation people have head sizes; if not, a pose model is scored by PCK@0.1
    """
    if isinstance(model, PoseModel):
        return PoseTask(input_size=model.input_size, measure=PCKH if head_sizes else PCK)
    height, width = model.input_size  # type: ignore[misc]
    input_size = (int(height), int(width))
    if architecture == "action":
        return ActionTask(input_size=input_size)
    if architecture == "parts":
        return PartsTask(input_size=input_size)
    raise RobustPoseError(f"{architecture} is neither a pose model nor one of the tasks action and parts")


@torch.no_grad()
def evaluate(
    model: nn.Module, people: Batch, *, batch: int = _AT_ONCE, measure: KeypointMetric = PCKH
) -> dict[str, Estimate]:
    """Score a model on people that are loaded already, by PCKh@0.5 where nothing else is asked."""
    assert isinstance(model, PoseModel)
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    chunks = [model(images.to(device)).keypoints.cpu() for images in torch.split(people.images, batch)]
    model.train(was_training)
    return score(as_table(people, torch.cat(chunks)), measure)


def as_table(people: Batch, predicted: Tensor) -> Table:
    """Put predicted keypoints (N, K, 2), in input pixels, beside the truth."""
    return Table(
        ids=people.ids,
        skeleton=people.skeleton,
        predicted=predicted.detach().double().cpu().numpy(),
        keypoints=people.keypoints.double().numpy(),
        visible=people.visible.numpy(),
        head_size=people.head_size.double().numpy(),
        box_side=people.box_side.double().numpy(),
    )


@torch.no_grad()
def _answers(
    model: nn.Module, validation: PoseDataset, *, n: int, input_size: tuple[int, int]
) -> Iterator[tuple[Tensor, NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield logits with the true actions and parts, some people at a time."""
    if not isinstance(validation, HasTaskLabels):
        raise RobustPoseError(f"{validation.name} has no labels of actions and parts; rendered people have")
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    for start in range(0, n, _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, n))
        truth = validation.task_labels(rows, input_size=input_size, padding=PADDING)
        logits = model(validation.load(rows, input_size=input_size).images.to(device)).float().cpu()
        yield logits, truth.actions, truth.parts
    model.train(was_training)
