"""Jitter of predictions that are known: spread, jumps and step errors in closed form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Table
from robustpose.skeletons import MPII_16
from robustpose.studies.jitter import (
    ERROR,
    JITTER_STUDY,
    JUMPS,
    SPREAD,
    STEP,
    TRUE_STEP,
    OpenedJitter,
    clip_jitter,
    steps_of,
    still_jitter,
)
from robustpose.study.plan import make_plan
from tests.faults.spots import finder, people

N, K = 5, 16


def table(predicted: np.ndarray, truth: np.ndarray, *, side: float = 50.0) -> Table:
    return Table(
        ids=tuple(f"p{i}" for i in range(N)),
        skeleton=MPII_16,
        predicted=predicted,
        keypoints=truth,
        visible=np.ones((N, K), bool),
        head_size=np.full(N, 5.0),
        box_side=np.full(N, side),
    )


def moved(points: np.ndarray, x: float, y: float) -> np.ndarray:
    return np.asarray(points + np.array([x, y]))


def test_spread_and_jumps_by_hand() -> None:
    """Copies 1 pixel left and right of the plain prediction, which is 3 off; one keypoint goes 20 away in one."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 50, (N, K, 2))
    plain = table(moved(truth, 0.0, 3.0), truth)
    copies = np.stack([moved(plain.predicted, move, 0.0) for move in (1.0, -1.0)])
    found = still_jitter(plain, copies)
    assert found[SPREAD][ALL].value == pytest.approx(2.0)
    assert found[ERROR][ALL].value == pytest.approx(6.0)
    assert (found[JUMPS][ALL].value, found[JUMPS][ALL].n) == (0.0, N)
    copies[0, 2, 0] += [20.0, 0.0]  # person 2's right ankle
    jumped = still_jitter(plain, copies)
    assert jumped[JUMPS]["ankle"].value == pytest.approx(100 / (2 * N))
    assert jumped[JUMPS]["knee"].value == 0.0
    assert jumped[SPREAD]["ankle"].value > found[SPREAD]["ankle"].value


def test_what_does_not_count_is_left_out() -> None:
    truth = np.zeros((N, K, 2))
    plain = table(truth, truth)
    wild = np.stack([truth, truth])
    wild[1, :, 6] += 40.0  # the pelvis, which MPII's score leaves out
    wild[1, 0, 1] += 40.0
    hidden = replace(plain, visible=plain.visible & (np.arange(K) != 1))
    assert still_jitter(hidden, wild)[SPREAD][ALL].value == 0.0


def test_a_constant_error_makes_no_step_error() -> None:
    """People move 2 pixels a frame and grow; predictions are off by the same share of the box, then flicker."""
    rng = np.random.default_rng(1)
    start = rng.uniform(0, 50, (N, K, 2))
    frames = []
    for number in range(6):
        side = 50.0 + number
        truth = moved(start * side / 50, 0.02 * side * number, 0.0)
        frames.append(table(moved(truth, 0.0, 0.1 * side), truth, side=side))
    found = clip_jitter(frames)
    assert found[STEP][ALL].value == pytest.approx(0.0, abs=1e-9)
    assert found[TRUE_STEP][ALL].value == pytest.approx(2.0)
    assert found[ERROR][ALL].value == pytest.approx(10.0)
    flicker = [
        replace(each, predicted=moved(each.predicted, (-1) ** number * 0.01 * float(each.box_side[0]), 0.0))
        for number, each in enumerate(frames)
    ]
    assert clip_jitter(flicker)[STEP][ALL].value == pytest.approx(2.0)
    gone = replace(flicker[2], visible=np.zeros((N, K), bool))
    step, _, _ = steps_of([*flicker[:2], gone, *flicker[3:]])
    assert np.isnan(step[1:3]).all()
    assert np.isfinite(step[[0, 3, 4]][..., np.array(MPII_16.counted)]).all()


def test_intervals_of_clips_redraw_clips() -> None:
    truth = np.zeros((N, K, 2))
    frames = [table(truth, truth), table(truth + np.arange(N)[:, None, None] * [1.0, 0.0], truth)]
    found = clip_jitter(frames)[STEP][ALL]
    assert found.n == N
    assert found.value == pytest.approx(4.0)  # of 0, 2, 4, 6 and 8 %
    assert 1.5 < found.low < 3 and 5 < found.high < 6.5


def test_a_finder_jitters_less_than_the_shift_of_its_crop(tmp_path: Path) -> None:
    """Whatever half a pixel does to the crop, it is taken back before copies are compared."""
    study = replace(JITTER_STUDY, n=3, data="spots")
    plan = make_plan(study, models=(finder(),), dataset=people(tmp_path / "photos"), metric="pckh")
    opened = OpenedJitter(plan, copies=4, clips=0)
    store = Store(tmp_path / "out")
    assert run_all(opened.jobs, opened.bench, store) == 1 + 2 * 4
    found = opened.measure(store)
    lines = {(line["change"], line["measure"], line["part"]): line["value"] for line in found.lines}
    assert 0 < float(str(lines["sub-pixel", SPREAD, ALL])) < 0.3
    assert 0 < float(str(lines["noise", SPREAD, ALL])) < 0.3
    assert lines["noise", JUMPS, ALL] == 0
    assert len(found.summary) == 1
    assert found.answers[0].startswith("finder under noise of 1/255: a keypoint spreads by 0.")
