"""SynthPose as a data set: people rendered on demand, the same on every machine.

An image is rendered at the requested size and is the crop itself, so `crops` are identities and photo pixels are
input pixels. Keypoints inside the image count, visible or occluded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from robustpose.data.annotations import Person
from robustpose.data.dataset import DataSpec
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.geometry import Pixels
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.types import Batch, TaskLabels

if TYPE_CHECKING:
    from robustpose.data.synthpose import RenderedSet

PEOPLE = {"train": 1_000_000, "val": 1000, "test": 1000}
"""The splits and their numbers of people; the number of train is arbitrary."""

SAME_TRAINING_PEOPLE = frozenset({"synthpose:train:cffe1bdd303ae8e0"})
"""Fingerprints of train by earlier renderers with the same training people, so that their models remain valid.

cffe1bdd303ae8e0 is renderer 3, which used BLAS. For 200 people of 160 pixels, 0.16% of the channel values differ,
in 50 images, and no keypoint does. Its head sizes, which training does not use, were measured on the bare head.
"""

_PLAIN = "plain"

AROUND, FINER = 1.5, 2
"""Of a rendered person's photo: how much more than the crop it shows, and how many photo pixels a crop pixel."""

_AHEAD = 1000  # people in memory while pre-rendering
_SHARD = 50  # people per file of the renderer; another number would only be slower


