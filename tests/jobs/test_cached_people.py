"""Cached people equal those that the data set loads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch

from robustpose.data.batches import BatchPeople
from robustpose.errors import RobustPoseError
from robustpose.jobs.workbench import cache_people
from robustpose.skeletons import MPII_16
from robustpose.types import Batch


def people(n: int) -> Batch:
    """People whose pictures have every level."""
    generator = torch.Generator().manual_seed(0)
    return Batch(
        images=torch.randint(0, 256, (n, 3, 16, 16), generator=generator).to(torch.float32) / 255,
        keypoints=16 * torch.rand(n, 16, 2, generator=generator),
        visible=torch.rand(n, 16, generator=generator) < 0.8,
        head_size=torch.rand(n, generator=generator),
        box_side=torch.rand(n, generator=generator),
        crops=torch.rand(n, 2, 3, generator=generator).double(),
        ids=tuple(f"p{row}" for row in range(n)),
        skeleton=MPII_16,
        area=torch.arange(n).double(),
        photos=tuple(f"photo{row // 2}" for row in range(n)),
    )


@dataclass(frozen=True, eq=False)
class SomeUnreadable(BatchPeople):
    """People some of whose photos cannot be read."""

    lost: frozenset[int] = frozenset()

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        batch = self.batch.take([row for row in rows if row not in self.lost])
        return replace(batch, unreadable=tuple(f"photo of {row}" for row in rows if row in self.lost))


def same(one: Batch, other: Batch) -> None:
    for name in ("images", "keypoints", "visible", "head_size", "box_side", "crops", "area"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=0, rtol=0)
    assert (one.ids, one.photos) == (other.ids, other.photos)


@pytest.mark.parametrize("lost", [frozenset(), frozenset({3, 250})], ids=["all", "some"])
def test_cached_people_are_the_loaded_ones_bit_by_bit(lost: frozenset[int]) -> None:
    data = SomeUnreadable(people(300), lost=lost)
    cached = cache_people(data, range(2, 300), input_size=(16, 16), padding=1.25)
    for rows in ([2, 3, 4], [299, 7, 250, 250, 201], [8]):
        same(cached.take(rows), data.load(rows, input_size=(16, 16)))


def test_nobody_readable_is_an_error() -> None:
    data = SomeUnreadable(people(3), lost=frozenset(range(3)))
    with pytest.raises(RobustPoseError, match="batch: none of the 2 requested photos can be read"):
        cache_people(data, [0, 2], input_size=(16, 16), padding=1.25)
