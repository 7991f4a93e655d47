"""The attack job: one model on one block of people, clean or under one attack."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from robustpose import attacks
from robustpose.errors import RobustPoseError, at_work
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import CellResult, Pictures, as_uint8
from robustpose.jobs.setting import Setting
from robustpose.jobs.signals import found_by, signals_of
from robustpose.jobs.workbench import Workbench, as_table
from robustpose.metrics import main_metric
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS
from robustpose.types import Batch

VERSION = 1
"""Must be increased when drawing targets, reading predictions or computing signals changes."""


@dataclass(frozen=True)
class Cell:
    """One model, one block of people, clean or under one attack.

    start, stop  rows of the data set
    photos       hash of the images that the cell reads
    pool         for targeted attacks: target poses are drawn from the first `pool` people
    metric       for targeted attacks: defines an accidental hit of the target; for objectives that need one: the
                 radius
    keep_images  number of people, from the start of the block, whose adversarial images are stored; not part of
                 the key, since the result does not depend on it
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    photos: str = ""
    setting: Setting | None = None
    pool: int = 0
    metric: str = ""
    keep_images: int = field(default=0, compare=False)
    seed: int = 0
    result: ClassVar[type[CellResult]] = CellResult

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise RobustPoseError(f"a cell needs rows 0 <= start < stop, got {self.start} to {self.stop}")

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.model}: {'clean' if self.setting is None else self.setting.title}"

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        fields = asdict(self)
        del fields["keep_images"]
        return {"kind": "attack", **fields, "setting": None if self.setting is None else self.setting.fields()}

    def versions(self) -> dict[str, object]:
        """The versions of the code that computes it."""
        return {"job attack": VERSION, **({} if self.setting is None else self.setting.versions())}

    @property
    def passes(self) -> int:
        """Two passes per gradient and person, and one for scoring."""
        return (self.stop - self.start) * (2 * self.gradients + 1)

    @property
    def gradients(self) -> int:
        """Number of gradients per person."""
        return 0 if self.setting is None else self.setting.gradients

    def sources(self) -> Sequence[Job[Any]]:
        """None."""
        return ()

    def trajectory(self) -> dict[str, object] | None:
        """The fields shared by cells that differ only in their number of steps."""
        shared = None if self.setting is None else self.setting.trajectory()
        return None if shared is None else {**self.fields(), "setting": shared}

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Attack its people, and return the predictions together with the ground truth."""
        model, batch = bench.model(self.model_fingerprint), people_of(self, bench)
        if len(batch) == 0:
            return [(cell, empty(batch, cell), None) for cell in together]
        with at_work(self.title):
            if self.setting is None:
                return [_clean(self, model=model, batch=batch)]
            return _under_attack(together, bench, model=model, batch=batch)


def people_of(cell: Cell, bench: Workbench) -> Batch:
    """Load the people of a cell in the crop and skeleton of its model."""
    rows = range(cell.start, cell.stop)
    batch = bench.batch(cell.data_fingerprint, rows, model=bench.model(cell.model_fingerprint).module)
    if fault := batch.fault():
        raise RobustPoseError(f"{cell.data}: {fault}")
    return batch


def _clean(cell: Cell, *, model: OpenedModel, batch: Batch) -> Computed:
    output = attacks.predict(model.module, batch.images, ids=batch.ids)
    result = CellResult(
        table=as_table(batch, output.keypoints, scores=output.scores),
        signals=signals_of(model.module, output),
        unreadable=batch.unreadable,
    )
    return cell, result, _pictures(cell, batch.images, batch.images[:0])


def _under_attack(cells: Sequence[Cell], bench: Workbench, *, model: OpenedModel, batch: Batch) -> list[Computed]:
    first, target = cells[0], None
    assert first.setting is not None
    if first.setting.targeted:
        clean = attacks.predict(model.module, batch.images, ids=batch.ids)
        truths = bench.truths(first.data_fingerprint, first.pool, model=model.module)
        keypoints, visible = attacks.draw_targets(
            as_table(batch, clean.keypoints), truths, metric=main_metric(first.metric), seed=first.seed
        )
        target = attacks.Target(
            keypoints=torch.from_numpy(keypoints).float().to(bench.device),
            visible=torch.from_numpy(visible).to(bench.device),
        )
    found = _along(cells, model=model, batch=batch, target=target)
    return [
        (
            cell,
            CellResult(
                table=as_table(
                    batch if attacked.moved is None else attacked.moved.batch,
                    attacked.output.keypoints,
                    scores=attacked.output.scores,
                    target=target,
                ),
                signals={**signals_of(model.module, attacked.output), **found_by(attacked)},
                forwards=attacked.forwards,
                backwards=attacked.backwards,
                unreadable=batch.unreadable,
            ),
            _pictures(cell, batch.images, attacked.images),
        )
        for cell, attacked in zip(cells, found, strict=True)
    ]


def _along(
    cells: Sequence[Cell], *, model: OpenedModel, batch: Batch, target: attacks.Target | None
) -> list[attacks.Attacked]:
    """Run the steps of the longest cell, and return the attack at the steps of each cell."""
    longest = max(cells, key=lambda cell: cell.gradients)
    setting = longest.setting
    assert setting is not None
    found = attacks.run_along(
        setting.make(),
        model.module,
        batch,
        at=[cell.gradients for cell in cells] if len(cells) > 1 else None,
        threat=THREATS[setting.threat].make(setting.eps),
        objective=OBJECTIVES[setting.objective],
        target=target,
        metric=main_metric(longest.metric) if longest.metric else None,
        seed=longest.seed,
        round_to_8bit=setting.round_to_8bit,
        search=setting.search,
    )
    return [found[cell.gradients if len(cells) > 1 else 0] for cell in cells]


def empty(batch: Batch, cell: Cell) -> CellResult:
    """Return the result of a block without a readable photo."""
    target = None
    if cell.setting is not None and cell.setting.targeted:
        target = attacks.Target(keypoints=batch.keypoints, visible=batch.visible)
    return CellResult(table=as_table(batch, batch.keypoints, target=target), unreadable=batch.unreadable)


def _pictures(cell: Cell, clean: Tensor, adversarial: Tensor) -> Pictures:
    kept = cell.keep_images
    return Pictures(clean=as_uint8(clean[:kept]), adversarial=as_uint8(adversarial[:kept]))
