"""Images of the first people: each model's clean and attacked predictions, and the perturbation."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robustpose.analysis.scores import Outcome, Shown
from robustpose.findings.drawing import Pixels
from robustpose.jobs.setting import Setting
from robustpose.metrics import KeypointMetric, Table
from robustpose.report.html.pictures import amplify, draw_pose, jpeg, png
from robustpose.report.html.scores import Model
from robustpose.threats import norm_of

MAX_PEOPLE = 8
_TARGETED_PEOPLE = 3

Outcomes = Mapping[tuple[int, Setting | None], Outcome]
"""By a model's slot and the setting; None is clean."""


@dataclass(frozen=True)
class Tile:
    """One image with its caption.

    stem     file name under pictures/, without .png
    preview  a data: URI, smaller than the file
    exact    displayed without smoothing
    """

    stem: str
    caption: str
    file: bytes
    preview: str
    size: tuple[int, int]
    exact: bool = False


@dataclass(frozen=True)
class Portrait:
    """One person: the ground truth and each model's images."""

    id: str
    truth: Tile
    models: tuple[tuple[Model, tuple[Tile, ...]], ...]


def portraits(
    models: Sequence[Model], outcomes: Outcomes, setting: Setting, metric: KeypointMetric
) -> tuple[Portrait, ...]:
    """Show each person with stored images: clean prediction, attacked prediction, perturbation, for each model."""
    found = []
    for number, person in enumerate(_kept(models, outcomes, setting)[:MAX_PEOPLE], start=1):
        rows = []
        for model in models:
            clean, attacked = _first(outcomes, model, None), _first(outcomes, model, setting)
            stem = f"person-{number}-model-{model.slot + 1}"
            rows.append((model, _before_after(stem, person, clean, attacked, setting, metric)))
        found.append(
            Portrait(
                id=person, truth=_truth(number, person, _first(outcomes, models[0], None)), models=tuple(rows)
            )
        )
    return tuple(found)


def targeted_tiles(
    models: Sequence[Model], outcomes: Outcomes, setting: Setting, metric: KeypointMetric
) -> tuple[tuple[Model, tuple[Tile, ...]], ...]:
    """Show a few people who have a target pose, for each model: that pose, and the prediction under attack."""
    people = [
        (number, person)
        for number, person in enumerate(_kept(models, outcomes, setting)[:MAX_PEOPLE], start=1)
        if all(_aims(_first(outcomes, model, setting).table, person) for model in models)
    ]
    rows = []
    for model in models:
        tiles: list[Tile] = []
        for number, person in people[:_TARGETED_PEOPLE]:
            clean, attacked = _first(outcomes, model, None), _first(outcomes, model, setting)
            tiles += _aim_and_reached(f"person-{number}-model-{model.slot + 1}", person, clean, attacked, metric)
        rows.append((model, tuple(tiles)))
    return tuple(rows) if people else ()


def correct(table: Table, row: int, metric: KeypointMetric) -> str:
    """Say how many of a person's counted keypoints are correct."""
    hits = metric.hits(table)[row]
    labelled = int(np.isfinite(hits).sum())
    return f"{int(np.nansum(hits))} of {labelled} correct" if labelled else "nothing to score"


def _before_after(
    stem: str, person: str, clean: Shown, attacked: Shown, setting: Setting, metric: KeypointMetric
) -> tuple[Tile, ...]:
    i, j = clean.table.ids.index(person), attacked.table.ids.index(person)
    before, after = clean.pictures.clean[i], attacked.pictures.adversarial[j]
    skeleton = clean.table.skeleton
    if setting.spec.moves_truth:
        table = attacked.table
        moved = draw_pose(after, table.keypoints[j], skeleton, shown=table.visible[j])
        last = _tile(f"{stem}-perturbation", "moved ground truth", moved)
    else:
        largest = float(np.abs(after.astype(int) - before.astype(int)).max()) / 255
        added = amplify(before, after, eps=setting.eps if norm_of(setting.threat) == math.inf else largest)
        last = _tile(f"{stem}-perturbation", f"perturbation × {added.factor}", added.image, exact=True)
    return (
        _tile(
            f"{stem}-clean",
            f"clean: {correct(clean.table, i, metric)}",
            draw_pose(before, clean.table.predicted[i], skeleton),
        ),
        _tile(
            f"{stem}-attacked",
            f"attacked: {correct(attacked.table, j, metric)}",
            draw_pose(after, attacked.table.predicted[j], skeleton),
        ),
        last,
    )


def _aim_and_reached(
    stem: str, person: str, clean: Shown, attacked: Shown, metric: KeypointMetric
) -> tuple[Tile, ...]:
    i, j = clean.table.ids.index(person), attacked.table.ids.index(person)
    table = attacked.table
    assert table.target is not None
    assert table.target_visible is not None
    reached = correct(table, j, metric.against_target()).replace("correct", "on target")
    aim = draw_pose(clean.pictures.clean[i], table.target[j], table.skeleton, shown=table.target_visible[j])
    return (
        _tile(f"{stem}-target", "target pose", aim),
        _tile(
            f"{stem}-reached",
            f"predicted: {reached}",
            draw_pose(attacked.pictures.adversarial[j], table.predicted[j], table.skeleton),
        ),
    )


def _truth(number: int, person: str, clean: Shown) -> Tile:
    i, table = clean.table.ids.index(person), clean.table
    image = draw_pose(clean.pictures.clean[i], table.keypoints[i], table.skeleton, shown=table.visible[i])
    return _tile(f"person-{number}-truth", "", image)


def _kept(models: Sequence[Model], outcomes: Outcomes, setting: Setting) -> list[str]:
    """Return the people whose clean and attacked images are stored for every model, in the data's order."""
    kept = []
    for model in models:
        clean, attacked = _first(outcomes, model, None), _first(outcomes, model, setting)
        kept.append(set(clean.table.ids[: len(clean.pictures.clean)]))
        kept.append(set(attacked.table.ids[: len(attacked.pictures.adversarial)]))
    return [
        person for person in _first(outcomes, models[0], None).table.ids if all(person in some for some in kept)
    ]


def _aims(table: Table, person: str) -> bool:
    visible = table.target_visible
    return visible is not None and bool(visible[table.ids.index(person)].any())


def _first(outcomes: Outcomes, model: Model, setting: Setting | None) -> Shown:
    """Return the block with stored images."""
    return outcomes[model.slot, setting].shown


def _tile(stem: str, caption: str, image: Pixels, *, exact: bool = False) -> Tile:
    file = png(image)
    kind, small = ("png", file) if exact else ("jpeg", jpeg(image))
    return Tile(
        stem=stem,
        caption=caption,
        file=file,
        preview=f"data:image/{kind};base64,{base64.b64encode(small).decode()}",
        size=(image.shape[0], image.shape[1]),
        exact=exact,
    )
