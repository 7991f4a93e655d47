"""The people whom corruption costs most: their images, clean and corrupted, with what a model predicts."""

from dataclasses import dataclass, replace

import numpy as np

from robustpose.corruptions.people import pixels_of
from robustpose.geometry import Pixels
from robustpose.jobs.corruption import CorruptedCell, corrupted_people
from robustpose.jobs.workbench import Workbench, input_size_of, padding_of
from robustpose.metrics import Table
from robustpose.report.html.pictures import draw_pose
from robustpose.studies.corruptions.definition import corrupted_cells
from robustpose.studies.corruptions.found import CorruptionsFound
from robustpose.studies.corruptions.scores import ModelScores, Place
from robustpose.study.plan import Plan, blocks, metric_of

PEOPLE_SHOWN = 3
"""People shown of each model."""

MODELS_SHOWN = 4
"""Models shown."""


@dataclass(frozen=True)
class Worst:
    """One person: the share of correct keypoints, clean and at the worst corruption, and both images."""

    model: str
    person: str
    place: Place
    clean_share: float
    corrupted_share: float
    clean: Pixels
    corrupted: Pixels


def worst_people(found: CorruptionsFound, bench: Workbench) -> list[Worst]:
    """Draw the people of the first models who lose most correct keypoints, mean of all corruptions."""
    return [
        worst
        for model in found.scored.models[:MODELS_SHOWN]
        for row in _losers(found.plan, model)
        for worst in _drawn(found, bench, model, row)
    ]


def _losers(plan: Plan, model: ModelScores) -> list[int]:
    """Return the rows of those who lose most, worst first."""
    clean = _shares(plan, model.tables[None])
    lost = np.nanmean([clean - _shares(plan, model.tables[place]) for place in model.corrupted], axis=0)
    order = np.argsort(-np.nan_to_num(lost), kind="stable")
    return [int(row) for row in order[:PEOPLE_SHOWN] if lost[row] > 0]


def _shares(plan: Plan, table: Table) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the share of each person's correct keypoints; NaN for people without a keypoint that counts."""
    hits = metric_of(plan).hits(table)
    known = np.isfinite(hits).sum(axis=1)
    return np.asarray(np.where(known > 0, np.nansum(hits, axis=1) / np.maximum(known, 1), np.nan))


def _drawn(found: CorruptionsFound, bench: Workbench, model: ModelScores, row: int) -> list[Worst]:
    """Draw one person; nothing where the person cannot be loaded any more."""
    plan, clean = found.plan, model.tables[None]
    shares = {place: float(_shares(plan, model.tables[place])[row]) for place in model.corrupted}
    place = min(shares, key=lambda each: shares[each])
    person = clean.ids[row]
    images = _images(found, bench, model.model, person, place)
    if images is None:
        return []
    shown = clean.visible[row]
    tables = (clean, model.tables[place])
    drawn = [
        draw_pose(image, table.predicted[row], table.skeleton, shown=shown)
        for image, table in zip(images, tables, strict=True)
    ]
    return [
        Worst(
            model=model.model,
            person=person,
            place=place,
            clean_share=float(_shares(plan, clean)[row]),
            corrupted_share=shares[place],
            clean=drawn[0],
            corrupted=drawn[1],
        )
    ]


def _images(
    found: CorruptionsFound, bench: Workbench, model: str, person: str, place: Place
) -> tuple[Pixels, Pixels] | None:
    """Load one person's crop, clean and corrupted."""
    plan = found.plan
    module = plan.named(model).module
    size, padding = input_size_of(module), padding_of(module)
    cells = corrupted_cells(plan, model, found.study.corrupted(*place))
    for rows, cell in zip(blocks(plan.n, per_cell=plan.study.per_cell), cells, strict=True):
        one = _cell_of(cell, rows, bench, person, size=size, padding=padding)
        if one is not None:
            clean = plan.dataset.load(range(one.start, one.stop), input_size=size, padding=padding)
            changed = corrupted_people(bench, one, input_size=size, padding=padding)
            return pixels_of(clean)[0], pixels_of(changed)[0]
    return None


def _cell_of(
    cell: CorruptedCell, rows: range, bench: Workbench, person: str, *, size: tuple[int, int], padding: float
) -> CorruptedCell | None:
    """Narrow a cell to one person; None where the person is of another block."""
    dataset = bench.datasets[cell.data_fingerprint]
    block = (cell.data_fingerprint, rows.start, rows.stop)
    batch = bench.last(
        ("people", (size, padding)), block, lambda: dataset.load(rows, input_size=size, padding=padding)
    )
    if person not in batch.ids:
        return None
    if batch.unreadable:  # some rows of the block are no people of the batch: look one by one
        row = next(r for r in rows if person in dataset.load([r], input_size=size, padding=padding).ids)
        return replace(cell, start=row, stop=row + 1)
    row = rows.start + batch.ids.index(person)
    return replace(cell, start=row, stop=row + 1)
