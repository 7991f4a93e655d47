"""A mesh with its material, and many meshes packed for the compiled loops."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from robustpose.data.synthpose.assets import Floats, Ints

Colour = tuple[float, float, float]
"""Linear light, red, green, blue, each in [0, 1]."""

PLAIN, SKIN, TEXTURED, EYE = 0, 1, 2, 3
"""Kinds of material."""

SOLID, STRIPES, CHECKS, DOTS, PATCHES, PLAID, LOGO, TWO_TONE = range(8)
"""Patterns of cloth."""


@dataclass(frozen=True)
class Material:
    """The appearance of a surface; lengths and frequencies are in metres of the rest pose."""

    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)  # of the pattern; of an eye its iris
    pattern: int = SOLID
    frequency: float = 10.0  # repeats a metre
    angle: float = 0.0  # radians; of TWO_TONE the height of the line
    gloss: float = 0.0
    wrinkles: float = 0.0
    seed: int = 0  # of its noise
    kind: int = PLAIN
    texture: int = 0
    grain: float = 0.0  # how much fine noise
    hair: Colour = (0.0, 0.0, 0.0)  # of SKIN: scalp, brows, beard
    hairline: float = 0.0
    beard: float = 0.0

    def row(self) -> list[float]:
        """Return all fields as a flat list of numbers: a row of Surfaces.materials."""
        row: list[float] = []
        for field in fields(self):
            value = getattr(self, field.name)
            row += value if isinstance(value, tuple) else [value]
        return row


@dataclass(frozen=True)
class Mesh:
    """One surface of one object: V vertices, F triangles."""

    points: Floats  # (V, 3) world, metres
    normals: Floats  # (V, 3)
    rest: Floats  # (V, 3) where colours and patterns are looked up
    faces: Ints  # (F, 3)
    alpha: Floats  # (V,) negative: cut away
    parts: Ints  # (V,) of the body, 0 for things
    material: Material
    owner: int  # 1 the person, 2 another person, 0 a thing


class Surfaces(NamedTuple):
    """Many meshes in one, in the format of the compiled loops."""

    points: Floats
    normals: Floats
    rest: Floats
    faces: Ints
    alpha: Floats
    parts: Ints
    face_material: Ints
    face_owner: Ints
    materials: Floats


def pack(meshes: list[Mesh]) -> Surfaces:
    """Join meshes; the material of mesh i is row i."""
    starts = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    counts = [len(mesh.faces) for mesh in meshes]
    return Surfaces(
        points=np.concatenate([mesh.points for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        rest=np.concatenate([mesh.rest for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]),
        alpha=np.concatenate([mesh.alpha for mesh in meshes]),
        parts=np.concatenate([mesh.parts for mesh in meshes]),
        face_material=np.repeat(np.arange(len(meshes)), counts),
        face_owner=np.repeat([mesh.owner for mesh in meshes], counts),
        materials=np.array([mesh.material.row() for mesh in meshes], dtype=np.float64),
    )
