"""The embedded benchmark as a data set: rendered people, made on demand, the same on every machine.

A picture is rendered at the size that is asked for and is the crop itself, so `crops` are identities and photo
pixels are input pixels. A keypoint counts where it lies in the picture, seen or occluded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import Batch

PEOPLE = {"train": 1_000_000, "val": 1000, "test": 1000}
"""The splits and how many people each has; train goes on for as long as anyone asks."""

_AHEAD = 1000  # people held in memory while rendering ahead
_SHARD = 50  # the renderer keeps as many in a file; only speed would suffer from another number


@dataclass(frozen=True)
class RenderedPeople:
    """Rendered people of a split; satisfies PoseDataset."""

    split: str
    skeleton: Skeleton = MPII_16
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The data set and its split, as in the ids."""
        return f"synthpose:{self.split}"

    @property
    def fingerprint(self) -> str:
        """A hash of the renderer, its assets and the split."""
        from robustpose.data.synthpose import fingerprint  # its numba takes a second that others need not wait

        return f"{self.name}:{fingerprint()}"

    @property
    def has_head_sizes(self) -> bool:
        """Every rendered person has one."""
        return True

    def content(self, rows: Sequence[int]) -> str:
        """Nothing: what is rendered follows from the fingerprint."""
        return ""

    def __len__(self) -> int:
        return PEOPLE[self.split]

    def prepare(
        self,
        n: int,
        *,
        input_size: tuple[int, int],
        padding: float = 1.25,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Render the first n people ahead, on all processors, so that `load` finds them on disk.

        It starts processes, so a script that calls it needs an `if __name__ == "__main__"` guard; `load` alone
        renders in its own process and needs none. on_progress is told (done, all).
        """
        from robustpose.data.synthpose import rendered_set

        size = self._side(input_size)
        for start in range(0, n, _AHEAD):
            stop = min(start + _AHEAD, n)
            rendered_set(
                self.split,
                start,
                stop,
                size=size,
                padding=padding,
                with_segmentation=False,
                progress=partial(_report, on_progress, start, n),
            )

    def _side(self, input_size: tuple[int, int]) -> int:
        height, width = input_size
        if height != width:
            raise RobustPoseError(
                f"{self.name}: pictures are square, so input_size must be; got {height} x {width}"
            )
        return height

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Render the people of `rows`, box x `padding`, or read them where they were rendered before.

        input_size must be square.
        """
        from robustpose.data.synthpose import rendered_set

        size = self._side(input_size)
        for row in rows:
            if not 0 <= row < len(self):
                raise RobustPoseError(f"{self.name}: rows are 0 to {len(self) - 1}, got {row}")
        wanted = sorted({row // _SHARD for row in rows})
        shards = [
            rendered_set(
                self.split,
                number * _SHARD,
                (number + 1) * _SHARD,
                size=size,
                padding=padding,
                processes=1,
                with_segmentation=False,
            )
            for number in wanted
        ]
        order = [wanted.index(row // _SHARD) * _SHARD + row % _SHARD for row in rows]

        def stacked(field: str, *shape: int) -> torch.Tensor:
            parts = [np.asarray(getattr(shard, field)) for shard in shards] or [np.zeros((0, *shape))]
            return torch.from_numpy(np.concatenate(parts)[order])

        n, k = len(rows), len(self.skeleton)
        visible = stacked("mpii_visibility", k) > 0
        images = stacked("images", size, size, 3).permute(0, 3, 1, 2).contiguous()
        return Batch(
            images=images.to(torch.float32) / 255,
            keypoints=stacked("mpii", k, 2).to(torch.float32).where(visible[..., None], 0.0),
            visible=visible,
            head_size=stacked("head_size").to(torch.float32),
            box_side=stacked("box", 4)[:, 2:].amax(dim=1).to(torch.float32),
            crops=torch.eye(2, 3, dtype=torch.float64).repeat(n, 1, 1),
            ids=tuple(f"{self.name}:{row:06d}" for row in rows),
            skeleton=self.skeleton,
        )


def _report(on_progress: Callable[[int, int], None] | None, start: int, n: int, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(start + done, n)


def open_rendered(split: str = "", images: Path | None = None) -> RenderedPeople:
    """Return the rendered people of a split: val where none is named, test, or train."""
    if images is not None:
        raise RobustPoseError(f"synthpose renders its pictures and takes no photo folder; got --images {images}")
    if (split or "val") not in PEOPLE:
        raise unknown_name("split of synthpose", split, PEOPLE)
    return RenderedPeople(split or "val")
