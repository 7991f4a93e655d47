from dataclasses import asdict

import numpy as np
import pytest

from robustpose.data.synthpose import ACTIONS
from robustpose.data.synthpose.actions import sample_action, sample_posture
from robustpose.data.synthpose.assets import load_body
from robustpose.data.synthpose.body import (
    PARTS,
    Phenotype,
    body_fields,
    sample_phenotype,
    shape_body,
    target_amounts,
)
from robustpose.data.synthpose.gait import running_leg, walking_leg
from robustpose.data.synthpose.people import keypoints, make_person
from robustpose.data.synthpose.poses import LIMITS, Arm, Leg, Pose, Turn, mirrored, within_limits
from robustpose.data.synthpose.rig import bone_heads, bone_rotations, skin_body
from robustpose.data.synthpose.rotation import aligning_rotation, axis_rotation, vector_rotation
from robustpose.data.synthpose.splits import split_named

ADULT = Phenotype(gender=0.0, age=0.5, muscle=0.5, weight=0.5, ancestry=(1 / 3, 1 / 3, 1 / 3), tone=3.0)


def limits_of(part: str) -> dict[str, tuple[float, float]]:
    return LIMITS[part.removeprefix("right_").removeprefix("left_")]


@pytest.mark.parametrize("action", ACTIONS)
def test_every_pose_keeps_the_limits_of_every_joint(action: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        posture = sample_posture(action, rng)
        assert 0 <= posture.lift <= 0.5
        for part, angles in asdict(posture.pose).items():
            for angle, (least, greatest) in limits_of(part).items():
                assert least <= angles[angle] <= greatest, (part, angle)


def test_limits_are_what_a_body_can_do() -> None:
    broken = Pose(right_leg=Leg(knee=-40, flexion=170), left_arm=Arm(elbow=170), neck=Turn(yaw=120))
    mended = within_limits(broken)
    assert (mended.right_leg.knee, mended.right_leg.flexion) == (0, 125)
    assert mended.left_arm.elbow == 145
    assert mended.neck.yaw == 60


def test_mirror_twice_is_the_pose_itself() -> None:
    pose = sample_posture("dancing", np.random.default_rng(1)).pose
    assert mirrored(mirrored(pose)) == pose
    assert mirrored(pose).left_arm == pose.right_arm
    assert mirrored(pose).chest.yaw == -pose.chest.yaw


def test_all_actions_come() -> None:
    rng = np.random.default_rng(0)
    assert {sample_action(rng) for _ in range(1000)} == set(ACTIONS)


def test_gait_bends_the_knee_in_swing_and_swings_the_leg() -> None:
    for leg in (walking_leg, running_leg):
        cycle = [leg(phase, 1.0) for phase in np.linspace(0, 1, 50, endpoint=False)]
        assert cycle[0].flexion > 20 > -10 > cycle[25].flexion  # forward at foot strike, back half a cycle later
        assert 0.6 <= int(np.argmax([step.knee for step in cycle])) / 50 <= 0.8
        assert leg(0.0, 1.0).knee == pytest.approx(leg(1.0, 1.0).knee)


def test_rotations_are_rotations() -> None:
    x, y, z = np.eye(3)
    np.testing.assert_allclose(axis_rotation("x", 90) @ y, z, atol=1e-15)
    np.testing.assert_allclose(axis_rotation("y", 90) @ z, x, atol=1e-15)
    np.testing.assert_allclose(axis_rotation("z", 90) @ x, y, atol=1e-15)
    np.testing.assert_allclose(vector_rotation(np.pi / 2 * z), axis_rotation("z", 90), atol=1e-15)
    np.testing.assert_allclose(aligning_rotation(3 * x, 2 * y) @ x, y, atol=1e-8)


def test_rest_pose_keeps_every_vertex() -> None:
    shape = shape_body(ADULT)
    still = np.tile(np.eye(3), (len(shape.heads), 1, 1))
    heads = bone_heads(shape, still)
    np.testing.assert_allclose(heads, shape.heads, atol=1e-12)
    np.testing.assert_allclose(skin_body(shape, still, heads), shape.vertices, atol=1e-6)


def test_pose_keeps_the_length_of_every_bone() -> None:
    rng = np.random.default_rng(5)
    shape = shape_body(ADULT)
    posed = bone_heads(shape, bone_rotations(sample_posture("kicking", rng).pose, shape, 40.0, rng))
    for bone, parent in enumerate(load_body().parents):
        if parent >= 0:
            rest = np.linalg.norm(shape.heads[bone] - shape.heads[parent])
            assert np.linalg.norm(posed[bone] - posed[parent]) == pytest.approx(rest, abs=1e-9)


def test_right_hand_of_one_who_raises_the_right_arm_is_up_and_to_the_right() -> None:
    shape = shape_body(ADULT)
    pose = Pose(right_arm=Arm(flexion=0, abduction=150, elbow=0), left_arm=Arm(abduction=5, elbow=0))
    rotations = bone_rotations(pose, shape, 0.0, np.random.default_rng(0))
    heads = bone_heads(shape, rotations)
    mpii, coco = keypoints(skin_body(shape, rotations, heads), heads)
    right_wrist, right_shoulder, left_shoulder, left_wrist = mpii[[10, 12, 13, 15]]
    assert right_wrist[1] > right_shoulder[1] + 0.3 > left_wrist[1]
    assert right_wrist[0] < right_shoulder[0] < 0 < left_shoulder[0]  # x is to the person's left
    assert coco[2, 0] < coco[0, 0] < coco[1, 0]  # right eye, nose, left eye
    assert coco[4, 0] < coco[2, 0]
    assert coco[1, 0] < coco[3, 0]
    assert (coco[:5, 2] > mpii[8, 2] - 0.02).all()  # the face is in front of the neck


def test_people_are_as_tall_as_people_and_stand_on_the_floor() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        phenotype = sample_phenotype(rng)
        height = np.ptp(shape_body(phenotype).vertices[body_fields().skin_vertices, 1])
        assert (1.35 if phenotype.age >= 0.5 else 0.9) < height < 2.15
    for _ in range(10):
        person = make_person(split_named("train"), rng, owner=1, yaw=0.0, place=(1.0, -2.0))
        lowest = person.skin[:, 1].min()
        assert lowest == pytest.approx(0, abs=1e-9) or (person.action in ("jumping", "running", "acrobatics"))
        assert 0 <= lowest <= 0.5 + 1e-9
        np.testing.assert_allclose(person.pelvis[[0, 2]], [1.0, -2.0], atol=1e-9)


def test_blendshapes_of_a_phenotype_share_out_evenly() -> None:
    amounts = target_amounts(ADULT)
    origins = [amount for name, amount in amounts.items() if not name.startswith("universal")]
    assert sum(origins) == pytest.approx(1)
    assert amounts["universal-female-young-averagemuscle-averageweight"] == pytest.approx(1)
    assert set(amounts) <= set(load_body().target_names)


def test_parts_are_where_their_names_say() -> None:
    fields, rest = body_fields(), load_body().vertices
    for side, sign in (("right", -1), ("left", 1)):
        for name in ("upper_arm", "forearm", "hand", "thigh", "calf", "foot"):
            assert sign * rest[fields.part == PARTS.index(f"{side}_{name}"), 0].mean() > 0
    heights = [
        rest[fields.part == PARTS.index(name), 1].mean() for name in ("head", "torso", "right_thigh", "right_foot")
    ]
    assert heights == sorted(heights, reverse=True)
