"""Universal perturbations, looked at: spreads, median poses and pictures of known points."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from robustpose.findings.drawing import draw_skeleton, perturbed, stacked, visible
from robustpose.findings.finding import Picture, Tabular
from robustpose.findings.universal_pictures import UNIVERSAL_PICTURES, coarse_energy, coarse_noise, gathering
from robustpose.metrics import Estimate
from robustpose.study.definition import View
from tests.findings.filled_stores import (
    SIZE,
    TEN,
    assert_reads_all_it_asks_for,
    filled,
    opened,
    plan_of,
    table,
    value,
)

EPS = 16 / 255
JOINTS = frozenset(TEN.keypoints)


def test_spread_is_the_standard_deviation_in_percent_of_the_crop() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 50.0], [200.0, 0.0], [200.0, 50.0]])
    made = gathering(table(range(4), 10, moved=corners), joints=JOINTS, input_size=(100, 400))
    assert made.spread.value == pytest.approx(100 * np.hypot(0.25, 0.25))
    same = gathering(table(range(4), 10, moved=np.full((4, 2), 7.0)), joints=JOINTS, input_size=(100, 100))
    assert same.spread.value == pytest.approx(0.0)
    assert same.agreeing.value == pytest.approx(100.0)


def test_people_near_the_median_pose_are_counted() -> None:
    points = np.array([[50.0, 50.0], [52.0, 50.0], [50.0, 60.5], [50.0, 59.0], [0.0, 50.0]])
    made = gathering(table(range(5), 10, moved=points), joints=JOINTS, input_size=(100, 100))
    assert made.agreeing.value == pytest.approx(60.0)  # the median is (50, 50); 10.5 and 50 pixels are too far


def test_a_broken_prediction_agrees_with_nobody_and_spreads_nothing() -> None:
    points = np.array([[50.0, 50.0], [50.0, 50.0], [50.0, 50.0], [np.nan, 50.0]])
    made = gathering(table(range(4), 10, moved=points), joints=JOINTS, input_size=(100, 100))
    assert made.spread.value == pytest.approx(0.0)
    assert made.agreeing.value == pytest.approx(75.0)


def test_only_shared_joints_take_part() -> None:
    people = table(range(4), 10)
    people.predicted[:, 3] += np.arange(4.0)[:, None]
    others = JOINTS - {"joint3"}
    assert gathering(people, joints=others, input_size=(100, 100)).spread.value == pytest.approx(0.0)
    assert gathering(people, joints=JOINTS, input_size=(100, 100)).spread.value > 0


def test_coarse_energy_of_known_patterns() -> None:
    x = np.arange(64)
    slow, fast = np.cos(2 * np.pi * 8 * x / 64), np.cos(2 * np.pi * 9 * x / 64)

    def pattern(row: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.broadcast_to(row.astype(np.float32), (3, 64, 64))

    assert coarse_energy(pattern(slow)) == pytest.approx(100.0, abs=1e-3)
    assert coarse_energy(pattern(fast)) == pytest.approx(0.0, abs=1e-3)
    assert coarse_energy(pattern(slow + fast + 5.0)) == pytest.approx(50.0, abs=1e-3)
    noise = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)
    assert coarse_energy(noise) == pytest.approx(coarse_noise((64, 64)), rel=0.2)


def _moves(model: str, view: View) -> NDArray[np.float64]:
    """Heatmap models see one pose under their perturbation; DeepPose's poses spread twice as far."""
    apart = np.tile([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [8.0, 8.0]], (6, 1))
    if view.universal is None:
        return apart
    return 2 * apart if model == "deeppose" else np.full((24, 2), 4.0)


def _perturbations() -> dict[str, NDArray[np.float32]]:
    half = np.full((3, *SIZE), EPS, np.float32)
    half[:, :, 16:] = -EPS
    return {"shg2": half, "deeppose": half}


def test_known_spreads_are_judged_and_shown(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("deeppose"))
    evidence = filled(UNIVERSAL_PICTURES, plan, tmp_path, moves=_moves, perturbations=_perturbations())
    found = UNIVERSAL_PICTURES.find(evidence)
    (verdict,) = found.verdicts
    assert value(verdict) == pytest.approx(100 * np.hypot(4, 4) / 32)
    assert verdict.holds == "holds"
    shown = found.exhibits[0]
    assert isinstance(shown, Tabular)
    rows = {
        model: [each.value if isinstance(each, Estimate) else each for each in cells]
        for model, cells in shown.rows
    }
    spread = 100 * np.hypot(4, 4) / 32
    assert rows["shg2"][:3] == ["heatmaps", pytest.approx(spread), pytest.approx(0.0)]
    assert rows["shg2"][4] == pytest.approx(100.0)
    assert rows["deeppose"][:3] == ["coordinates", pytest.approx(spread), pytest.approx(2 * spread)]


