"""Held objects: phones, bottles, books, balls, bags, sticks, rackets, umbrellas."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, load_body
from robustpose.data.synthpose.mesh import Material, Mesh
from robustpose.data.synthpose.people import Person
from robustpose.data.synthpose.props import box, material, round_thing
from robustpose.data.synthpose.rotation import aligning_rotation, length, turned
from robustpose.data.synthpose.splits import Split

NOTHING = "nothing"

_CHANCE = 0.16

_GRIP = 0.08
"""Distance of the grip from the wrist along the forearm, in metres."""

_UP = np.array([0.0, 1.0, 0.0])


def held_thing(person: Person, split: Split, rng: Generator) -> tuple[str, list[Mesh]]:
    """Draw an object in one hand, or nothing: its name, and its meshes in the scene."""
    side, chance = rng.choice(["r", "l"]), rng.random()
    if chance >= _CHANCE or not person.upright:
        return NOTHING, []
    name = str(rng.choice(list(_THINGS)))
    bones = load_body().bones
    wrist, elbow = (person.joints[bones.index(f"{bone}_{side}")] for bone in ("hand", "lowerarm"))
    forearm = (wrist - elbow) / length(wrist - elbow)
    meshes = _THINGS[name](rng, material(split, rng))
    turn = np.eye(3) if name in _HANGING else _across(forearm, rng)
    return name, [_moved(mesh, turn, wrist + _GRIP * forearm) for mesh in meshes]


def _across(forearm: Floats, rng: Generator) -> Floats:
    """Return a rotation (3, 3) of the object's upright axis perpendicular to the forearm."""
    sideways = np.cross(forearm, rng.normal(0, 1, 3))
    upright = sideways + 0.3 * _UP * length(sideways)
    if upright[1] < 0:
        upright = -upright
    return aligning_rotation(_UP, upright)


def _moved(mesh: Mesh, turn: Floats, place: Floats) -> Mesh:
    return replace(
        mesh,
        points=np.ascontiguousarray(turned(turn, mesh.points) + place),
        normals=np.ascontiguousarray(turned(turn, mesh.normals)),
    )


def _above(height: float) -> Floats:
    """Return the point (3,) `height` metres above the grip, or below if negative."""
    return np.array([0.0, height, 0.0])


def _phone(rng: Generator, made_of: Material) -> list[Mesh]:
    return [box(_above(0.03), (0.075, 0.15, 0.01), 0.0, made_of)]


def _book(rng: Generator, made_of: Material) -> list[Mesh]:
    return [box(_above(0.05), (float(rng.uniform(0.14, 0.3)), 0.24, 0.025), 0.0, made_of)]


def _bottle(rng: Generator, made_of: Material) -> list[Mesh]:
    return [
        round_thing(_above(0.02), 0.035, 0.2, made_of, ball=False),
        round_thing(_above(0.15), 0.015, 0.06, made_of, ball=False),
    ]


def _ball(rng: Generator, made_of: Material) -> list[Mesh]:
    radius = float(rng.uniform(0.04, 0.13))
    return [round_thing(_above(radius), radius, 2 * radius, made_of, ball=True)]


def _stick(rng: Generator, made_of: Material) -> list[Mesh]:
    length = float(rng.uniform(0.5, 1.3))
    return [round_thing(_above(0.3 * length), 0.015, length, made_of, ball=False)]


def _racket(rng: Generator, made_of: Material) -> list[Mesh]:
    handle = round_thing(_above(0.12), 0.015, 0.4, made_of, ball=False)
    return [handle, box(_above(0.45), (0.24, 0.3, 0.02), 0.0, made_of)]


def _umbrella(rng: Generator, made_of: Material) -> list[Mesh]:
    handle = round_thing(_above(0.3), 0.01, 0.8, made_of, ball=False)
    return [handle, round_thing(_above(0.68), float(rng.uniform(0.3, 0.5)), 0.18, made_of, ball=True)]


def _bag(rng: Generator, made_of: Material) -> list[Mesh]:
    width, height = float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.2, 0.4))
    strap = box(_above(-0.06), (0.03, 0.14, 0.02), 0.0, made_of)
    return [strap, box(_above(-0.12 - height / 2), (width, height, 0.12), 0.0, made_of)]


_THINGS: dict[str, Callable[[Generator, Material], list[Mesh]]] = {
    "phone": _phone,
    "book": _book,
    "bottle": _bottle,
    "ball": _ball,
    "stick": _stick,
    "racket": _racket,
    "umbrella": _umbrella,
    "bag": _bag,
}

_HANGING = frozenset({"bag"})