@dataclass(frozen=True)
class RenderedPeople:
    """Rendered people of a split; satisfies PoseDataset.

    nuisance  whether to add mild blur, tint, noise and JPEG compression
    without   the renderer's INGREDIENTS to omit
    change    one of the renderer's FACTORS set to another value, 'light=shade', or a frame of a motion, 'frame=7'
    """

    split: str
    nuisance: bool = True
    without: tuple[str, ...] = ()
    change: str = ""
    skeleton: Skeleton = MPII_16
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The data set as on the command line: its split and omitted ingredients."""
        words = ["without-" + name for name in self.without] + ([] if self.nuisance else [_PLAIN])
        words += [self.change] if self.change else []
        return ",".join([f"synthpose:{self.split}", *words])

    @property
    def fingerprint(self) -> str:
        """The name and the version of the renderer."""
        from robustpose.data.synthpose import (
            RENDERER_VERSION,  # imported here because numba takes a second to load
        )
        from robustpose.data.synthpose.factors import version_of

        changed = f":{version_of(self.change)}" if self.change else ""
        return f"{self.name}:{RENDERER_VERSION}{changed}"

    @property
    def has_head_sizes(self) -> bool:
        """Always True."""
        return True

    def content(self, rows: Sequence[int]) -> str:
        """Return '': the fingerprint determines the images."""
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
        """Render the first n people on all processors, so that `load` finds them on disk.

        It starts processes, so a script that calls it needs an `if __name__ == "__main__"` guard; `load` alone
        does not. on_progress is called with (done, total).
        """
        self._prepare(n, size=self._side(input_size), padding=padding, on_progress=on_progress)

    def prepare_photos(
        self,
        n: int,
        *,
        input_size: tuple[int, int],
        padding: float = 1.25,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Render the photos of the first n people ahead, as `prepare` does their crops."""
        size = round(AROUND * FINER * self._side(input_size))
        self._prepare(n, size=size, padding=AROUND * padding, on_progress=on_progress)

    def _prepare(
        self, n: int, *, size: int, padding: float, on_progress: Callable[[int, int], None] | None
    ) -> None:
        for start in range(0, n, _AHEAD):
            stop = min(start + _AHEAD, n)
            told = partial(_report, on_progress, start, n)
            self._rendered(start, stop, size=size, padding=padding, processes=None, progress=told)

    def render(
        self,
        n: int,
        *,
        size: int,
        folder: Path,
        processes: int | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> "RenderedSet":
        """Render the first n people with all their truth, with shards in `folder` instead of the cache."""
        from robustpose.data.synthpose import rendered_set

        return rendered_set(
            self.split,
            0,
            n,
            size=size,
            nuisance=self.nuisance,
            without=self.without,
            change=self.change,
            processes=processes,
            progress=on_progress,
            folder=folder,
        )

    def warm_up(self, *, size: int) -> None:
        """Render one person, so that compilation and loading do not count in timings."""
        from robustpose.data.synthpose import render_person

        render_person(self.split, 0, size=size, nuisance=self.nuisance, without=self.without, change=self.change)

    def _rendered(
        self,
        start: int,
        stop: int,
        *,
        size: int,
        padding: float,
        processes: int | None = 1,
        progress: Callable[[int, int], None] | None = None,
        with_segmentation: bool = False,
    ) -> "RenderedSet":
        from robustpose.data.synthpose import rendered_set

        return rendered_set(
            self.split,
            start,
            stop,
            size=size,
            padding=padding,
            nuisance=self.nuisance,
            without=self.without,
            change=self.change,
            processes=processes,
            progress=progress,
            with_segmentation=with_segmentation,
        )

    def factors(
        self, rows: Sequence[int], /, *, input_size: tuple[int, int], padding: float = 1.25
    ) -> dict[str, list[float | str]]:
        """Return the action, the head size in input pixels and the scene's factors of the people of `rows`.

        input_size and padding must be those of `load`. There is one factor per kind of garment.
        """
        from robustpose.data.synthpose import ACTIONS

        held: dict[str, list[float | str]] = {}
        shards: dict[int, RenderedSet] = {}
        for row in rows:
            number, place = divmod(row, _SHARD)
            if number not in shards:
                first = number * _SHARD
                shards[number] = self._rendered(
                    first, first + _SHARD, size=self._side(input_size), padding=padding
                )
            shard = shards[number]
            known = {name: values[place].item() for name, values in shard.factors.items()}
            top, legs, feet = str(known.pop("garments")).split("+")
            known["head_size"] = float(shard.head_size[place])
            known["degrees_from_front"] = abs(float(known.pop("yaw")))
            known |= {"action": ACTIONS[shard.action[place]], "top": top, "legs": legs, "feet": feet}
            for name, value in known.items():
                held.setdefault(name, []).append(value)
        return held

    def task_labels(self, rows: Sequence[int], /, *, input_size: tuple[int, int], padding: float) -> TaskLabels:
        """Return the actions and the segmentation of the people of `rows`."""
        from robustpose.data.synthpose import PARTS

        side = self._side(input_size)
        actions, parts = np.empty(len(rows), np.int64), np.empty((len(rows), side, side), np.uint8)
        for place, row in enumerate(rows):
            number, inside = divmod(row, _SHARD)
            if place == 0 or number != rows[place - 1] // _SHARD:
                first = number * _SHARD
                shard = self._rendered(first, first + _SHARD, size=side, padding=padding, with_segmentation=True)
            actions[place], parts[place] = shard.action[inside], shard.segmentation[inside]
        return TaskLabels(actions=actions, parts=parts, part_flip_order=_flip_order(PARTS))

    def _side(self, input_size: tuple[int, int]) -> int:
        height, width = input_size
        if height != width:
            raise RobustPoseError(f"{self.name}: input_size must be square, got {height} x {width}")
        return height

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        """Render the people of `rows`, box x `padding`, or read them from the cache. input_size must be square."""
        size = self._side(input_size)
        for row in rows:
            if not 0 <= row < len(self):
                raise RobustPoseError(f"{self.name}: rows are 0 to {len(self) - 1}, got {row}")
        wanted = sorted({row // _SHARD for row in rows})
        shards = [
            self._rendered(number * _SHARD, (number + 1) * _SHARD, size=size, padding=padding) for number in wanted
        ]
        order = [wanted.index(row // _SHARD) * _SHARD + row % _SHARD for row in rows]

        def stacked(field: str, *shape: int) -> NDArray[Any]:
            parts = [np.asarray(getattr(shard, field)) for shard in shards] or [np.zeros((0, *shape))]
            return np.concatenate(parts)[order]

        k = len(self.skeleton)
        return self.batch(
            rows,
            images=stacked("images", size, size, 3),
            keypoints=stacked("mpii", k, 2),
            visibility=stacked("mpii_visibility", k),
            head_size=stacked("head_size"),
            box=stacked("box", 4),
        )

    def in_photos(
        self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25
    ) -> list[tuple[Person, Pixels]]:
        """Return people in photos of their own, out of which crops can be cut; input_size must be square.

        A photo shows AROUND times as much as the crop of `padding`, with FINER photo pixels a crop pixel each way.
        Pixels differ from those of `load`: the camera's noise and JPEG are those of the larger photo.
        """
        size = round(AROUND * FINER * self._side(input_size))
        held: list[tuple[Person, Pixels]] = []
        shards: dict[int, RenderedSet] = {}
        for row in rows:
            number, place = divmod(row, _SHARD)
            if number not in shards:
                first = number * _SHARD
                shards[number] = self._rendered(first, first + _SHARD, size=size, padding=AROUND * padding)
            shard = shards[number]
            x, y, w, h = map(float, shard.box[place])
            name = self._id(row)
            person = Person(
                id=name,
                photo=name,
                box=(x, y, w, h),
                keypoints=shard.mpii[place].astype(np.float64),
                visible=shard.mpii_visibility[place] > 0,
                head_size=float(shard.head_size[place]),
            )
            held.append((person, shard.images[place]))
        return held

    def _id(self, row: int) -> str:
        return f"synthpose:{self.split}:{row:06d}"

    def batch(
        self,
        rows: Sequence[int],
        *,
        images: NDArray[Any],
        keypoints: NDArray[Any],
        visibility: NDArray[Any],
        head_size: NDArray[Any],
        box: NDArray[Any],
    ) -> Batch:
        """Make a Batch from rendered arrays: 8-bit images (N, S, S, 3), MPII's keypoints, boxes (N, 4)."""
        visible = torch.from_numpy(visibility) > 0
        return Batch(
            images=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(torch.float32) / 255,
            keypoints=torch.from_numpy(keypoints).to(torch.float32).where(visible[..., None], 0.0),
            visible=visible,
            head_size=torch.from_numpy(head_size).to(torch.float32),
            box_side=torch.from_numpy(box)[:, 2:].amax(dim=1).to(torch.float32),
            crops=torch.eye(2, 3, dtype=torch.float64).repeat(len(rows), 1, 1),
            ids=tuple(map(self._id, rows)),
            skeleton=self.skeleton,
        )


def whole_shards(n: int) -> int:
    """Return the number of people that are rendered when the first n are requested."""
    return -(-n // _SHARD) * _SHARD


def _flip_order(parts: Sequence[str]) -> tuple[int, ...]:
    """Return the class that each part becomes in a mirrored image: left and right swap."""

    def mirrored(name: str) -> str:
        if name.startswith("left_"):
            return "right_" + name.removeprefix("left_")
        return "left_" + name.removeprefix("right_") if name.startswith("right_") else name

    return tuple(parts.index(mirrored(name)) for name in parts)


def _report(on_progress: Callable[[int, int], None] | None, start: int, n: int, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(start + done, n)


def open_rendered(spec: str = "", images: Path | None = None) -> RenderedPeople:
    """Return the rendered people of 'SPLIT[,plain][,without-INGREDIENT...][,FACTOR=VALUE]'; the default is val.

    'plain' omits blur, tint, noise and JPEG compression. 'light=shade' changes one factor of every scene.
    """
    from robustpose.data.synthpose.factors import edit_named
    from robustpose.data.synthpose.ingredients import left_out

    if images is not None:
        raise RobustPoseError(f"synthpose renders its images and takes no photo folder; got --images {images}")
    split, *words = (spec or "val").split(",")
    if split not in PEOPLE:
        raise unknown_name("split of synthpose", split, PEOPLE)
    changes = [word for word in words if "=" in word]
    for word in words:
        if word != _PLAIN and not word.startswith("without-") and word not in changes:
            raise RobustPoseError(
                f"synthpose:{split},{word}: expected 'plain' or 'without-INGREDIENT' or 'FACTOR=VALUE' after it"
            )
    if len(changes) > 1:
        raise RobustPoseError(f"synthpose:{split}: one factor is changed at a time, got {', '.join(changes)}")
    if changes:
        edit_named(changes[0])
    without = left_out([word.removeprefix("without-") for word in words if word.startswith("without-")])
    return RenderedPeople(
        split, nuisance=_PLAIN not in words, without=tuple(sorted(without)), change="".join(changes)
    )


SYNTHPOSE_DATA = DataSpec(
    open=open_rendered, summary="SynthPose: rendered people, no download: synthpose, synthpose:train|val|test"
)
