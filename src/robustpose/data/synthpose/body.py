"""The body in the rest pose: phenotype, shape from MakeHuman's blendshapes, positions of vertices on the body."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import BodyAssets, Floats, Floats32, Ints, load_body
from robustpose.data.synthpose.kernels import blend_shapes
from robustpose.data.synthpose.rotation import inner

PARTS: tuple[str, ...] = (
    "background", "head", "torso", "right_upper_arm", "left_upper_arm", "right_forearm", "left_forearm",
    "right_hand", "left_hand", "right_thigh", "left_thigh", "right_calf", "left_calf", "right_foot", "left_foot",
)  # fmt: skip
"""The classes of the segmentation."""

HEAD = 1

_PART_OF_BONE = {
    "head": "head", "neck": "head", "upperarm": "upper_arm", "lowerarm": "forearm",
    "hand": "hand", "index": "hand", "middle": "hand", "ring": "hand", "pinky": "hand", "thumb": "hand",
    "thigh": "thigh", "calf": "calf", "foot": "foot", "ball": "foot",
}  # fmt: skip
"""The body part that a bone moves, by the first word of its name; all other bones move the torso."""


@dataclass(frozen=True)
class Phenotype:
    """Parameters of a body: gender 0 (woman) to 1 (man), age 0 child, 0.5 young, 1 old, the rest in [0, 1]."""

    gender: float
    age: float
    muscle: float
    weight: float
    ancestry: tuple[float, float, float]  # african, asian, caucasian; sums to 1
    tone: float  # of the skin: 0 lightest to 6 darkest


@dataclass(frozen=True)
class Shape:
    """A body of a phenotype in the rest pose, in metres."""

    vertices: Floats32  # (V, 3)
    heads: Floats  # (B, 3) where bones begin
    tails: Floats  # (B, 3) where bones end


@dataclass(frozen=True)
class Fields:
    """Positions of the vertices (V,) on the neutral body, which define garments and truth."""

    part: Ints  # index into PARTS
    along_arm: Floats  # 0 shoulder, 1 elbow, 2 wrist; below 0 off the arm
    along_leg: Floats  # 0 hip, 1 knee, 2 ankle; below 0 off the leg
    along_torso: Floats  # 0 hips, 1 neck
    head_vertices: Ints  # of the body, from the chin up
    landmarks: dict[str, int]  # vertices: crown, nose, eyes, ears
    skin_vertices: Ints  # of the body itself, no shells


def sample_phenotype(rng: Generator) -> Phenotype:
    """Draw a phenotype: as many women as men, 12 % children, uniform skin tones."""
    kind = rng.random()
    gender = 0.0 if kind < 0.45 else 1.0 if kind < 0.9 else float(rng.random())
    age = 0.5
    if kind_of_age := _pick(rng, 0.12, 0.2):
        age = float(rng.uniform(0.05, 0.4)) if kind_of_age == 1 else float(rng.uniform(0.6, 1.0))
    tone = float(rng.uniform(0, 6))
    dark = tone / 6
    african, asian, caucasian = rng.dirichlet([0.2 + 2 * dark**2, 0.7, 0.2 + 2 * (1 - dark) ** 2])
    return Phenotype(
        gender=gender,
        age=age,
        muscle=float(np.clip(rng.normal(0.5, 0.22), 0, 1)),
        weight=float(np.clip(rng.normal(0.5, 0.22), 0, 1)),
        ancestry=(float(african), float(asian), float(caucasian)),
        tone=tone,
    )


def _pick(rng: Generator, first: float, second: float) -> int:
    """Return 1 or 2 with these probabilities, otherwise 0."""
    draw = rng.random()
    return 1 if draw < first else 2 if draw < first + second else 0


def _three_way(value: float, names: tuple[str, str, str]) -> dict[str, float]:
    """Interpolate a value in [0, 1] between three names at 0, 0.5 and 1."""
    low, middle, high = names
    return {low: max(0.0, 1 - 2 * value), middle: 1 - abs(2 * value - 1), high: max(0.0, 2 * value - 1)}


def target_amounts(phenotype: Phenotype) -> dict[str, float]:
    """Return the non-zero weights of the blendshapes of a phenotype."""
    genders = {"female": 1 - phenotype.gender, "male": phenotype.gender}
    ages = _three_way(phenotype.age, ("child", "young", "old"))
    muscles = _three_way(phenotype.muscle, ("minmuscle", "averagemuscle", "maxmuscle"))
    weights = _three_way(phenotype.weight, ("minweight", "averageweight", "maxweight"))
    origins = dict(zip(("african", "asian", "caucasian"), phenotype.ancestry, strict=True))
    amounts: dict[str, float] = {}
    for gender, of_gender in genders.items():
        for age, of_age in ages.items():
            share = of_gender * of_age
            for origin, of_origin in origins.items():
                amounts[f"{origin}-{gender}-{age}"] = share * of_origin
            for muscle, of_muscle in muscles.items():
                for weight, of_weight in weights.items():
                    amounts[f"universal-{gender}-{age}-{muscle}-{weight}"] = share * of_muscle * of_weight
    return {name: amount for name, amount in amounts.items() if amount > 0}


def shape_body(phenotype: Phenotype) -> Shape:
    """Apply the blendshapes of a phenotype to the neutral body."""
    body = load_body()
    amounts = target_amounts(phenotype)
    used = np.array([body.target_names.index(name) for name in amounts])
    share = np.array(list(amounts.values()))
    vertices = np.empty(body.vertices.size, np.float32)
    blend_shapes(body.vertices.ravel(), body.targets, used, share.astype(np.float32), vertices)
    return Shape(
        vertices=vertices.reshape(-1, 3),
        heads=_blended(body.heads, body.target_heads[used], share),
        tails=_blended(body.tails, body.target_tails[used], share),
    )


def _blended(neutral: Floats, displacements: Floats, amounts: Floats) -> Floats:
    """Return neutral (B, 3) plus amounts (T,) times displacements (T, B, 3), summed in a fixed order."""
    total = np.zeros_like(neutral)
    for displacement, amount in zip(displacements, amounts, strict=True):
        total += amount * displacement
    return neutral + total


@cache
def body_fields() -> Fields:
    """Compute the fields of the neutral body."""
    body = load_body()
    part = np.array([_part_number(name) for name in body.bones])[body.skin_bones[:, 0]]
    along_arm, along_leg = _along_limbs(body, part)
    height = body.vertices[:, 1].astype(np.float64)
    hips, neck = (body.heads[body.bones.index(bone), 1] for bone in ("thigh_r", "neck_01"))
    along_torso = (height - hips) / (neck - hips)
    along_torso[(part >= 3) & (part <= 8)] = 0.85

    skin = np.unique(body.faces["body"])
    above_chin = height - body.heads[body.bones.index("head"), 1] > -0.03
    whole_head = (part[body.faces["body"]] == HEAD).all(axis=1)
    head = np.unique(body.faces["body"][whole_head])
    head = head[above_chin[head]]
    return Fields(
        part=part,
        along_arm=along_arm,
        along_leg=along_leg,
        along_torso=along_torso,
        head_vertices=head,
        landmarks=_landmarks(body, head),
        skin_vertices=skin,
    )


def _part_number(bone: str) -> int:
    name = _PART_OF_BONE.get(bone.split("_")[0], "torso")
    if name not in ("head", "torso"):
        name = ("right_" if bone.endswith("_r") else "left_") + name
    return PARTS.index(name)


def _along_limbs(body: BodyAssets, part: Ints) -> tuple[Floats, Floats]:
    along_arm = np.full(len(part), -0.15)
    along_leg = np.full(len(part), -0.2)

    def share(first: str, last: str, mask: Ints) -> Floats:
        """Return the relative position of the masked vertices between the heads of two bones."""
        start, end = (body.heads[body.bones.index(name)] for name in (first, last))
        axis = end - start
        way: Floats = inner(body.vertices[mask] - start, axis) / inner(axis, axis)
        return way

    for suffix, side in (("r", "right"), ("l", "left")):

        def of(name: str, side: str = side) -> Ints:
            return np.flatnonzero(part == PARTS.index(f"{side}_{name}"))

        upper, lower = of("upper_arm"), of("forearm")
        along_arm[upper] = np.clip(share(f"upperarm_{suffix}", f"lowerarm_{suffix}", upper), -0.1, 1)
        along_arm[lower] = 1 + np.clip(share(f"lowerarm_{suffix}", f"hand_{suffix}", lower), 0, 1)
        along_arm[of("hand")] = 2.3
        thigh, calf, foot = of("thigh"), of("calf"), of("foot")
        along_leg[thigh] = np.clip(share(f"thigh_{suffix}", f"calf_{suffix}", thigh), -0.2, 1)
        along_leg[calf] = 1 + np.clip(share(f"calf_{suffix}", f"foot_{suffix}", calf), 0, 1)
        ankle = body.heads[body.bones.index(f"foot_{suffix}"), 1]
        along_leg[foot] = 2 + 0.5 * np.clip((ankle - body.vertices[foot, 1]) / 0.06, 0, 1)
    return along_arm, along_leg


def _landmarks(body: BodyAssets, head: Ints) -> dict[str, int]:
    x, y, z = body.vertices[head].T
    right_eye, left_eye = (np.unique(body.faces[name]) for name in ("right_eye", "left_eye"))
    return {
        "crown": int(head[np.argmax(y)]),
        "nose": int(head[np.argmax(z)]),
        "right_ear": int(head[np.argmin(x)]),
        "left_ear": int(head[np.argmax(x)]),
        "right_eye": int(right_eye[np.argmax(body.vertices[right_eye, 2])]),
        "left_eye": int(left_eye[np.argmax(body.vertices[left_eye, 2])]),
    }
