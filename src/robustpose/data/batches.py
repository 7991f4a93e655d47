"""A Batch in memory as a data set."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from robustpose.errors import RobustPoseError
from robustpose.skeletons import Skeleton
from robustpose.types import Batch


@dataclass(frozen=True, eq=False)
class BatchPeople:
    """The people of a batch; satisfies PoseDataset for models with the batch's input size."""

    batch: Batch
    name: str = "batch"

    @property
    def skeleton(self) -> Skeleton:
        """The batch's skeleton."""
        return self.batch.skeleton

    @property
    def fingerprint(self) -> str:
        """A hash of the images and their truth."""
        batch = self.batch
        digest = hashlib.sha256(repr((batch.ids, batch.skeleton.keypoints)).encode())
        for tensor in (batch.images, batch.keypoints, batch.visible, batch.head_size, batch.box_side):
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
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
        if self.batch.input_size != input_size:
            raise RobustPoseError(f"the batch has crops of {self.batch.input_size}, the model takes {input_size}")
        index = list(rows)
        batch = self.batch
        return replace(
            batch,
            images=batch.images[index],
            keypoints=batch.keypoints[index],
            visible=batch.visible[index],
            head_size=batch.head_size[index],
            box_side=batch.box_side[index],
            crops=batch.crops[index],
            ids=tuple(batch.ids[row] for row in index),
            area=None if batch.area is None else batch.area[index],
            photos=tuple(batch.photos[row] for row in index) if batch.photos else (),
        )
