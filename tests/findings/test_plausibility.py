import numpy as np
import pytest
from numpy.typing import NDArray

from robustpose.findings.plausibility import FEWEST, TruePoses, can_judge, describe, implausibility, learn
from robustpose.skeletons import COCO_17, MPII_16
from tests.conftest import TRIO

STANDING = {
    "head_top": (0, -30),
    "upper_neck": (0, -10),
    "thorax": (0, 0),
    "pelvis": (0, 40),
    **{f"{side}_shoulder": (sign * 10, 0) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}_elbow": (sign * 10, 20) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}_wrist": (sign * 10, 40) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}_hip": (sign * 6, 40) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}_knee": (sign * 6, 70) for side, sign in (("left", 1), ("right", -1))},
    **{f"{side}_ankle": (sign * 6, 100) for side, sign in (("left", 1), ("right", -1))},
}
"""A person with a torso of 40 pixels and straight limbs."""

SHIN = MPII_16.limbs.index(("left_knee", "left_ankle"))
RATIOS = len(MPII_16.limbs)
"""Where the ratios begin: shoulder to elbow, elbow to wrist, hip to knee, knee to ankle."""
ANGLES = RATIOS + 4
"""Where the angles begin: left knee, right knee, left elbow, right elbow."""


def pose(**changed: tuple[float, float]) -> NDArray[np.float64]:
    """A standing person (1, K, 2) with some joints elsewhere."""
    places = {**STANDING, **changed}
    return np.array([[places[name] for name in MPII_16.keypoints]], float)


def crowd(n: int = 60) -> NDArray[np.float64]:
    """People who stand about alike."""
    return pose() + np.random.default_rng(0).normal(0, 1.5, size=(n, len(MPII_16), 2))


def test_a_pose_by_hand() -> None:
    (standing,) = describe(pose(), MPII_16)
    assert len(standing) == ANGLES + 4
    assert standing[SHIN] == pytest.approx(np.log(30 / 40))
    assert standing[RATIOS:ANGLES] == pytest.approx([0, 0, 0, 0])
    assert standing[ANGLES:] == pytest.approx([180, 180, 180, 180])


def test_a_bent_and_stretched_leg_by_hand() -> None:
    (changed,) = describe(pose(left_ankle=(6 + 60, 70)), MPII_16)
    assert changed[SHIN] == pytest.approx(np.log(60 / 40))
    assert changed[RATIOS:ANGLES] == pytest.approx([0, 0, 0, np.log(2)])
    assert changed[ANGLES:] == pytest.approx([90, 180, 180, 180])


def test_size_place_turn_and_mirror_image_do_not_count() -> None:
    changed = pose(left_ankle=(30, 80), right_wrist=(-30, 10))
    turn = np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    expected = describe(changed, MPII_16)
    assert describe(3 * changed @ turn.T + [17, -5], MPII_16) == pytest.approx(expected)
    assert describe(changed * [-1, 1], MPII_16) == pytest.approx(expected)


def test_odd_poses_are_less_plausible() -> None:
    poses = learn(crowd(), MPII_16)
    usual = np.median(implausibility(crowd(), poses))
    assert implausibility(pose(), poses) < usual < 1.5
    for odd in (
        pose(left_ankle=(6, 200)),
        pose(left_knee=(6, 42)),
        pose(right_wrist=(-10, 2)),
        pose(head_top=(0, -100)),
        pose(left_shoulder=(-10, 0), right_shoulder=(10, 0)),
    ):
        assert implausibility(odd, poses) > usual


def test_what_true_poses_are_like_by_hand() -> None:
    """Knees at 160, 165 .. 180 degrees: median 170, and the median of the deviations from it is 5."""
    lower = np.radians([20.0, 15.0, 10.0, 5.0, 0.0])
    bent = np.concatenate([pose(left_ankle=(6 + 30 * np.sin(a), 70 + 30 * np.cos(a))) for a in lower])
    poses = learn(bent, MPII_16)
    assert poses.middle[ANGLES] == pytest.approx(170)
    assert poses.spread[ANGLES] == pytest.approx(1.4826 * 5)


@pytest.mark.parametrize(("degrees", "deviations"), [(170, 0), (160, 2), (180, 2), (90, 10)])
def test_a_pose_is_judged_by_capped_deviations(degrees: float, deviations: float) -> None:
    """Of two descriptions that count, one is as in the middle true pose: the root of the mean is z / root 2."""
    middle, spread = np.full((2, ANGLES + 4), np.nan)
    middle[ANGLES : ANGLES + 2], spread[ANGLES : ANGLES + 2] = (170, 180), (5, 5)
    bend = np.radians(180 - degrees)
    seen = pose(left_ankle=(6 + 30 * np.sin(bend), 70 + 30 * np.cos(bend)))
    judged = implausibility(seen, TruePoses(MPII_16, middle, spread, 5))
    assert judged[0] == pytest.approx(deviations / np.sqrt(2), abs=1e-6)


def test_one_broken_joint_counts_at_most_ten_deviations_a_description() -> None:
    poses = learn(crowd(), MPII_16)
    assert implausibility(pose(left_ankle=(1e6, 1e6)), poses)[0] < 10
    assert implausibility(1e-9 * pose(left_ankle=(1e12, 0)), poses)[0] <= 10


def test_joints_that_are_not_there_are_left_out() -> None:
    poses = learn(crowd(), MPII_16)
    plain = pose()
    for missing in (np.nan, np.inf):
        lacking = plain.copy()
        lacking[0, MPII_16.index("left_ankle")] = missing
        described = describe(lacking, MPII_16)[0]
        assert np.isnan(described[[SHIN, ANGLES - 1, ANGLES]]).all()
        assert np.isfinite(np.delete(described, [SHIN, ANGLES - 1, ANGLES])).all()
        assert np.isfinite(implausibility(lacking, poses)).all()
    assert np.isnan(implausibility(np.full_like(plain, np.nan), poses)).all()


def test_a_person_without_extent_is_judged_without_a_warning() -> None:
    poses = learn(crowd(), MPII_16)
    assert implausibility(np.zeros_like(pose()), poses)[0] > 5


def test_too_few_true_poses_teach_nothing() -> None:
    assert np.isnan(implausibility(pose(), learn(crowd(FEWEST - 1), MPII_16))).all()
    assert np.isfinite(implausibility(pose(), learn(crowd(FEWEST), MPII_16))).all()


def test_skeletons_need_a_torso() -> None:
    assert can_judge(MPII_16) and can_judge(COCO_17)
    assert not can_judge(TRIO)
