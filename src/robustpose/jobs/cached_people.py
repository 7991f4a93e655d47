"""People of a data set, cached in memory for training that shows them repeatedly in new orders.

Images are multiples of 1/255, so they are stored as bytes: 10,000 crops of 128 pixels take half a gigabyte.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.types import Batch, PoseDataset

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
