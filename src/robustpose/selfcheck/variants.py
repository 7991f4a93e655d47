"""Variants of a model spec, each of which corrects one of the usual mistakes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from robustpose.geometry import Lattice
from robustpose.models.heads import HEADS
from robustpose.models.specs import ModelSpec

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SIDES = "left and right swapped"
_PADDINGS = (1.0, 1.25, 1.5)
_Colour = tuple[float, float, float]
_SCALINGS: tuple[tuple[str, float, _Colour, _Colour], ...] = (
    ("levels of 0 to 1", 1.0, (0.0,) * 3, (1.0,) * 3),
    ("levels of 0 to 255", 255.0, (0.0,) * 3, (1.0,) * 3),
    ("levels of -1 to 1", 1.0, (0.5,) * 3, (0.5,) * 3),
    ("ImageNet's mean, deviation", 1.0, *_IMAGENET),
)
_LATTICES = {
    "centres": "cells at their centres",
    "corners": "cells half a cell up and left",
    "ends": "cells from edge to edge",
}


@dataclass(frozen=True)
class Variant:
    """A spec with one change.

    name  the change, for display
    mend  the lines to write into the spec
    kind  'place' moves keypoints by less than a heatmap cell, which only distances show; 'score' by more
    """

    name: str
    mend: str
    card: ModelSpec
    kind: Literal["score", "place"] = "score"


def variants_of(card: ModelSpec) -> Iterator[Variant]:
    """Yield the spec with each usual mistake corrected."""
    if HEADS[card.head].takes_select:
        yield from _sides(card)
    other: Literal["RGB", "BGR"] = "BGR" if card.channels == "RGB" else "RGB"
    yield Variant(f"colours as {other}", f'channels = "{other}"', replace(card, channels=other))
    if card.format != "callable":
        yield from _scalings(card)
    for padding in _PADDINGS:
        if padding != card.padding:
            yield Variant(f"crops of box x {padding:g}", f"padding = {padding:g}", replace(card, padding=padding))
    keys = HEADS[card.head].keys
    if "lattice" in keys:
        yield from _lattices(card)
    if "columns" in keys:
        yield from _rows(card)


def _with(card: ModelSpec, **head_keys: object) -> ModelSpec:
    return replace(card, head_keys={**card.head_keys, **head_keys})


def _sides(card: ModelSpec) -> Iterator[Variant]:
    """Swap left and right: read every keypoint from its partner's channel or row."""
    order = card.skeleton.flip_order
    if order == tuple(range(len(order))):
        return
    rows = card.select or tuple(range(len(order)))
    select = tuple(rows[partner] for partner in order)
    yield Variant(SIDES, f"select = {list(select)}", replace(card, select=select))


def _scalings(card: ModelSpec) -> Iterator[Variant]:
    for name, scale, mean, std in _SCALINGS:
        if (scale, mean, std) != (card.scale, card.mean, card.std):
            mend = f"scale = {scale:g}; mean = {list(mean)}; std = {list(std)}"
            yield Variant(name, mend, replace(card, scale=scale, mean=mean, std=std))


def _lattices(card: ModelSpec) -> Iterator[Variant]:
    """Move the cells by up to half a cell."""
    _, allowed = HEADS[card.head].keys["lattice"]
    for lattice in get_args(Lattice):
        if allowed(lattice) and lattice != card.head_keys.get("lattice", "centres"):
            moved = _with(card, lattice=lattice)
            yield Variant(_LATTICES[lattice], f'lattice = "{lattice}"', moved, kind="place")


def _rows(card: ModelSpec) -> Iterator[Variant]:
    """Read coordinates with y before x, or in another unit."""
    swap = {"x": "y", "y": "x"}
    columns = tuple(swap.get(name, name) for name in card.head_keys["columns"])
    yield Variant("x and y swapped", f"columns = {list(columns)}", _with(card, columns=columns))
    for unit in ("pixels", "0..1", "-0.5..0.5"):
        if unit != card.head_keys["unit"]:
            yield Variant(f"coordinates in {unit}", f'unit = "{unit}"', _with(card, unit=unit))
