"""Counterfactuals: the same person with one factor of the scene changed, all else drawn by the same numbers.

'synthpose:val,light=shade' are the people of val, each in the shade. A person's shape, pose, clothes, camera,
things, place and light are drawn step by step (streams.py), and a change replaces the outcome of one step. What
follows from physics changes with it: a person who lies holds nothing, and another pose casts another shadow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats
from robustpose.data.synthpose.camera import Viewpoint
from robustpose.data.synthpose.colours import linear
from robustpose.data.synthpose.light import LightDraw
from robustpose.data.synthpose.mesh import PLAIN, SOLID, Material
from robustpose.data.synthpose.outfits import Outfit, clothes
from robustpose.data.synthpose.rotation import length
from robustpose.data.synthpose.splits import Split
from robustpose.errors import RobustPoseError, unknown_name

FRAMES = 30
"""Frames of a motion; at 30 a second, one second."""

_REACH = 0.5
"""How far towards another pose of the action a motion goes."""

_PAN = 4.0
"""Degrees by which the camera goes around the person during a motion."""


@dataclass(frozen=True)
class Edit:
    """What a change does to a scene while it is drawn; as it stands, nothing.

    light      (light, the camera's axes (3, 3)) -> light
    outfit     (outfit, split, generator) -> outfit
    tone       of the skin: 0 lightest to 6 darkest
    viewpoint  (viewpoint) -> viewpoint
    place      what is behind the person: another panorama, or a wall
    others     how many other people there are
    action     what the person does
    farther    times the distance of the camera, by the same lens
    coarser    how many pixels become one each way, as in a photo from farther away
    motion     how far the person is on the way to another pose, in [0, 1]
    """

    light: Callable[[LightDraw, Floats], LightDraw] | None = None
    outfit: Callable[[Outfit, Split, Generator], Outfit] | None = None
    tone: float | None = None
    viewpoint: Callable[[Viewpoint], Viewpoint] | None = None
    place: Literal["panorama", "wall"] | None = None
    others: int | None = None
    action: str = ""
    farther: float = 1.0
    coarser: int = 1
    motion: float | None = None


AS_DRAWN = Edit()


@dataclass(frozen=True)
class FactorSpec:
    """A factor of the scene.

    summary  one line that says what changes
    levels   the values that it can be set to, each with what it does
    version  raised when a level renders something else; part of the fingerprint of people with the change
    """

    summary: str
    levels: Mapping[str, Edit] = field(repr=False)
    version: int = 1


def _aimed(key: Callable[[Floats], Floats], *, strength: float, around: float) -> Edit:
    """Put the key light in a direction, given by the camera's axes, and scale the light from around."""

    def changed(light: LightDraw, axes: Floats) -> LightDraw:
        towards = key(axes)
        return replace(
            light,
            key=towards / length(towards),
            key_colour=light.key_colour / light.strength * strength,
            strength=strength,
            harmonics=light.harmonics * around,
        )

    return Edit(light=changed)


def _along_the_floor(axis: Floats, *, up: float) -> Floats:
    flat: Floats = axis * [1.0, 0.0, 1.0]
    towards: Floats = flat / (length(flat) + 1e-9) + np.array([0.0, up, 0.0])
    return towards


def _shaded(light: LightDraw, axes: Floats) -> LightDraw:
    return replace(light, exposure=0.35 * light.exposure)


def _dressed(outfit: Outfit, split: Split, rng: Generator) -> Outfit:
    top, bottom, shoes = clothes(split, rng)
    return replace(outfit, top=top, bottom=bottom, shoes=shoes)


def _all_in(level: float) -> Edit:
    """Dress a person in one plain colour, of so much of the light of white."""

    def plain(material: Material) -> Material:
        return replace(material, colour=linear((level,) * 3), pattern=SOLID, kind=PLAIN)

    def changed(outfit: Outfit, split: Split, rng: Generator) -> Outfit:
        return replace(outfit, top=plain(outfit.top), bottom=plain(outfit.bottom), shoes=plain(outfit.shoes))

    return Edit(outfit=changed)


def _bald(outfit: Outfit, split: Split, rng: Generator) -> Outfit:
    return replace(outfit, bald=True, hairline=0.4, long_hair=None, cap=None)


def _long_haired(outfit: Outfit, split: Split, rng: Generator) -> Outfit:
    return replace(outfit, bald=False, hairline=0.0, long_hair=0.45, cap=None)


def _capped(outfit: Outfit, split: Split, rng: Generator) -> Outfit:
    cap = replace(clothes(split, rng)[0], wrinkles=0.1)
    return replace(outfit, bald=False, hairline=0.0, long_hair=None, cap=cap)


def _from_height(degrees: float) -> Edit:
    return Edit(viewpoint=lambda view: replace(view, elevation=degrees))


def _through_lens(degrees: float) -> Edit:
    return Edit(viewpoint=lambda view: replace(view, fov=degrees))


LIGHT = FactorSpec(
    "The light on the person: in the shade, from behind, from the side, without a key light",
    {
        "shade": Edit(light=_shaded),
        "behind": _aimed(lambda axes: _along_the_floor(axes[2], up=0.4), strength=1.4, around=0.6),
        "side": _aimed(lambda axes: _along_the_floor(axes[0], up=0.3), strength=1.4, around=0.6),
        "flat": _aimed(lambda axes: np.array([0.0, 1.0, 0.0]), strength=0.05, around=1.2),
    },
)
CLOTHES = FactorSpec(
    "Colours and patterns of the clothes: others, all black, all white; the cut stays",
    {"others": Edit(outfit=_dressed), "black": _all_in(0.06), "white": _all_in(0.92)},
)
SKIN = FactorSpec("The tone of the skin", {"light": Edit(tone=0.5), "dark": Edit(tone=5.5)})
HAIR = FactorSpec(
    "The hair: none, long, under a cap",
    {"none": Edit(outfit=_bald), "long": Edit(outfit=_long_haired), "cap": Edit(outfit=_capped)},
)
BACKGROUND = FactorSpec(
    "What is behind the person, in the same light: another place of the split, a plain wall",
    {"elsewhere": Edit(place="panorama"), "wall": Edit(place="wall")},
)
CAMERA_HEIGHT = FactorSpec(
    "How far above the person's middle the camera looks from, in degrees",
    {"-15": _from_height(-15), "0": _from_height(0), "30": _from_height(30), "60": _from_height(60)},
)
DISTANCE = FactorSpec(
    "The camera farther away by the same lens: fewer pixels on the person",
    {"2x": Edit(farther=2.0, coarser=2), "4x": Edit(farther=4.0, coarser=4)},
)
LENS = FactorSpec(
    "The photo's angle of view in degrees, from the distance at which the person fills as much of it",
    {"20": _through_lens(20), "65": _through_lens(65), "90": _through_lens(90)},
)
CROWD = FactorSpec("Other people: none, one on each side", {"alone": Edit(others=0), "two": Edit(others=2)})
ACTION = FactorSpec(
    "What the person does",
    {name: Edit(action=name) for name in ("standing", "sitting", "crouching", "kicking", "lying")},
)


FACTORS: dict[str, FactorSpec] = {
    "light": LIGHT,
    "clothes": CLOTHES,
    "skin": SKIN,
    "hair": HAIR,
    "background": BACKGROUND,
    "camera-height": CAMERA_HEIGHT,
    "distance": DISTANCE,
    "lens": LENS,
    "crowd": CROWD,
    "action": ACTION,
}


def edit_named(change: str) -> Edit:
    """Return what a change such as 'light=shade' or 'frame=7' does; RobustPoseError for an unknown one."""
    factor, _, level = change.partition("=")
    if factor == "frame":
        return _frame(level)
    if factor not in FACTORS:
        raise unknown_name("factor of synthpose", factor, (*FACTORS, "frame"))
    levels = FACTORS[factor].levels
    if level not in levels:
        raise unknown_name(f"value of the factor {factor}", level, levels)
    return levels[level]


def version_of(change: str) -> int:
    """Return the version of what a change renders."""
    factor = change.partition("=")[0]
    return MOTION_VERSION if factor == "frame" else FACTORS[factor].version


MOTION_VERSION = 1


def _frame(text: str) -> Edit:
    """Go a share of the way, slowly at both ends, and around the person meanwhile."""
    if not text.isdecimal() or int(text) >= FRAMES:
        raise RobustPoseError(f"a frame of a motion is 0 to {FRAMES - 1}, got {text!r}")
    share = (1 - np.cos(np.pi * int(text) / (FRAMES - 1))) / 2
    turn = float(_PAN * share)
    return Edit(
        motion=float(_REACH * share),
        viewpoint=lambda view: replace(view, azimuth=float((view.azimuth + turn + 180) % 360 - 180)),
    )
