"""Objects around or in front of a person: seats, tables, boxes, balls, poles, bushes and fences."""

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, Ints
from robustpose.data.synthpose.colours import linear, palette
from robustpose.data.synthpose.kernels import sines
from robustpose.data.synthpose.mesh import TEXTURED, Material, Mesh
from robustpose.data.synthpose.rotation import axis_rotation, turned
from robustpose.data.synthpose.splits import Split

_QUAD = np.array([[0, 1, 2], [0, 2, 3]])
_CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


def material(split: Split, rng: Generator) -> Material:
    """Draw an object's material from the split's textures and palettes."""
    colours = palette(int(rng.integers(split.palettes.start, split.palettes.stop)))
    first, second = rng.choice(len(colours), size=2, replace=False)
    gloss, seed = float(rng.choice([0, 0.1])), int(rng.integers(1 << 20))
    if rng.random() < 0.6:
        red, green, blue = colours[first]
        return Material(
            colour=(0.6 + 0.4 * red, 0.6 + 0.4 * green, 0.6 + 0.4 * blue),
            frequency=float(rng.uniform(0.6, 2.5)),
            gloss=gloss,
            seed=seed,
            kind=TEXTURED,
            texture=int(rng.integers(len(split.textures))),
            grain=0.05,
        )
    return Material(
        colour=colours[first],
        second=colours[second],
        pattern=int(rng.choice([0, 0, 0, 0, 1, 2, 5])),
        frequency=float(rng.uniform(3, 12)),
        angle=float(rng.choice([0, np.pi / 2, np.pi / 4])),
        gloss=gloss,
        seed=seed,
        grain=float(rng.uniform(0, 0.12)),
    )


def _thing(points: Floats, normals: Floats, rest: Floats, faces: Ints, made_of: Material) -> Mesh:
    count = len(points)
    return Mesh(
        points=np.ascontiguousarray(points),
        normals=np.ascontiguousarray(normals),
        rest=np.ascontiguousarray(rest),
        faces=np.ascontiguousarray(faces, dtype=np.int64),
        alpha=np.ones(count),
        parts=np.zeros(count, dtype=np.int64),
        material=made_of,
        owner=0,
    )


def box(centre: Floats, size: tuple[float, float, float], yaw: float, made_of: Material) -> Mesh:
    """Return a box around a centre (3,)."""
    turn = axis_rotation("y", yaw)
    points, normals, rest = [], [], []
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        for side in (-1.0, 1.0):
            corners = np.zeros((4, 3))
            corners[:, axis] = side
            corners[:, [a, b]] = _CORNERS
            corners *= np.array(size) / 2
            normal = np.zeros(3)
            normal[axis] = side
            points.append(turned(turn, corners) + centre)
            normals.append(np.tile(turned(turn, normal), (4, 1)))
            rest.append(np.column_stack([corners[:, a], corners[:, b], np.zeros(4)]))
    faces = np.concatenate([_QUAD + 4 * face for face in range(6)])
    return _thing(np.concatenate(points), np.concatenate(normals), np.concatenate(rest), faces, made_of)


def round_thing(centre: Floats, radius: float, height: float, made_of: Material, *, ball: bool) -> Mesh:
    """Return an upright cylinder, or an ellipsoid, around a centre (3,)."""
    around, rings = 18, 13 if ball else 2
    angle = np.linspace(0, 2 * np.pi, around + 1)
    level = np.repeat(np.linspace(-1, 1, rings), around + 1)
    angle = np.tile(angle, rings)
    cos, sin = sines(angle + np.pi / 2), sines(angle)
    girth = np.sqrt(np.maximum(0, 1 - level**2)) if ball else np.ones_like(level)
    outward = np.column_stack([cos * girth, level if ball else 0 * level, sin * girth])
    points = np.column_stack([cos * girth * radius, level * height / 2, sin * girth * radius])
    normals = outward / (np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9)
    rest = np.column_stack([angle * radius, level * height / 2, 0 * angle])
    i = np.arange(around)[None] + np.arange(rings - 1)[:, None] * (around + 1)
    low, high = i.ravel(), i.ravel() + around + 1
    faces = np.concatenate([np.column_stack([low, high, low + 1]), np.column_stack([low + 1, high, high + 1])])
    return _thing(points + centre, normals, rest, faces, made_of)


