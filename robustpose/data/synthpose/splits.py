"""What each split may draw from. The splits share nothing: no panorama, texture, palette or random stream."""

from dataclasses import dataclass

from robustpose.errors import RobustPoseError, unknown_name

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """The part of the world that one split may use."""

    number: int  # first entry of every seed
    people: int | None  # how many there are; None: endless
    panoramas: tuple[str, ...]
    textures: range  # seeds of procedural textures
    palettes: range  # seeds of garment colours


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
    ),
    "val": Split(
        number=1,
        people=1000,
        panoramas=("city", "lobby", "sunrise"),
        textures=range(48, 64),
        palettes=range(10_000, 12_000),
    ),
    "test": Split(
        number=2,
        people=1000,
        panoramas=("forest", "sunset", "warehouse"),
        textures=range(64, 80),
        palettes=range(12_000, 14_000),
    ),
}  # fmt: skip


def split_named(name: str) -> Split:
    """Return a split; raises RobustPoseError for an unknown name."""
    if name not in _SPLITS:
        raise unknown_name("split of synthpose", name, _SPLITS)
    return _SPLITS[name]


def check_indices(name: str, start: int, stop: int) -> None:
    """Raise RobustPoseError unless start..stop are people of the split."""
    people = split_named(name).people
    if start < 0 or stop < start or (people is not None and stop > people):
        given = f"{start}" if stop == start + 1 else f"{start} to {stop - 1}"
        last = " and up" if people is None else f" to {people - 1}"
        raise RobustPoseError(f"split {name!r} of synthpose: people are 0{last}, got {given}")
