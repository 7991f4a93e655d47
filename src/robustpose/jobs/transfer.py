"""Replays: a model evaluated on images crafted on another model, or without knowledge of its defence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from robustpose import attacks
from robustpose.defences import DEFENCES, defended
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.jobs.attack import Cell, empty, people_of
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import CellResult
from robustpose.jobs.signals import signals_of
from robustpose.jobs.universal import UniversalCell
from robustpose.jobs.workbench import Workbench, as_table, input_size_of, padding_of
from robustpose.types import Batch

VERSION = 1
"""Must be increased when the evaluation or the change of the images changes."""

MIRRORED = "mirrored"
"""The change that mirrors the perturbation. It tests how much position matters, and is not a defence."""


@dataclass(frozen=True)
class Replay:
    """A model evaluated on images crafted elsewhere, or changed before they reach it.

    people  the model's own clean cell, which defines the people
    source  origin of the images: a cell that stores all of them, a universal perturbation, None for clean images
    change  MIRRORED, a defence placed before the model (of DEFENCES), or empty
    """

    people: Cell
    source: Cell | UniversalCell | None = None
    change: str = ""
    keep_images: ClassVar[int] = 0
    result: ClassVar[type[CellResult]] = CellResult

    def __post_init__(self) -> None:
        if self.change and self.change not in (MIRRORED, *DEFENCES):
            raise unknown_name("defence", self.change, (MIRRORED, *DEFENCES))
        setting = self.source.setting if isinstance(self.source, Cell) else None
        if setting is not None and not setting.round_to_8bit:
            raise RobustPoseError(
                f"{setting.title} is below one 8-bit level, so its images cannot be stored and evaluated"
            )

    @property
    def title(self) -> str:
        """A short title."""
        made = f"images of {self.source.model}" if self.source else "clean images"
        return f"{self.people.model}: {made} {self.change}".rstrip()

    @property
    def data_fingerprint(self) -> str:
        """The data set of the people."""
        return self.people.data_fingerprint

    @property
    def start(self) -> int:
        """The first of its rows."""
        return self.people.start

    @property
    def stop(self) -> int:
        """The row after the last."""
        return self.people.stop

    @property
    def passes(self) -> int:
        """One pass per person, for scoring."""
        return self.stop - self.start

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        return {"kind": "replay", "people": self.people, "source": self.source, "change": self.change}

    def versions(self) -> dict[str, object]:
        """The versions of the code that computes it."""
        made = {} if self.source is None else self.source.versions()
        spec = DEFENCES.get(self.change)
        defence = {} if spec is None else {f"defence {self.change}": spec.version}
        mine = {"job transfer": VERSION, **defence, **self.people.versions()}
        return {**mine, **{f"source {what}": version for what, version in made.items()}}

    def sources(self) -> Sequence[Job[Any]]:
        """The job that made the images."""
        return () if self.source is None else (self.source,)

    def trajectory(self) -> dict[str, object] | None:
        """None: it has no trajectory."""
        return None

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Evaluate the model on the images."""
        return [(self, _shown_to(self, bench, sources), None)]


def _shown_to(cell: Replay, bench: Workbench, sources: Sources) -> CellResult:
    model, batch = bench.model(cell.people.model_fingerprint), people_of(cell.people, bench)
    shown_to = defended(model, cell.change).module if cell.change in DEFENCES else model.module
    _check_same_crops(cell, bench)
    if len(batch) == 0:
        return empty(batch, cell.people)
    adv = _shown(cell, batch, sources, input_size=input_size_of(shown_to))
    if cell.change == MIRRORED and not isinstance(cell.source, UniversalCell):
        adv = mirrored_perturbation(batch.images, adv)
    output = attacks.predict(shown_to, adv, ids=batch.ids)
    return CellResult(
        table=as_table(batch, output.keypoints, scores=output.scores),
        signals=signals_of(shown_to, output),
        unreadable=batch.unreadable,
    )


def _check_same_crops(cell: Replay, bench: Workbench) -> None:
    """Reject images made on other crops of the same people, where the ground truth is at other positions."""
    if not isinstance(cell.source, Cell):
        return
    made, shown = (padding_of(bench.model(each.model_fingerprint).module) for each in (cell.source, cell.people))
    if made != shown:
        raise RobustPoseError(
            f"the images of {cell.source.model} are crops of box x {made:g}, but {cell.people.model} takes box x "
            f"{shown:g}"
        )


def _shown(cell: Replay, batch: Batch, sources: Sources, *, input_size: tuple[int, int]) -> Tensor:
    if cell.source is None:
        return batch.images
    if isinstance(cell.source, UniversalCell):
        learned = torch.from_numpy(sources.read(cell.source).perturbation).to(batch.images)
        if tuple(learned.shape[1:]) != input_size:
            raise RobustPoseError(
                f"{cell.source.model}'s universal perturbation is of size {tuple(learned.shape[1:])}, "
                f"{cell.people.model} takes crops of {input_size}"
            )
        # The whole universal perturbation is mirrored, before clipping.
        return attacks.apply_universal(batch.images, learned.flip(-1) if cell.change == MIRRORED else learned)
    kept = sources.pictures(cell.source).adversarial
    if len(kept) != len(batch):
        raise RobustPoseError(f"{cell.source.title}: {len(kept)} images are stored for {len(batch)} people")
    if kept.shape[1:3] != input_size:
        raise RobustPoseError(
            f"{cell.source.model}'s images are of size {kept.shape[1:3]}, "
            f"{cell.people.model} takes crops of {input_size}"
        )
    return torch.from_numpy(kept).permute(0, 3, 1, 2).to(batch.images) / 255


def mirrored_perturbation(clean: Tensor, adv: Tensor) -> Tensor:
    """Mirror the perturbation of images (N, 3, H, W) left to right, and clip the result to [0, 1]."""
    return (clean + (adv - clean).flip(3)).clamp(0.0, 1.0)
