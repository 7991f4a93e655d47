"""The rig: bone rotations of a pose for a shaped body, and skinning of its surface.

Each limb is first rotated from its rest direction to straight down, so that a pose fits every shape. Linear blend
skinning:
Magnenat-Thalmann et al. 1988, "Joint-dependent local deformations for hand animation and object grasping".
"""

import numpy as np
from numpy.random import Generator

from robustpose.data.synthpose.assets import Floats, load_body
from robustpose.data.synthpose.body import Shape
from robustpose.data.synthpose.kernels import skin_vertices
from robustpose.data.synthpose.poses import Arm, Leg, Pose, Turn
from robustpose.data.synthpose.rotation import (
    aligning_rotation,
    axis_rotation,
    inner,
    length,
    product,
    turned,
    vector_rotation,
)

_DOWN = np.array([0.0, -1.0, 0.0])


def turn_rotation(turn: Turn, share: float = 1.0) -> Floats:
    """Return the rotation (3, 3) of a turn of the trunk, with its angles multiplied by `share`."""
    return product(
        axis_rotation("y", share * turn.yaw),
        axis_rotation("x", share * turn.pitch),
        axis_rotation("z", share * turn.roll),
    )


def arm_rotations(arm: Arm, side: int) -> tuple[Floats, Floats]:
    """Return the rotations of upper arm (in the chest's frame) and forearm (in the upper arm's); side -1 right."""
    upper = product(
        axis_rotation("x", -arm.flexion),
        axis_rotation("z", side * arm.abduction),
        axis_rotation("y", -side * arm.twist),
    )
    return upper, axis_rotation("x", -arm.elbow)


def leg_rotations(leg: Leg, side: int) -> tuple[Floats, Floats, Floats]:
    """Return the rotations of thigh, calf and foot, each in the frame of the one before; side -1 right."""
    thigh = product(
        axis_rotation("x", -leg.flexion),
        axis_rotation("z", side * leg.abduction),
        axis_rotation("y", side * leg.twist),
    )
    return thigh, axis_rotation("x", leg.knee), axis_rotation("x", -leg.ankle)


def bone_rotations(pose: Pose, shape: Shape, yaw: float, rng: Generator) -> Floats:
    """Return the rotations of all bones (B, 3, 3) from rest to world; `rng` draws wrists and fingers."""
    body = load_body()
    index = {name: row for row, name in enumerate(body.bones)}
    rotations = np.tile(np.eye(3), (len(body.bones), 1, 1))
    root = product(axis_rotation("y", yaw), turn_rotation(pose.root))
    rotations[index["pelvis"]] = root
    for number in (1, 2, 3):
        rotations[index[f"spine_0{number}"]] = product(root, turn_rotation(pose.chest, number / 3))
    chest = product(root, turn_rotation(pose.chest))
    rotations[index["neck_01"]] = product(chest, turn_rotation(pose.neck, 0.5))
    rotations[index["head"]] = product(chest, turn_rotation(pose.neck))
    for suffix, side in (("r", -1), ("l", 1)):
        leg, arm = (pose.right_leg, pose.right_arm) if side < 0 else (pose.left_leg, pose.left_arm)
        limb = {
            **_leg_bones(leg, shape, root, suffix, side),
            **_arm_bones(arm, shape, chest, suffix, side, rng),
        }
        for name, rotation in limb.items():
            rotations[index[f"{name}_{suffix}"]] = rotation
    return rotations


def _head_of(shape: Shape, bone: str) -> Floats:
    """Return the head (3,) of a bone in the rest pose."""
    head: Floats = shape.heads[load_body().bones.index(bone)]
    return head


