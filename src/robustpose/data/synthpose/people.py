"""One person of a scene, shaped, posed, placed on the floor and dressed, with its keypoints in space."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.actions import sample_action, sample_posture
from robustpose.data.synthpose.assets import Floats, load_body
from robustpose.data.synthpose.body import Phenotype, Shape, body_fields, sample_phenotype, shape_body
from robustpose.data.synthpose.colours import skin_colour
from robustpose.data.synthpose.factors import AS_DRAWN, Edit
from robustpose.data.synthpose.ingredients import FLOOR_CONTACT, GARMENTS
from robustpose.data.synthpose.mesh import Mesh
from robustpose.data.synthpose.outfits import Outfit, plain_suit, sample_outfit
from robustpose.data.synthpose.poses import Pose, Posture, between
from robustpose.data.synthpose.rig import bone_heads, bone_rotations, skin_body
from robustpose.data.synthpose.rotation import inner, length
from robustpose.data.synthpose.splits import Split
from robustpose.data.synthpose.streams import Streams, resumed
from robustpose.data.synthpose.wardrobe import dress

_CLEARANCE = {"hand_r": 0.13, "hand_l": 0.13, "lowerarm_r": 0.11, "lowerarm_l": 0.11}
"""Minimum distance of wrists and elbows from the axis of the trunk in metres, so that they are not inside it."""

_POSE_DRAWS = 8

_HANDS_ON_THE_FLOOR = frozenset({"crawling", "acrobatics", "lying"})

_SKIRT_FLEXION = 60.0
"""Skirts cannot fold, so beyond this hip flexion in degrees people wear shorts instead."""


@dataclass(frozen=True)
class Person:
    """A person in the scene, in world metres: x to its left, y up, z forward at yaw 0."""

    action: str
    pose: Pose
    phenotype: Phenotype
    outfit: Outfit
    seated: bool
    upright: bool  # on its feet or its seat: its hands are free
    meshes: list[Mesh]
    skin: Floats  # (., 3) vertices of the body itself
    head: Floats  # (., 3) vertices of its head
    joints: Floats  # (B, 3) where bones begin
    mpii: Floats  # (16, 3)
    coco: Floats  # (17, 3)

    @property
    def pelvis(self) -> Floats:
        """The head of the pelvis bone (3,)."""
        pelvis: Floats = self.joints[load_body().bones.index("pelvis")]
        return pelvis


def make_person(
    split: Split,
    rng: Generator,
    *,
    owner: int,
    yaw: float,
    place: tuple[float, float],
    without: frozenset[str] = frozenset(),
    streams: Streams | None = None,
    edit: Edit = AS_DRAWN,
) -> Person:
    """Draw a person, rotated by yaw degrees, pelvis above place (x, z), lowest point on the floor y = 0.

    If `without` has garments, it wears a plain suit; if it has floor contact, it hovers. Every step is drawn from
    `streams` if given, from rng otherwise, and then edited.
    """
    streams = streams or Streams(rng)
    phenotype = sample_phenotype(streams.at("shape"))
    shape = shape_body(phenotype)
    rng = streams.at("pose")
    action = sample_action(rng)
    for _ in range(_POSE_DRAWS):
        posture = sample_posture(action, rng)
        hands = rng.bit_generator.state
        rotations = bone_rotations(posture.pose, shape, yaw, rng)
        joints = bone_heads(shape, rotations)
        if not _inside_trunk(joints):
            break
    if edit.action:
        action = edit.action
        posture, rotations = _posed_otherwise(action, shape, yaw, streams.other("pose"))
        joints = bone_heads(shape, rotations)
    elif edit.motion is not None:
        posture = between(posture, sample_posture(action, streams.other("motion")), edit.motion)
        rotations = bone_rotations(posture.pose, shape, yaw, resumed(hands))
        joints = bone_heads(shape, rotations)
    posed = skin_body(shape, rotations, joints)
    fields = body_fields()
    pelvis = joints[load_body().bones.index("pelvis")]
    lowest = posed[fields.skin_vertices, 1].min()
    lift = posture.lift + (float(rng.uniform(0.1, 0.8)) if FLOOR_CONTACT in without else 0.0)
    shift = np.array([place[0] - pelvis[0], lift - lowest, place[1] - pelvis[2]])
    posed, joints = posed + shift, joints + shift
    mpii, coco = keypoints(posed, joints)
    outfit = sample_outfit(phenotype, split, streams.at("outfit"))
    if max(posture.pose.right_leg.flexion, posture.pose.left_leg.flexion) > _SKIRT_FLEXION:
        outfit = replace(outfit, skirt=None)
    if GARMENTS in without:
        outfit = plain_suit(outfit)
    if edit.outfit is not None:
        outfit = edit.outfit(outfit, split, streams.other("outfit"))
    if edit.tone is not None:
        phenotype = replace(phenotype, tone=edit.tone)
        outfit = replace(outfit, skin=skin_colour(edit.tone, streams.other("skin")))
    return Person(
        action=action,
        pose=posture.pose,
        phenotype=phenotype,
        outfit=outfit,
        seated=posture.seat,
        upright=action not in _HANDS_ON_THE_FLOOR,
        meshes=dress(outfit, posed, owner, streams.at("dress")),
        skin=posed[fields.skin_vertices],
        head=posed[fields.head_vertices],
        joints=joints,
        mpii=mpii,
        coco=coco,
    )


def _posed_otherwise(action: str, shape: Shape, yaw: float, rng: Generator) -> tuple[Posture, Floats]:
    """Draw a posture of an action and the rotations of its bones."""
    for _ in range(_POSE_DRAWS):
        posture = sample_posture(action, rng)
        rotations = bone_rotations(posture.pose, shape, yaw, rng)
        if not _inside_trunk(bone_heads(shape, rotations)):
            break
    return posture, rotations


def _inside_trunk(joints: Floats) -> bool:
    """Say whether a wrist or an elbow is inside the trunk."""
    bones = load_body().bones
    hips, neck = joints[bones.index("pelvis")], joints[bones.index("neck_01")]
    axis = neck - hips
    for bone, clearance in _CLEARANCE.items():
        joint = joints[bones.index(bone)]
        along = np.clip(inner(joint - hips, axis) / inner(axis, axis), 0, 1)
        if length(joint - hips - along * axis) < clearance:
            return True
    return False


def keypoints(posed: Floats, joints: Floats) -> tuple[Floats, Floats]:
    """Return MPII's 16 and COCO's 17 keypoints in space, (16, 3) and (17, 3), in metres.

    Limb keypoints are where bones meet. The thorax is half neck and a quarter of each shoulder; the upper neck is
    between the neck and the base of the head. Nose, eyes, ears and crown are vertices of the body. Annotators see
    skin, not bones, and place shoulders, hips and ankles slightly higher and the head top on the hair; RAISED
    corrects this.
    """
    at = dict(zip(load_body().bones, joints, strict=True))
    vertex = {name: posed[number] for name, number in body_fields().landmarks.items()}
    trunk = _direction(at["pelvis"], at["neck_01"])
    shoulders = [at[f"upperarm_{side}"] + RAISED["shoulder"] * trunk for side in "rl"]
    hips = [at[f"thigh_{side}"] + RAISED["hip"] * trunk for side in "rl"]
    ankles = [
        at[f"foot_{side}"] + RAISED["ankle"] * _direction(at[f"foot_{side}"], at[f"calf_{side}"]) for side in "rl"
    ]
    mpii = np.stack([
        ankles[0], at["calf_r"], hips[0], hips[1], at["calf_l"], ankles[1],
        (hips[0] + hips[1]) / 2,
        at["neck_01"] / 2 + (at["upperarm_r"] + at["upperarm_l"]) / 4,
        (1 - _UPPER_NECK) * at["neck_01"] + _UPPER_NECK * at["head"],
        vertex["crown"] + RAISED["head_top"] * _direction(at["head"], vertex["crown"]),
        at["hand_r"], at["lowerarm_r"], shoulders[0], shoulders[1], at["lowerarm_l"], at["hand_l"],
    ])  # fmt: skip
    face = np.stack([vertex[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")])
    return mpii, np.concatenate([face, mpii[COCO_LIMBS]])


def _direction(start: Floats, end: Floats) -> Floats:
    """Return the unit vector (3,) from one point to another."""
    unit: Floats = (end - start) / length(end - start)
    return unit


RAISED = {"shoulder": 0.025, "hip": 0.02, "ankle": 0.02, "head_top": 0.03}
"""Offset of labels from the bone or the vertex in metres: along the trunk, along the shin, out of the head. Chosen
so that two models trained on MPII's labels have a median error near 0 on people of train; see
docs/synthpose.md."""

_UPPER_NECK = 0.0
"""Position of the upper neck between neck (0) and base of the head (1), chosen in the same way."""

COCO_LIMBS = [13, 12, 14, 11, 15, 10, 3, 2, 4, 1, 5, 0]
"""Indices of MPII's keypoints for COCO's 6th to 17th: shoulders, elbows, wrists, hips, knees, ankles."""
