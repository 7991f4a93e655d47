"""The resources of each split. The splits share no panorama, texture, palette, shade or random stream."""

import operator
from dataclasses import dataclass

from robustpose.data.synthpose.mesh import Colour
from robustpose.errors import RobustPoseError, unknown_name

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Shades:
    """Display colours of things that have few colours in reality; each split has its own."""

    denim: tuple[Colour, Colour, Colour, Colour]  # of trousers: blue, black, sand, washed
    shoe: Colour
    sole: Colour
    leaves: tuple[Colour, Colour]  # of bushes, from one to the other


@dataclass(frozen=True)
class Split:
    """The resources that one split may use."""

    number: int  # first entry of every seed
    people: int | None  # their number; None: unlimited
    panoramas: tuple[str, ...]
    textures: range  # seeds of procedural textures
    palettes: range  # seeds of garment colours
    shades: Shades


_SPLITS = {
    "train": Split(
        number=0,
        people=None,
        panoramas=(
            "apartment", "bridge", "dawn", "esplanade", "hall", "lab",
            "night", "park", "sky", "studio", "venice", "workshop",
        ),
        textures=range(48),
        palettes=range(10_000),
        shades=Shades(
            denim=((0.13, 0.17, 0.30), (0.08, 0.08, 0.10), (0.30, 0.27, 0.22), (0.25, 0.33, 0.50)),
            shoe=(0.12, 0.1, 0.1),
            sole=(0.9, 0.9, 0.88),
            leaves=((0.08, 0.25, 0.05), (0.35, 0.5, 0.22)),
        ),
    ),
    "val": Split(
        number=1,
        people=1000,
        panoramas=("city", "lobby", "sunrise"),
        textures=range(48, 64),
        palettes=range(10_000, 12_000),
        shades=Shades(
            denim=((0.11, 0.18, 0.28), (0.10, 0.09, 0.09), (0.33, 0.28, 0.20), (0.29, 0.36, 0.48)),
            shoe=(0.10, 0.10, 0.13),
            sole=(0.92, 0.88, 0.84),
            leaves=((0.36, 0.51, 0.05), (0.45, 0.62, 0.15)),
        ),
    ),
    "test": Split(
        number=2,
        people=1000,
        panoramas=("forest", "sunset", "warehouse"),
        textures=range(64, 80),
        palettes=range(12_000, 14_000),
        shades=Shades(
            denim=((0.15, 0.19, 0.33), (0.07, 0.09, 0.10), (0.31, 0.25, 0.21), (0.22, 0.34, 0.47)),
            shoe=(0.14, 0.11, 0.08),
            sole=(0.87, 0.90, 0.92),
            leaves=((0.08, 0.38, 0.23), (0.30, 0.49, 0.34)),
        ),
    ),
}  # fmt: skip


def split_named(name: str) -> Split:
    """Return a split; raises RobustPoseError for an unknown name."""
    if name not in _SPLITS:
        raise unknown_name("split of synthpose", name, _SPLITS)
    return _SPLITS[name]


def whole_number(name: str, value: object) -> int:
    """Return a value as an int; RobustPoseError where it is not an integer."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise RobustPoseError(f"{name} of synthpose: expected a whole number, got {value!r}") from None


def check_indices(name: str, start: int, stop: int) -> None:
    """Raise RobustPoseError unless start..stop are people of the split."""
    people = split_named(name).people
    start, stop = whole_number("people", start), whole_number("people", stop)
    if start < 0 or stop < start or (people is not None and stop > people):
        given = f"{start}" if stop == start + 1 else f"{start} to {stop - 1}"
        last = " and up" if people is None else f" to {people - 1}"
        raise RobustPoseError(f"split {name!r} of synthpose: people are 0{last}, got {given}")
