"""The opened models and data sets that jobs use, and ground truth that is loaded once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.data.augment import PADDING
from robustpose.errors import RobustPoseError
from robustpose.given import known_device
from robustpose.jobs.results import Floats
from robustpose.metrics import Table, join
from robustpose.models import OpenedModel, OpenedTask
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseDataset, PoseModel

T = TypeVar("T")

TRUTHS_AT_ONCE = 100
"""Number of people whose crops are in memory while ground truth is loaded."""


@dataclass(frozen=True)
class Workbench:
    """The opened models and data sets, by the fingerprints in cells; the models are on `device`."""

    models: Mapping[str, OpenedModel]
    datasets: Mapping[str, PoseDataset]
    tasks: Mapping[str, OpenedTask] = field(default_factory=dict)
    device: str = "cpu"
    _truths: dict[tuple[str, int, tuple[int, int], float, Skeleton], Table] = field(default_factory=dict)
    _last: dict[Hashable, tuple[Hashable, Any]] = field(default_factory=dict)

    def on(self, device: str) -> "Workbench":
        """Return the workbench with its models moved to a device; RobustPoseError if it is not available."""
        known_device(device)
        models = [*(each.module for each in self.models.values()), *(each.module for each in self.tasks.values())]
        for model in models:
            if isinstance(model, nn.Module):
                try:
                    model.to(device)
                except (RuntimeError, AssertionError) as error:
                    raise RobustPoseError(
                        f"device {device!r} cannot be used here: {str(error).splitlines()[0]}"
                    ) from None
        return replace(self, device=device)

    def model(self, fingerprint: str) -> OpenedModel:
        """Return a model by its fingerprint."""
        return self.models[fingerprint]

    def batch(self, data_fingerprint: str, rows: range, *, model: PoseModel) -> Batch:
        """Load people in the crop and skeleton of a model."""
        loaded = self.datasets[data_fingerprint].load(
            rows, input_size=input_size_of(model), padding=padding_of(model)
        )
        return loaded.in_skeleton(model.skeleton).to(self.device)

    def last(self, kind: Hashable, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returns; of each kind the last is cached, for consecutive jobs of the same people."""
        if self._last.get(kind, (None,))[0] != key:
            self._last[kind] = (key, make())
        made: T = self._last[kind][1]
        return made

    def truths(self, data_fingerprint: str, people: int, *, model: PoseModel) -> Table:
        """Return the true poses of a data set's first people, in a model's crops; cached for the next job."""
        skeleton, input_size, padding = model.skeleton, input_size_of(model), padding_of(model)
        key = (data_fingerprint, people, input_size, padding, skeleton)
        if key not in self._truths:
            dataset = self.datasets[data_fingerprint]
            tables = []
            for start in range(0, people, TRUTHS_AT_ONCE):
                rows = range(start, min(start + TRUTHS_AT_ONCE, people))
                batch = dataset.load(rows, input_size=input_size, padding=padding).in_skeleton(skeleton)
                tables.append(as_table(batch, batch.keypoints))
            self._truths[key] = join(tables)
        return self._truths[key]


def input_size_of(model: object) -> tuple[int, int]:
    """Return the crop size (H, W) of a model, as plain ints."""
    height, width = model.input_size  # type: ignore[attr-defined]
    return int(height), int(width)


def padding_of(model: object) -> float:
    """Return the ratio of a model's crop to the person's box."""
    return float(getattr(model, "padding", PADDING))


def as_table(
    batch: Batch, predicted: Tensor, *, scores: Tensor | None = None, target: attacks.Target | None = None
) -> Table:
    """Combine predictions (N, K, 2) and their scores (N, K) with the ground truth of a batch."""
    unknown = np.full(len(batch), np.nan)
    return Table(
        ids=batch.ids,
        skeleton=batch.skeleton,
        predicted=as_float64(predicted),
        keypoints=as_float64(batch.keypoints),
        visible=batch.visible.cpu().numpy(),
        head_size=as_float64(batch.head_size),
        box_side=as_float64(batch.box_side),
        target=None if target is None else as_float64(target.keypoints),
        target_visible=None if target is None else target.visible.cpu().numpy(),
        score=unknown if scores is None else as_float64(scores).mean(axis=1),
        area=unknown if batch.area is None else as_float64(batch.area),
        crops=as_float64(batch.crops),
        photo=np.array(batch.photos or batch.ids, dtype=np.str_),
    )


def as_float64(values: Tensor) -> Floats:
    """Convert a tensor to an array."""
    array: Floats = values.detach().cpu().to(torch.float64).numpy()
    return array


_AT_ONCE = 200


@dataclass(frozen=True)
class CachedPeople:
    """Loaded people, and the place of each row of the data set among them; rows of unreadable photos have none."""

    people: Batch
    places: dict[int, int]

    def take(self, rows: Sequence[int]) -> Batch:
        """Return the people of `rows` as the data set would load them."""
        batch = self.people.take([self.places[row] for row in rows if row in self.places])
        return replace(batch, images=batch.images.to(torch.float32) / 255)


def cache_people(
    dataset: PoseDataset, rows: Sequence[int], *, input_size: tuple[int, int], padding: float
) -> CachedPeople:
    """Load the people of `rows`; RobustPoseError if none of their photos can be read."""
    batches: list[Batch] = []
    places: dict[int, int] = {}
    for chunk in (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)):
        loaded = dataset.load(chunk, input_size=input_size, padding=padding)
        # Only loading one by one shows which photos are unreadable.
        alone = len(loaded) < len(chunk)
        for asked in [[row] for row in chunk] if alone else [chunk]:
            batch = dataset.load(asked, input_size=input_size, padding=padding) if alone else loaded
            if len(batch):
                start = len(places)
                places |= {row: start + place for place, row in enumerate(asked)}
                batches.append(replace(batch, images=_as_bytes(batch.images)))
    if not batches:
        raise RobustPoseError(f"{dataset.name}: none of the {len(rows)} requested photos can be read")
    return CachedPeople(people=_joined(batches), places=places)


def _as_bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


def _joined(batches: Sequence[Batch]) -> Batch:
    """Concatenate batches of one data set."""
    areas = [batch.area for batch in batches if batch.area is not None]
    names = ("images", "keypoints", "visible", "head_size", "box_side", "crops")
    stacked: dict[str, Any] = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in names}
    return replace(
        batches[0],
        **stacked,
        ids=tuple(each for batch in batches for each in batch.ids),
        area=torch.cat(areas) if areas else None,
        photos=tuple(each for batch in batches for each in batch.photos),
    )
