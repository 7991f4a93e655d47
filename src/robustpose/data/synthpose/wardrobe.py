"""Clothes and hair as shells around the body.

A garment is MakeHuman's helper mesh, moved outwards and cut where the alpha of its vertices is negative: at
sleeves, hem, neckline and trouser length. Skin well under cloth is omitted.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, Ints, load_body
from robustpose.data.synthpose.body import HEAD, body_fields
from robustpose.data.synthpose.colours import scaled
from robustpose.data.synthpose.kernels import vertex_normals
from robustpose.data.synthpose.mesh import EYE, PATCHES, SKIN, Material, Mesh
from robustpose.data.synthpose.outfits import Outfit
from robustpose.data.synthpose.shade import scalp


@cache
def _patches() -> dict[str, tuple[Ints, Ints]]:
    """Return the vertices of every drawn mesh, and its triangles as indices into them."""
    faces = dict(load_body().faces)
    fields = body_fields()
    tights, body = faces["tights"], faces["body"]
    low = (fields.part[tights] >= 13).any(axis=1) | (fields.along_leg[tights] > 1.45).any(axis=1)
    faces["shoe"] = tights[low]
    faces["scalp"] = body[(fields.part[body] == HEAD).all(axis=1)]
    patches = {}
    for name, triangles in faces.items():
        vertices, own = np.unique(triangles, return_inverse=True)
        patches[name] = (vertices, np.ascontiguousarray(own.reshape(triangles.shape)))
    return patches


@cache
def _all_faces() -> Ints:
    return np.concatenate(list(load_body().faces.values()))


@cache
def _rest() -> Floats:
    return load_body().vertices.astype(np.float64)


@cache
def _scalp_height() -> Floats:
    """Return scalp() of every vertex (V,); -1 outside the upper head."""
    rest = _rest()
    height = np.array([scalp(*point) for point in rest])
    return np.where((body_fields().part == HEAD) & (rest[:, 1] > 0.66), height, -1.0)


def _top_alpha(outfit: Outfit) -> Floats:
    """Return the alpha of the top (V,): negative where it does not cover the body."""
    f = body_fields()
    if outfit.topless:
        return np.full(len(f.part), -1.0)
    below_neck = (outfit.neckline - f.along_torso) * 0.5
    alpha = np.minimum((f.along_torso - outfit.hem) * 0.5, (outfit.sleeve - f.along_arm) * 0.3)
    alpha = np.minimum(alpha, below_neck)
    return np.where((f.along_leg > -0.1) & (f.along_torso < outfit.hem), -1.0, alpha)


def _trouser_alpha(outfit: Outfit) -> Floats:
    f = body_fields()
    alpha = np.minimum((outfit.trouser - f.along_leg) * 0.4, (outfit.waist - f.along_torso) * 0.5)
    return np.where((f.part >= 3) & (f.part <= 8), -1.0, alpha)


def _shoe_alpha(outfit: Outfit) -> Floats:
    f = body_fields()
    if outfit.shoe_height is None:
        return np.full(len(f.part), -1.0)
    return np.where(f.along_leg > 0, (f.along_leg - outfit.shoe_height) * 0.4, -1.0)


def dress(outfit: Outfit, posed: Floats, owner: int, rng: Generator) -> list[Mesh]:
    """Return the meshes of a posed body (V, 3) in an outfit: skin, eyes, garments, shoes, hair."""
    fields, patches, rest = body_fields(), _patches(), _rest()
    normals = np.empty_like(posed)
    vertex_normals(posed, _all_faces(), normals)
    top, trousers, shoes = _top_alpha(outfit), _trouser_alpha(outfit), _shoe_alpha(outfit)

    def patch(name: str, alpha: Floats, material: Material) -> Mesh:
        vertices, faces = patches[name]
        return Mesh(
            posed[vertices], normals[vertices], rest[vertices], faces, alpha[vertices], fields.part[vertices],
            material, owner,
        )  # fmt: skip

    def shell(name: str, alpha: Floats, thickness: float | Floats, material: Material) -> Mesh:
        flat = patch(name, alpha, material)
        points = flat.points + flat.normals * np.broadcast_to(thickness, len(flat.points))[:, None]
        own_normals = np.empty_like(points)
        vertex_normals(points, flat.faces, own_normals)
        return replace(flat, points=points, normals=own_normals)

    skin = Material(
        colour=outfit.skin, gloss=outfit.gloss, seed=outfit.seed, kind=SKIN, grain=0.05,
        hair=outfit.hair, hairline=outfit.hairline, beard=outfit.beard,
    )  # fmt: skip
    eye = Material(colour=(0.75, 0.73, 0.7), second=scaled(outfit.eyes, 0.5), kind=EYE, gloss=0.3)
    uncovered = 0.012 - np.maximum(np.maximum(top, trousers), shoes)
    everywhere = np.ones(len(posed))
    meshes = [
        patch("body", uncovered, skin),
        *(patch(name, everywhere, eye) for name in ("left_eye", "right_eye")),
    ]

    tights = patches["tights"][0]
    uneven = rng.normal(0, 0.0015, len(tights))
    if not outfit.topless:
        flare = 0.5 + 0.5 * np.clip(fields.along_arm[tights] + 0.15, 0, 1)
        meshes.append(shell("tights", top, 0.004 + uneven + outfit.top_looseness * flare, outfit.top))
    flare = np.clip(fields.along_leg[tights] * 0.8 + 0.2, 0.1, 1.2)
    loose = outfit.trouser_looseness * flare if outfit.skirt is None else 0.0
    meshes.append(shell("tights", trousers, 0.0025 + uneven + loose, outfit.bottom))
    if outfit.skirt is not None:
        height = rest[patches["skirt"][0], 1]
        cut = height.max() - np.ptp(height) * outfit.skirt
        meshes.append(shell("skirt", rest[:, 1] - cut, float(rng.uniform(0.004, 0.02)), outfit.bottom))
    if outfit.shoe_height is not None:
        meshes.append(shell("shoe", shoes, float(rng.uniform(0.006, 0.014)), outfit.shoes))
    if not outfit.bald:
        meshes += _hair(outfit, shell)
    return meshes


def _hair(outfit: Outfit, shell: Callable[[str, Floats, float | Floats, Material], Mesh]) -> list[Mesh]:
    """Return the meshes of the hair: on the scalp, hanging behind, and a cap."""
    rest, above = _rest(), _scalp_height() - outfit.hairline - 0.004
    strands = Material(
        colour=outfit.hair, second=scaled(outfit.hair, 0.5), pattern=PATCHES, frequency=40, gloss=0.12,
        wrinkles=0.5, seed=outfit.seed, grain=0.25,
    )  # fmt: skip
    meshes = [shell("scalp", above * 0.5, outfit.hair_volume, strands)]
    if outfit.long_hair is not None:
        y, z = rest[:, 1], rest[:, 2]
        behind = np.minimum(y - outfit.long_hair, np.where(y > 0.8, 1.0, 0.05 - z))  # never over the face
        hangs = (y > outfit.long_hair) & ((z < 0.045) | (y > 0.8))
        meshes.append(shell("hair", np.where(hangs, behind, -1.0) * 0.5, -0.004, strands))
    if outfit.cap is not None:
        meshes.append(shell("scalp", np.where(rest[:, 1] > 0.78, above, -1.0), 0.027, outfit.cap))
    return meshes