def _bush(centre: Floats, size: float, split: Split, rng: Generator) -> Mesh:
    """Return a cloud of leaves around a centre (3,)."""
    leaves = 90
    green = Material(linear(rng.uniform(*split.shades.leaves)), grain=0.3)
    middles = centre + rng.normal(0, 0.3, (leaves, 3)) * size * [1, 1.2, 1]
    middles[:, 1] = np.abs(middles[:, 1])
    directions = rng.normal(0, 1, (leaves, 2, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    long, wide = directions[:, 0] * size * 0.22, directions[:, 1] * size * 0.07
    points = np.stack([middles, middles + long + wide, middles + long - wide], axis=1).reshape(-1, 3)
    normals = np.repeat(np.cross(directions[:, 0], directions[:, 1]), 3, axis=0)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    return _thing(points, normals, points, np.arange(3 * leaves).reshape(-1, 3), green)


def _at(place: Floats, right: float, up: float, forward: float) -> Floats:
    """Return a position (3,) shifted by metres."""
    moved: Floats = place + np.array([right, up, forward])
    return moved


def _table(centre: Floats, rng: Generator, made_of: Material) -> list[Mesh]:
    height, width, yaw = rng.uniform(0.45, 0.95), rng.uniform(0.5, 1.2), rng.uniform(0, 180)
    turn = axis_rotation("y", yaw)
    legs = [
        box(
            centre + turned(turn, np.array([i * width * 0.45, height / 2, j * 0.26])),
            (0.05, height, 0.05),
            yaw,
            made_of,
        )
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    return [box(_at(centre, 0, height, 0), (width, 0.05, 0.6), yaw, made_of), *legs]


def _fence(centre: Floats, rng: Generator, made_of: Material) -> list[Mesh]:
    height, yaw, pickets = rng.uniform(0.7, 1.2), rng.uniform(0, 180), int(rng.integers(3, 7))
    turn = axis_rotation("y", yaw)
    upright = [
        box(
            centre + turned(turn, np.array([(i - pickets / 2) * 0.22, height / 2, 0])),
            (0.05, height, 0.03),
            yaw,
            made_of,
        )
        for i in range(pickets)
    ]
    rails = [
        box(_at(centre, 0, height * at, 0), (pickets * 0.22, 0.05, 0.03), yaw, made_of) for at in (0.25, 0.85)
    ]
    return upright + rails


def clutter(place: Floats, size: float, split: Split, rng: Generator) -> list[Mesh]:
    """Return one object that stands on the floor at a position (3,)."""
    kind, made_of = rng.choice(7, p=[0.24, 0.16, 0.08, 0.08, 0.16, 0.16, 0.12]), material(split, rng)
    if kind == 0:
        height = rng.uniform(0.2, 1.3) * size
        sides = (rng.uniform(0.2, 1) * size, height, rng.uniform(0.2, 0.8) * size)
        return [box(_at(place, 0, height / 2, 0), sides, rng.uniform(0, 90), made_of)]
    if kind == 1:
        height = rng.uniform(0.3, 1.8) * min(size, 1.0)
        return [
            round_thing(_at(place, 0, height / 2, 0), rng.uniform(0.04, 0.3) * size, height, made_of, ball=False)
        ]
    if kind == 2:
        radius = rng.uniform(0.08, 0.3) * size
        return [round_thing(_at(place, 0, radius, 0), radius, 2 * radius, made_of, ball=True)]
    if kind == 3:
        return [round_thing(_at(place, 0, 1.5, 0), rng.uniform(0.02, 0.06), 3.0, made_of, ball=False)]
    if kind == 4:
        return _table(place, rng, made_of)
    if kind == 5:
        return [_bush(_at(place, 0, rng.uniform(0.2, 0.7), 0), rng.uniform(0.4, 1.0) * size, split, rng)]
    return _fence(place, rng, made_of)


def seat(pelvis: Floats, skin: Floats, split: Split, rng: Generator) -> list[Mesh]:
    """Return a box, a stool or a chair that faces +z, as high as the skin (V, 3) under the pelvis (3,)."""
    over = (np.abs(skin[:, [0, 2]] - pelvis[[0, 2]]) < 0.17).all(axis=1) & (skin[:, 1] > pelvis[1] - 0.3)
    height, made_of = max(0.08, float(skin[over, 1].min())), material(split, rng)
    place = np.array([pelvis[0], 0.0, pelvis[2] - 0.05])
    if rng.random() < 0.45:
        return [box(_at(place, 0, height / 2, 0), (0.45, height, 0.42), 0.0, made_of)]
    legs = [
        box(_at(place, i * 0.2, height / 2, j * 0.19), (0.04, height, 0.04), 0.0, made_of)
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    chair = [box(_at(place, 0, height - 0.03, 0), (0.46, 0.06, 0.44), 0.0, made_of), *legs]
    if rng.random() < 0.6:
        chair.append(box(_at(place, 0, height + 0.3, -0.22), (0.44, 0.45, 0.04), 0.0, made_of))
    return chair
