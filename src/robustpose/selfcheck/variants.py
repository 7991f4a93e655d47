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
    spec: ModelSpec
    kind: Literal["score", "place"] = "score"


def variants_of(spec: ModelSpec) -> Iterator[Variant]:
    """Yield the spec with each usual mistake corrected."""
    if HEADS[spec.head].takes_select:
        yield from _sides(spec)
    other: Literal["RGB", "BGR"] = "BGR" if spec.channels == "RGB" else "RGB"
    yield Variant(f"colours as {other}", f'channels = "{other}"', replace(spec, channels=other))
    if spec.format != "callable":
        yield from _scalings(spec)
    for padding in _PADDINGS:
        if padding != spec.padding:
            yield Variant(f"crops of box x {padding:g}", f"padding = {padding:g}", replace(spec, padding=padding))
    keys = HEADS[spec.head].keys
    if "lattice" in keys:
        yield from _lattices(spec)
    if "columns" in keys:
        yield from _rows(spec)


def _with(spec: ModelSpec, **head_keys: object) -> ModelSpec:
    return replace(spec, head_keys={**spec.head_keys, **head_keys})


def _sides(spec: ModelSpec) -> Iterator[Variant]:
    """Swap left and right: read every keypoint from its partner's channel or row."""
    order = spec.skeleton.flip_order
    if order == tuple(range(len(order))):
        return
    rows = spec.select or tuple(range(len(order)))
    select = tuple(rows[partner] for partner in order)
    yield Variant(SIDES, f"select = {list(select)}", replace(spec, select=select))


def _scalings(spec: ModelSpec) -> Iterator[Variant]:
    for name, scale, mean, std in _SCALINGS:
        if (scale, mean, std) != (spec.scale, spec.mean, spec.std):
            mend = f"scale = {scale:g}; mean = {list(mean)}; std = {list(std)}"
            yield Variant(name, mend, replace(spec, scale=scale, mean=mean, std=std))


def _lattices(spec: ModelSpec) -> Iterator[Variant]:
    """Move the cells by up to half a cell."""
    _, allowed = HEADS[spec.head].keys["lattice"]
    for lattice in get_args(Lattice):
        if allowed(lattice) and lattice != spec.head_keys.get("lattice", "centres"):
            moved = _with(spec, lattice=lattice)
            yield Variant(_LATTICES[lattice], f'lattice = "{lattice}"', moved, kind="place")


def _rows(spec: ModelSpec) -> Iterator[Variant]:
    """Read coordinates with y before x, or in another unit."""
    swap = {"x": "y", "y": "x"}
    columns = tuple(swap.get(name, name) for name in spec.head_keys["columns"])
    yield Variant("x and y swapped", f"columns = {list(columns)}", _with(spec, columns=columns))
    for unit in ("pixels", "0..1", "-0.5..0.5"):
        if unit != spec.head_keys["unit"]:
            yield Variant(f"coordinates in {unit}", f'unit = "{unit}"', _with(spec, unit=unit))