def _leg_bones(leg: Leg, shape: Shape, root: Floats, suffix: str, side: int) -> dict[str, Floats]:
    hip, knee, ankle = (_head_of(shape, f"{name}_{suffix}") for name in ("thigh", "calf", "foot"))
    thigh_turn, calf_turn, foot_turn = leg_rotations(leg, side)
    thigh = product(root, thigh_turn)
    calf = product(thigh, calf_turn)
    foot = product(calf, foot_turn)
    return {
        "thigh": product(thigh, aligning_rotation(knee - hip, _DOWN)),
        "calf": product(calf, aligning_rotation(ankle - knee, _DOWN)),
        "foot": foot,
        "ball": foot,
    }


def _arm_bones(arm: Arm, shape: Shape, chest: Floats, suffix: str, side: int, rng: Generator) -> dict[str, Floats]:
    shoulder, elbow, wrist = (_head_of(shape, f"{name}_{suffix}") for name in ("upperarm", "lowerarm", "hand"))
    upper_turn, lower_turn = arm_rotations(arm, side)
    upper = product(chest, upper_turn)
    lower = product(upper, lower_turn)
    # A raised arm lifts the collar bone by up to 28 degrees; a forward arm moves it forward.
    direction = turned(upper_turn, _DOWN)
    lifted = float(np.clip((direction[1] + 0.35) / 1.35, 0, 1))
    forward = float(np.clip(direction[2], -1, 1))
    collar = product(axis_rotation("z", side * lifted * 28), axis_rotation("y", -side * forward * 14))
    lower_rest = aligning_rotation(wrist - elbow, _DOWN)
    hand = product(lower, vector_rotation(rng.normal(0, 0.22, 3) * [1.2, 0.8, 0.6]), lower_rest)
    return {
        "clavicle": product(chest, collar),
        "upperarm": product(upper, aligning_rotation(elbow - shoulder, _DOWN)),
        "lowerarm": product(lower, lower_rest),
        "hand": hand,
        **_finger_bones(shape, hand, suffix, curl=abs(float(rng.normal(0.35, 0.35)))),
    }


def _finger_bones(shape: Shape, hand: Floats, suffix: str, curl: float) -> dict[str, Floats]:
    """Bend the fingers about the line of knuckles towards the palm, which is the side of the thumb."""
    knuckles = _head_of(shape, f"index_01_{suffix}") - _head_of(shape, f"pinky_01_{suffix}")
    knuckles = knuckles / length(knuckles)
    finger = _head_of(shape, f"middle_02_{suffix}") - _head_of(shape, f"middle_01_{suffix}")
    thumb_tip = shape.tails[load_body().bones.index(f"thumb_03_{suffix}")]
    thumb = thumb_tip - _head_of(shape, f"hand_{suffix}")
    across = thumb - inner(thumb, knuckles) * knuckles - inner(thumb, finger) / inner(finger, finger) * finger
    palmward = float(np.sign(inner(np.cross(knuckles, finger), across))) or 1.0
    bones = {f"thumb_0{phalanx}": hand for phalanx in (1, 2, 3)}
    for phalanx in (1, 2, 3):
        bent = product(hand, vector_rotation(knuckles * palmward * min(curl * phalanx, 2.6 * phalanx / 3)))
        bones |= {f"{name}_0{phalanx}": bent for name in ("index", "middle", "ring", "pinky")}
    return bones


def bone_heads(shape: Shape, rotations: Floats) -> Floats:
    """Return the heads of all bones (B, 3) in the pose; the root bone stays in place."""
    placed, parents = shape.heads.copy(), load_body().parents
    along = turned(rotations[parents], shape.heads - shape.heads[parents])
    for bone, parent in enumerate(parents):
        if parent >= 0:
            placed[bone] = placed[parent] + along[bone]
    return placed


def skin_body(shape: Shape, rotations: Floats, heads: Floats) -> Floats:
    """Return the posed vertices (V, 3), in metres."""
    body = load_body()
    shifts = heads - turned(rotations, shape.heads)
    posed = np.empty(shape.vertices.shape)
    transforms = np.concatenate([rotations, shifts[:, :, None]], axis=2)
    skin_vertices(shape.vertices, body.skin_bones, body.skin_weights, transforms, posed)
    return posed
