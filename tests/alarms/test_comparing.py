"""Alarms computed from tables: thirty people who keep or lose all of their keypoints, typed by hand."""

import numpy as np

from robustpose.alarms import black_box_beats, more_hurts_less
from robustpose.metrics import PCKH, Table
from tests.conftest import TRIO


def table(kept: int, *, targeted: bool = False) -> Table:
    """Thirty people with the truth at 0: the first `kept` are seen there, the others 9 pixels off."""
    predicted = np.full((30, 3, 2), 9.0)
    predicted[:kept] = 0.0
    return Table(
        ids=tuple(f"p{i}" for i in range(30)),
        skeleton=TRIO,
        predicted=predicted,
        keypoints=np.zeros((30, 3, 2)),
        visible=np.ones((30, 3), bool),
        head_size=np.full(30, 2.0),
        box_side=np.full(30, 10.0),
        target=np.full((30, 3, 2), 9.0) if targeted else None,
        target_visible=np.ones((30, 3), bool) if targeted else None,
    )


def test_more_hurts_less_goes_off_once_for_the_one_that_leaves_more() -> None:
    (alarm,) = more_hurts_less([("clean", table(30)), ("1/255", table(12)), ("8/255", table(24))], PCKH)
    assert alarm.name == "more-hurts-less"
    assert alarm.says.startswith("8/255: PCKh@0.5 differs by +40.0 [")
    assert "points from 1/255, n = 30" in alarm.says


def test_more_hurts_more_and_chance_are_quiet() -> None:
    assert more_hurts_less([("clean", table(30)), ("1/255", table(20)), ("8/255", table(2))], PCKH) == []
    assert more_hurts_less([("1/255", table(20)), ("8/255", table(21))], PCKH) == [], "one person is chance"
    assert more_hurts_less([("1/255", table(20))], PCKH) == []


def test_a_targeted_attack_that_hits_less_with_more() -> None:
    weak, strong = table(10, targeted=True), table(25, targeted=True)  # 20 and 5 of 30 at the target
    (alarm,) = more_hurts_less([("1/255", weak), ("8/255", strong)], PCKH)
    assert alarm.says.startswith("8/255: target PCKh@0.5 differs by -50.0 [")
    assert more_hurts_less([("1/255", strong), ("8/255", weak)], PCKH) == []


def test_black_box_beats() -> None:
    (alarm,) = black_box_beats(("APGD", table(20)), ("Square", table(5)), PCKH)
    assert alarm.name == "black-box-beats"
    assert alarm.says.startswith("APGD: PCKh@0.5 differs by +50.0 [")
    assert black_box_beats(("APGD", table(5)), ("Square", table(20)), PCKH) == []
    assert black_box_beats(("APGD", table(6)), ("Square", table(5)), PCKH) == []
