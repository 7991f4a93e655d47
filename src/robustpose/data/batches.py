"""A Batch in memory as a data set."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.given import images_of
from robustpose.skeletons import Skeleton
from robustpose.types import Batch


@dataclass(frozen=True, eq=False)
class BatchPeople:
    """The people of a batch; satisfies PoseDataset for models with the batch's input size.

    Images are copied and rounded to 8 bits, because scores are those of images that can be saved. The truth is
    copied, too, so later changes of the batch change nothing here.
    """

    batch: Batch
    name: str = "batch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "batch", _copied(self.batch))
        if fault := self.batch.fault():
            raise RobustPoseError(f"{self.name}: {fault}")

    @property
    def skeleton(self) -> Skeleton:
        """The batch's skeleton."""
        return self.batch.skeleton

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the images and their truth."""
        batch = self.batch
        digest = hashlib.sha256(repr((batch.ids, batch.skeleton.keypoints, batch.photos)).encode())
        more = () if batch.area is None else (batch.area,)
        images = self._levels
        for tensor in (
            images,
            batch.keypoints,
            batch.visible,
            batch.head_size,
            batch.box_side,
            batch.crops,
            *more,
        ):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def has_head_sizes(self) -> bool:
        """Whether every person has a head size."""
        return bool(torch.isfinite(self.batch.head_size).all())

    @property
    def left_out(self) -> tuple[str, ...]:
        """Nobody is excluded."""
        return ()

    def content(self, rows: Sequence[int]) -> str:
        """Return '': the fingerprint determines the images."""
        return ""

    def __len__(self) -> int:
        return len(self.batch)

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Return the people of `rows`; RobustPoseError for another input size."""
        if self.batch.input_size != tuple(input_size):
            raise RobustPoseError(f"the batch has crops of {self.batch.input_size}, the model takes {input_size}")
        return self.batch.take(rows)

    def in_skeleton(self, skeleton: Skeleton) -> "BatchPeople":
        """Return the same keypoints under another skeleton's names."""
        return BatchPeople(replace(self.batch, skeleton=skeleton), name=self.name)

    @property
    def _levels(self) -> Tensor:
        return (self.batch.images * 255).round().to(torch.uint8)


def _copied(batch: Batch) -> Batch:
    """Return a copy on the CPU, with images as float32 on levels k/255."""

    def own(tensor: Tensor, dtype: torch.dtype) -> Tensor:
        return tensor.detach().to("cpu", dtype, copy=True)

    return replace(
        batch,
        images=(own(images_of(batch.images), torch.float32) * 255).round() / 255,
        keypoints=own(batch.keypoints, torch.float32),
        visible=own(batch.visible, torch.bool),
        head_size=own(batch.head_size, torch.float32),
        box_side=own(batch.box_side, torch.float32),
        crops=own(batch.crops, torch.float64),
        area=None if batch.area is None else own(batch.area, torch.float64),
    )
