"""Fault cells: a model on one block of people, deployed rightly or with one fault.

Every prediction is mapped into the crop that the model should have been given, so that the truth of all cells of
one block is the same and faults are compared pair by pair. Cells of one model and block are computed together:
their photos are decoded once.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from robustpose.data.annotations import Person
from robustpose.data.people import batch_of
from robustpose.errors import RobustPoseError, at_work
from robustpose.faults import Level, OnCrop, OnCut, OnModel, OnPhoto, check_level, fault_named, written
from robustpose.faults.cutting import Cutting, overlap
from robustpose.faults.photographed import photographed
from robustpose.geometry import Floats, Pixels
from robustpose.jobs.job import Computed, Job, Sources
from robustpose.jobs.results import CellResult
from robustpose.jobs.workbench import Workbench, as_table, input_size_of, padding_of
from robustpose.metrics import join
from robustpose.models.untouched import untouched
from robustpose.types import Batch, PoseModel

VERSION = 1
"""Must be increased when cutting, drawing or mapping back changes."""

CALIBRATION = 32
"""People, from the first of the data set, whose right crops calibrate quantised activations."""

IOU = "iou"
"""Signal (N, 1): how far the box that was cut overlaps the right one."""

_AT_ONCE = 25


@dataclass(frozen=True)
class FaultCell:
    """A model on one block of people with one fault.

    photos  hash of the images that the cell reads
    fault   of faults.FAULTS or faults.IMPERCEPTIBLE; empty for the right deployment
    copy    of changes that are drawn several times: which copy
    """

    model: str
    model_fingerprint: str
    data: str
    data_fingerprint: str
    start: int
    stop: int
    photos: str = ""
    fault: str = ""
    level: Level = ""
    copy: int = 0
    seed: int = 0
    keep_images: ClassVar[int] = 0
    result: ClassVar[type[CellResult]] = CellResult

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise RobustPoseError(f"a cell needs rows 0 <= start < stop, got {self.start} to {self.stop}")
        if self.fault:
            check_level(self.fault, self.level)

    @property
    def title(self) -> str:
        """A short title."""
        return f"{self.model}: {f'{self.fault} {written(self.level)}' if self.fault else 'deployed rightly'}"

    def fields(self) -> dict[str, object]:
        """Everything that defines what is computed."""
        return {"kind": "fault", **asdict(self)}

    def versions(self) -> dict[str, object]:
        """The versions of what computes it."""
        own = {f"fault {self.fault}": fault_named(self.fault).version} if self.fault else {}
        return {"job fault": VERSION, **own}

    @property
    def passes(self) -> int:
        """One pass per person."""
        return self.stop - self.start

    def sources(self) -> Sequence[Job[Any]]:
        """None."""
        return ()

    def trajectory(self) -> dict[str, object] | None:
        """The fields shared by the cells of one model and block."""
        return {**self.fields(), "fault": "", "level": "", "copy": 0, "kind": "faults of one block"}

    def compute(self, together: Sequence[Self], bench: Workbench, sources: Sources, /) -> list[Computed]:
        """Cut the crops of its people with each fault, and predict."""
        dataset, model = bench.datasets[self.data_fingerprint], bench.model(self.model_fingerprint).module
        calibration = self._calibration(together, bench)
        models: list[PoseModel] = []
        for cell in together:
            with at_work(cell.title), untouched(model):
                models.append(_deployed(model, cell, calibration))
        gathered: list[list[CellResult]] = [[] for _ in together]
        for first in range(self.start, self.stop, _AT_ONCE):
            rows = range(first, min(first + _AT_ONCE, self.stop))
            people = photographed(dataset, rows, input_size=input_size_of(model), padding=padding_of(model))
            for place, result in enumerate(_of_chunk(together, models, model, [*people], bench)):
                gathered[place].append(result)
        return [(cell, _joined(results), None) for cell, results in zip(together, gathered, strict=True)]

    def _calibration(self, together: Sequence["FaultCell"], bench: Workbench) -> Tensor:
        """Return the right crops that calibrate quantised activations; a blank one where nothing needs them."""
        model = bench.model(self.model_fingerprint).module
        height, width = input_size_of(model)
        if not any(cell.fault and isinstance(fault_named(cell.fault).act, OnModel) for cell in together):
            return torch.zeros(1, 3, height, width)
        dataset = bench.datasets[self.data_fingerprint]
        size = {"input_size": (height, width), "padding": padding_of(model)}
        people = photographed(dataset, range(min(CALIBRATION, len(dataset))), **size)  # type: ignore[arg-type]
        crops = [_cutting(person, model).cut(photo) for person, photo in people if not isinstance(photo, str)]
        if not crops:
            raise RobustPoseError(f"{self.data}: none of the first {CALIBRATION} photos can be read")
        return _tensor(crops).to(bench.device)


def _deployed(model: PoseModel, cell: FaultCell, calibration: Tensor) -> PoseModel:
    """Return the model as a cell runs it."""
    act = fault_named(cell.fault).act if cell.fault else None
    return act.change(model, cell.level, calibration) if isinstance(act, OnModel) else model


def _of_chunk(
    cells: Sequence[FaultCell],
    models: Sequence[PoseModel],
    right: PoseModel,
    people: Sequence[tuple[Person, Pixels | str]],
    bench: Workbench,
) -> Iterator[CellResult]:
    """Yield the result of each cell on a few people."""
    read = [(person, photo) for person, photo in people if not isinstance(photo, str)]
    cuttings = [_cutting(person, right) for person, _ in read]
    clean = [cutting.cut(photo) for cutting, (_, photo) in zip(cuttings, read, strict=True)]
    truth = batch_of(
        [person for person, _ in read],
        [cutting.crop for cutting in cuttings],
        clean,
        skeleton=bench.datasets[cells[0].data_fingerprint].skeleton,
        input_size=input_size_of(right),
        unreadable=[photo for _, photo in people if isinstance(photo, str)],
    ).in_skeleton(right.skeleton)
    for cell, model in zip(cells, models, strict=True):
        if not read:
            yield CellResult(
                table=as_table(truth, truth.keypoints), signals={IOU: np.ones((0, 1))}, unreadable=truth.unreadable
            )
            continue
        shown, cut = _with_fault(cell, read, cuttings, clean)
        with at_work(cell.title):
            keypoints, scores = _answers(model, right, _tensor(shown).to(bench.device))
        yield CellResult(
            table=as_table(truth, _mapped_back(keypoints, cut, truth), scores=scores),
            signals={IOU: np.array([[overlap(a.box, b.box)] for a, b in zip(cuttings, cut, strict=True)])},
            unreadable=truth.unreadable,
        )


def _with_fault(
    cell: FaultCell,
    read: Sequence[tuple[Person, Pixels]],
    cuttings: Sequence[Cutting],
    clean: Sequence[Pixels],
) -> tuple[list[Pixels], list[Cutting]]:
    """Return the crops that the model is shown, and how they were cut."""
    act = fault_named(cell.fault).act if cell.fault else None
    shown, cut = list(clean), list(cuttings)
    for place, (person, photo) in enumerate(read):
        rng = _generator(cell, person.id)
        if isinstance(act, OnCut):
            cut[place] = act.change(cuttings[place], cell.level, rng)
            shown[place] = cut[place].cut(photo)
        elif isinstance(act, OnPhoto):
            shown[place] = cuttings[place].cut(act.change(photo, cell.level, rng))
        elif isinstance(act, OnCrop):
            shown[place] = act.change(clean[place], cell.level, rng)
    return shown, cut


def _generator(cell: FaultCell, person: str) -> Generator:
    """Return the generator of one person's draws.

    Levels share it: a box shifted twice as far goes in the same direction, so that levels are paired.
    """
    text = f"{cell.fault} {cell.copy} {cell.seed} {person}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def _cutting(person: Person, model: PoseModel) -> Cutting:
    return Cutting(box=person.box, input_size=input_size_of(model), padding=padding_of(model))


def _tensor(crops: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous().to(torch.float32) / 255


def _answers(model: PoseModel, right: PoseModel, images: Tensor) -> tuple[Tensor, Tensor]:
    """Predict; an answer that is not finite stays as it is and counts as wrong."""
    with untouched(right), torch.no_grad():
        output = model(images)
    expected = (len(images), len(model.skeleton), 2)
    if tuple(output.keypoints.shape) != expected:
        raise RobustPoseError(
            f"the model's keypoints must have shape {expected} (people, keypoints, xy), "
            f"got {tuple(output.keypoints.shape)}"
        )
    return output.keypoints, output.scores


def _mapped_back(keypoints: Tensor, cut: Sequence[Cutting], truth: Batch) -> Tensor:
    """Map predictions (N, K, 2) from the crops as they were cut into the right ones."""
    found = keypoints.detach().cpu().double().numpy()
    mapped = np.empty_like(found)
    for row, cutting in enumerate(cut):
        right: Floats = truth.crops[row].numpy()
        mapped[row] = _between(found[row], cutting.crop, right)
    return torch.from_numpy(mapped)


def _between(points: Floats, crop: Floats, right: Floats) -> Floats:
    """Map points (K, 2) of one crop into another of the same photo; those of the same crop stay bit for bit."""
    if np.allclose(crop, right, rtol=0, atol=1e-9):
        return points
    photo = np.linalg.solve(crop[:, :2], (points - crop[:, 2]).T).T
    mapped: Floats = photo @ right[:, :2].T + right[:, 2]
    return mapped


def _joined(results: Sequence[CellResult]) -> CellResult:
    return replace(
        results[0],
        table=join([each.table for each in results]),
        signals={IOU: np.concatenate([each.signals[IOU] for each in results])},
        unreadable=tuple(line for each in results for line in each.unreadable),
    )