def test_the_verdict_flips_when_poses_spread(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"))
    evidence = filled(
        UNIVERSAL_PICTURES,
        plan,
        tmp_path,
        moves=lambda model, view: _moves("deeppose", view),
        perturbations=_perturbations(),
    )
    assert UNIVERSAL_PICTURES.find(evidence).verdicts[0].holds == "does not hold"


def test_the_picture_shows_the_perturbation_and_the_people(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"))
    evidence = filled(UNIVERSAL_PICTURES, plan, tmp_path, moves=_moves, perturbations=_perturbations())
    shown = UNIVERSAL_PICTURES.find(evidence).exhibits[1]
    assert isinstance(shown, Picture)
    assert shown.image.shape == (2 * 256 + 4, 512 + 2 * (256 + 4), 3)  # two people keep their pictures
    assert (shown.image[:512, :256] == 255).all()
    assert (shown.image[:512, 256:512] == 0).all()
    assert tuple(shown.image[200, 516 + 10]) == (100, 100, 100)
    assert tuple(shown.image[260 + 200, 516 + 10]) == (116, 116, 116)
    assert tuple(shown.image[260 + 200, 516 + 250]) == (84, 84, 84)


def test_without_pictures_of_people_the_perturbation_is_shown_alone(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"))
    evidence = filled(UNIVERSAL_PICTURES, plan, tmp_path, moves=_moves, perturbations=_perturbations())
    for file in (tmp_path / "pictures").glob("*"):
        file.unlink()
    shown = UNIVERSAL_PICTURES.find(evidence).exhibits[1]
    assert isinstance(shown, Picture)
    assert shown.image.shape == (512, 512, 3)


def test_it_reads_all_that_it_asks_for(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("deeppose"))
    evidence = filled(UNIVERSAL_PICTURES, plan, tmp_path, moves=_moves, perturbations=_perturbations())
    assert_reads_all_it_asks_for(UNIVERSAL_PICTURES, evidence)


def test_models_that_lack_are_told(tmp_path: Path) -> None:
    plan = plan_of(opened("deeppose"))
    evidence = filled(UNIVERSAL_PICTURES, plan, tmp_path, moves=_moves, perturbations=_perturbations())
    found = UNIVERSAL_PICTURES.find(evidence)
    assert not found.verdicts
    assert "No heatmap model" in found.remarks[-1]
    untaught = plan_of(opened("shg2"), training=0)
    assert not UNIVERSAL_PICTURES.asks(untaught)
    assert "no training set" in UNIVERSAL_PICTURES.find(filled(UNIVERSAL_PICTURES, untaught, tmp_path)).remarks[0]


def test_perturbations_are_scaled_about_grey_and_laid_on_within_range() -> None:
    levels = np.array([-EPS, 0.0, EPS], np.float32)[:, None, None] * np.ones((3, 2, 2), np.float32)
    assert visible(levels, eps=EPS)[0, 0].tolist() == [0, 128, 255]
    people = np.full((1, 2, 2, 3), 250, np.uint8)
    assert perturbed(people, levels)[0, 0, 0].tolist() == [234, 250, 255]


def test_limbs_join_the_keypoints_that_are_there() -> None:
    keypoints = np.full((10, 2), np.nan)
    keypoints[0], keypoints[1] = (10.0, 5.0), (10.0, 25.0)
    black = np.zeros((*SIZE, 3), np.uint8)
    drawn = draw_skeleton(black, keypoints, TEN, factor=4)
    assert drawn.shape == (128, 128, 3)
    assert drawn[60, 41].min() > 150  # pixel 10 lies at 41.5 of the enlarged crop, so half on either
    assert drawn[60, 60:].max() == 0
    assert not black.any()


def test_pictures_are_stacked_with_a_gap() -> None:
    made = stacked([np.zeros((2, 3, 3), np.uint8), np.full((1, 3, 3), 9, np.uint8)])
    assert made[:, 0, 0].tolist() == [0, 0, 255, 255, 255, 255, 9]
