"""Joined and sliced data sets: lsp:A[1-1000]+3*mpii:B is one data set in one skeleton.

The skeleton is that of the first part with the most keypoints. Keypoints that a part lacks are not visible, so
they are neither trained nor scored.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from robustpose.data.people import PhotoPeople
from robustpose.errors import RobustPoseError
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseDataset

_RANGE = re.compile(r"^(.*)\[(\d*)-(\d*)\]$", re.DOTALL)
_WEIGHT = r"\d+(?:\.\d+)?\*"


@dataclass(frozen=True)
class Part:
    """One data set of a joined spec.

    spec         NAME or NAME:PATH
    weight       sampling weight of its people in training
    first, last  range of people, counted from 1, both included; None for all
    """

    spec: str
    weight: float = 1.0
    first: int | None = None
    last: int | None = None

    def chosen(self, dataset: PoseDataset) -> PoseDataset:
        """Return the people of the range; RobustPoseError for a range beyond the data set."""
        if self.first is None or self.last is None:
            return dataset
        if not 1 <= self.first <= self.last <= len(dataset):
            raise RobustPoseError(
                f"{dataset.name}[{self.first}-{self.last}]: {dataset.name} has people 1 to {len(dataset)}"
            )
        if not isinstance(dataset, PhotoPeople):
            return SlicedPeople(dataset, self.first, self.last)
        if dataset.detected is not None:
            raise RobustPoseError(
                f"{dataset.name}: a range such as [1-100] selects annotated people, not detections"
            )
        return replace(
            dataset,
            name=f"{dataset.name}[{self.first}-{self.last}]",
            people=dataset.people[self.first - 1 : self.last],
        )


def parts_of(spec: str, *, names: Sequence[str]) -> list[Part]:
    """Split a spec at each + that is followed by a data set's name, because paths may contain a + too.

    RobustPoseError for an invalid range or weight.

    >>> parts_of("2*lsp:a+b[1-10]+mpii:c", names=("lsp", "mpii"))
    [Part(spec='lsp:a+b', weight=2.0, first=1, last=10), Part(spec='mpii:c', weight=1.0, first=None, last=None)]
    """
    known = "|".join(map(re.escape, names))
    texts = re.split(rf"\+(?=(?:{_WEIGHT})?(?:{known})(?:[:+\[]|$))", spec)
    return [_part(text) for text in texts]


def _part(text: str) -> Part:
    weight = 1.0
    if found := re.match(_WEIGHT, text):
        weight, text = float(found[0][:-1]), text[found.end() :]
        if not 0 < weight < 1e6:
            raise RobustPoseError(f"{text}: the weight of a data set must be > 0, got {weight:g}")
    if not (ranged := _RANGE.match(text)):
        return Part(text, weight)
    spec, first, last = ranged.groups()
    if not (first and last) or int(first) < 1 or int(first) > int(last):
        raise RobustPoseError(
            f"{text}: expected a range such as [1001-1500], counted from 1, got [{first}-{last}]"
        )
    return Part(spec, weight, int(first), int(last))


@dataclass(frozen=True, eq=False)
class SlicedPeople:
    """Rendered people from first to last, counted from 1, without factors; satisfies PoseDataset."""

    whole: PoseDataset
    first: int
    last: int

    @property
    def name(self) -> str:
        """The whole set's, with the range."""
        return f"{self.whole.name}[{self.first}-{self.last}]"

    @property
    def skeleton(self) -> Skeleton:
        """The whole set's."""
        return self.whole.skeleton

    @property
    def fingerprint(self) -> str:
        """The whole set's, with the range."""
        return f"{self.whole.fingerprint}[{self.first}-{self.last}]"

    @property
    def has_head_sizes(self) -> bool:
        """As the whole set."""
        return self.whole.has_head_sizes

    @property
    def left_out(self) -> tuple[str, ...]:
        """As the whole set."""
        return self.whole.left_out

    def __len__(self) -> int:
        return self.last - self.first + 1

    def content(self, rows: Sequence[int]) -> str:
        """Return a hash of the images of `rows`."""
        return self.whole.content([self.first - 1 + row for row in rows])

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Crop the people of `rows`; see PoseDataset."""
        return self.whole.load([self.first - 1 + row for row in rows], input_size=input_size, padding=padding)


@dataclass(frozen=True, eq=False)
class JoinedPeople:
    """Several data sets as one, in one skeleton; satisfies PoseDataset.

    weights  sampling weights of the parts in training, 1 by default; scores do not use them
    """

    parts: tuple[PoseDataset, ...]
    weights: tuple[float, ...]
    skeleton: Skeleton

    @property
    def name(self) -> str:
        """The parts' names with their weights, joined by +."""
        named = zip(self.parts, self.weights, strict=True)
        return "+".join(part.name if weight == 1 else f"{weight:g}*{part.name}" for part, weight in named)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the parts' fingerprints and weights, in order."""
        each = [f"{part.fingerprint} {weight:g}" for part, weight in zip(self.parts, self.weights, strict=True)]
        return sha256("\n".join([self.skeleton.name, *each]).encode()).hexdigest()

    @property
    def has_head_sizes(self) -> bool:
        """Whether every person of every part has a head size."""
        return all(part.has_head_sizes for part in self.parts)

    @property
    def has_areas(self) -> bool:
        """Whether every person of every part has an area."""
        return all(getattr(part, "has_areas", False) for part in self.parts)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The parts' lines, each prefixed with the name of its part."""
        return tuple(f"{part.name}: {line}" for part in self.parts for line in part.left_out)

    def weighted(self, rows: range) -> list[tuple[range, float]]:
        """Split rows by part, each with its sampling weight."""
        ends = [0, *np.cumsum([len(part) for part in self.parts]).tolist()]
        cut = [range(max(rows.start, a), min(rows.stop, b)) for a, b in pairwise(ends)]
        return [(piece, weight) for piece, weight in zip(cut, self.weights, strict=True) if len(piece)]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def content(self, rows: Sequence[int]) -> str:
        """Return a hash of the images of `rows`, part by part."""
        each = [self.parts[part].content(own) for part, own in self._runs(rows)]
        return sha256("\n".join(each).encode()).hexdigest()

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Crop the people of `rows`, in that order; see PoseDataset."""
        batches = [
            self.parts[part].load(own, input_size=input_size, padding=padding).in_skeleton(self.skeleton)
            for part, own in self._runs(rows)
        ]
        return _stacked(batches) if batches else self.parts[0].load((), input_size=input_size, padding=padding)

    def _runs(self, rows: Sequence[int]) -> list[tuple[int, list[int]]]:
        """Split rows where the part changes: (part, rows within the part)."""
        ends = np.cumsum([len(part) for part in self.parts])
        runs: list[tuple[int, list[int]]] = []
        for row in rows:
            part = int(np.searchsorted(ends, row, side="right"))
            own = row - (int(ends[part - 1]) if part else 0)
            if runs and runs[-1][0] == part:
                runs[-1][1].append(own)
            else:
                runs.append((part, [own]))
        return runs


def joined(parts: Sequence[PoseDataset], *, weights: Sequence[float]) -> PoseDataset:
    """Join data sets; a single one of weight 1 is returned unchanged.

    RobustPoseError where a part shares no keypoint with the joined skeleton, or occurs twice.
    """
    if len(parts) == 1 and weights[0] == 1:
        return parts[0]
    skeleton = max((part.skeleton for part in parts), key=len)
    for part in parts:
        if not any(row is not None for row in part.skeleton.rows_in(skeleton)):
            raise RobustPoseError(
                f"{part.name} ({part.skeleton.name}) has no keypoint of the joined set's skeleton, {skeleton.name}"
            )
    fingerprints = [part.fingerprint for part in parts]
    for place, fingerprint in enumerate(fingerprints):
        if fingerprint in fingerprints[:place]:
            raise RobustPoseError(
                f"{parts[place].name} is named twice; give it a weight instead, 2*{parts[place].name}"
            )
    return JoinedPeople(tuple(parts), tuple(weights), skeleton)


def people_named(dataset: PoseDataset) -> set[str]:
    """Return the ids of people in photos; for rendered people, the name of their whole data set."""
    if isinstance(dataset, JoinedPeople):
        return set().union(*map(people_named, dataset.parts))
    if isinstance(dataset, SlicedPeople):
        return people_named(dataset.whole)
    return {person.id for person in dataset.people} if isinstance(dataset, PhotoPeople) else {dataset.name}


def _stacked(batches: Sequence[Batch]) -> Batch:
    """Stack batches of one skeleton and crop size, in order."""
    if len(batches) == 1:
        return batches[0]

    names = ("images", "keypoints", "visible", "head_size", "box_side", "crops")
    stacked: dict[str, Any] = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in names}
    unknown = [batch.crops.new_full((len(batch),), float("nan")) for batch in batches]
    return replace(
        batches[0],
        **stacked,
        ids=tuple(each for batch in batches for each in batch.ids),
        unreadable=tuple(line for batch in batches for line in batch.unreadable),
        area=torch.cat([nan if b.area is None else b.area for b, nan in zip(batches, unknown, strict=True)]),
        photos=tuple(photo for batch in batches for photo in (batch.photos or batch.ids)),
    )
