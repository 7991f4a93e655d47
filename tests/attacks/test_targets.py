from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from robustpose.attacks import draw_targets
from robustpose.metrics import PCKH, KeypointMetric, Table, main_metrics
from robustpose.metrics.hits import radius_of
from robustpose.skeletons import MPII_16


def people(n: int, *, seed: int = 0, spread: float = 60.0) -> Table:
    """Random true poses in an image of 64 pixels, predictions near them, about a tenth unlabelled."""
    generator = np.random.default_rng(seed)
    keypoints = 32 + generator.uniform(-spread / 2, spread / 2, size=(n, 16, 2))
    return Table(
        ids=tuple(f"{seed}/{i:04d}" for i in range(n)),
        skeleton=MPII_16,
        predicted=keypoints + generator.normal(size=(n, 16, 2)),
        keypoints=keypoints,
        visible=generator.random((n, 16)) < 0.9,
        head_size=generator.uniform(6, 12, size=n),
        box_side=generator.uniform(40, 60, size=n),
        area=generator.uniform(300, 600, size=n),
        crops=np.tile([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], (n, 1, 1)),
    )


def hits(clean: Table, row: int, pose: np.ndarray, asked: np.ndarray, metric: KeypointMetric) -> int:
    """Correct keypoints of a pose against a person's prediction, one keypoint at a time."""
    radius = radius_of(metric, clean)[row]
    return sum(
        bool(asked[k])
        and name not in ("pelvis", "thorax")
        and float(np.hypot(*(clean.predicted[row, k] - pose[k]))) <= radius[k]
        for k, name in enumerate(MPII_16.keypoints)
    )


@pytest.mark.parametrize("metric", main_metrics().values(), ids=main_metrics().keys())
def test_targets_are_poses_of_the_pool_without_one_correct_joint(metric: KeypointMetric) -> None:
    clean, pool = people(40), people(30, seed=1)
    keypoints, visible = draw_targets(clean, pool, metric=metric, seed=3)
    poses = {pose.tobytes(): row for row, pose in enumerate(pool.keypoints)}
    drawn = 0
    for i in range(len(clean)):
        if visible[i].any():
            row = poses[keypoints[i].tobytes()]
            assert (visible[i] == pool.visible[row]).all()
            assert hits(clean, i, keypoints[i], visible[i], metric) == 0
            drawn += 1
        else:
            eligible = [hits(clean, i, pose, seen, metric) for pose, seen in zip(pool.keypoints, pool.visible)]  # noqa: B905
            assert min(eligible) > 0
    assert drawn > 10


def test_the_target_score_starts_at_0() -> None:
    clean, pool = people(40), people(30, seed=1)
    keypoints, visible = draw_targets(clean, pool, metric=PCKH, seed=3)
    table = replace(clean, target=keypoints, target_visible=visible)
    asked = replace(PCKH, against="target").hits(table)
    assert np.nansum(asked) == 0
    assert np.isfinite(asked).sum() > 100


def test_nobody_eligible_asks_for_nothing() -> None:
    clean = people(5)
    pool = replace(clean, keypoints=clean.predicted, visible=np.ones((5, 16), bool))
    alone = pool.take([2])
    keypoints, visible = draw_targets(clean.take([2]), alone, metric=PCKH, seed=0)
    assert not visible.any()
    assert keypoints.shape == (1, 16, 2)
    nothing_labelled = replace(pool, visible=np.zeros((5, 16), bool))
    assert not draw_targets(clean, nothing_labelled, metric=PCKH, seed=0)[1].any()
    assert not draw_targets(clean, pool.take([]), metric=PCKH, seed=0)[1].any()


def test_one_accidental_hit_is_one_too_many_but_pelvis_and_thorax_do_not_count() -> None:
    clean = people(1)
    far = clean.predicted[:, :] + 1000.0
    for name in MPII_16.keypoints:
        k = MPII_16.index(name)
        pose = far.copy()
        pose[0, k] = clean.predicted[0, k] + [0.5 * clean.head_size[0] - 1e-6, 0.0]
        pool = replace(clean, ids=("another",), keypoints=pose, visible=np.ones((1, 16), bool))
        visible = draw_targets(clean, pool, metric=PCKH, seed=0)[1]
        assert bool(visible.any()) == (name in ("pelvis", "thorax"))
        unlabelled = pool.visible.copy()
        unlabelled[0, k] = False
        assert draw_targets(clean, replace(pool, visible=unlabelled), metric=PCKH, seed=0)[1].any()


def test_a_draw_does_not_depend_on_who_else_is_there() -> None:
    clean, pool = people(20), people(30, seed=1)
    together = draw_targets(clean, pool, metric=PCKH, seed=3)
    again = draw_targets(clean, pool, metric=PCKH, seed=3)
    other = draw_targets(clean, pool, metric=PCKH, seed=4)
    backwards = draw_targets(clean.take(range(19, -1, -1)), pool, metric=PCKH, seed=3)
    for mine, same, turned, different in zip(together, again, backwards, other, strict=True):
        assert (mine == same).all()
        assert (mine == turned[::-1]).all()
        assert (mine != different).any()
    for i in range(20):
        keypoints, visible = draw_targets(clean.take([i]), pool, metric=PCKH, seed=3)
        assert (keypoints[0] == together[0][i]).all()
        assert (visible[0] == together[1][i]).all()


def test_every_eligible_pose_is_as_likely() -> None:
    clean, pool = people(1, spread=20.0), people(12, seed=1, spread=500.0)
    pool = replace(pool, keypoints=np.where(np.arange(12)[:, None, None] < 4, clean.predicted, pool.keypoints))
    poses = {pose.tobytes(): row for row, pose in enumerate(pool.keypoints) if row >= 4}
    eligible = [row for row in range(12) if not hits(clean, 0, pool.keypoints[row], pool.visible[row], PCKH)]
    draws = 1600
    counts = Counter(
        poses[draw_targets(clean, pool, metric=PCKH, seed=seed)[0][0].tobytes()] for seed in range(draws)
    )
    assert sorted(counts) == eligible
    expected = draws / len(eligible)
    chi_square = sum((counts[row] - expected) ** 2 / expected for row in eligible)
    assert chi_square < 4 * len(eligible), "the mean is about the number of poses; four times it is 1 in a million"


def test_a_persons_own_pose_is_no_target_for_that_person() -> None:
    clean = people(6)
    lost = replace(clean, predicted=clean.predicted + 1000.0)  # every pose of the pool is far from the prediction
    keypoints, visible = draw_targets(lost, clean, metric=PCKH, seed=0)
    assert visible.any(axis=1).all()
    for i in range(6):
        assert (keypoints[i] != clean.keypoints[i]).any()
    alone = draw_targets(lost.take([2]), clean.take([2]), metric=PCKH, seed=0)[1]
    assert not alone.any()


def test_a_pose_of_which_little_is_labelled_is_no_target() -> None:
    clean = people(1)
    far = replace(clean, ids=("another",), keypoints=clean.predicted + 1000.0)
    for labelled in range(17):
        shown = np.arange(16)[None] < labelled
        counted = int((shown & np.asarray(MPII_16.counted)).sum())
        drawn = draw_targets(clean, replace(far, visible=shown), metric=PCKH, seed=0)[1]
        assert drawn.any() == (counted >= 7)  # half of the 14 that count
