"""Alarms about clean predictions and about attacks that did nothing, on tables made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from robustpose.alarms import mean_pose, nothing_moved, useless
from robustpose.metrics import PCKH, Table
from tests.conftest import TRIO


def people(n: int, *, right: int, spread: float = 30.0) -> Table:
    """n people of three keypoints in places `spread` pixels apart, of whom the first `right` are found."""
    keypoints = np.random.default_rng(0).normal(0, spread, size=(n, 3, 2))
    predicted = keypoints + np.where(np.arange(n) < right, 0.0, 500.0)[:, None, None]
    return Table(
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=TRIO,
        predicted=predicted,
        keypoints=keypoints,
        visible=np.ones((n, 3), bool),
        head_size=np.full(n, 2.0),
        box_side=np.full(n, 10.0),
    )


def names(table: Table, expected: tuple[str, float] | None = None) -> list[str]:
    return [alarm.name for alarm in useless(table, PCKH, expected=expected)]


def test_the_mean_pose_is_that_of_the_others() -> None:
    table = people(3, right=3)
    table.keypoints[:, 0] = [[0, 0], [3, 6], [9, 12]]
    table.visible[1, 1] = table.visible[2, 1] = False
    guess = mean_pose(table).predicted
    assert guess[:, 0].tolist() == [[6, 9], [4.5, 6], [1.5, 3]]
    assert np.isnan(guess[0, 1]).all(), "nobody else has this keypoint labelled"
    assert guess[1, 1].tolist() == guess[2, 1].tolist() == table.keypoints[0, 1].tolist()


def test_a_model_that_finds_people_is_quiet() -> None:
    assert names(people(20, right=14)) == []
    assert names(people(2, right=1)) == []
    assert names(people(1, right=1)) == []


def test_a_model_that_predicts_the_mean_pose_is_at_chance() -> None:
    table = people(20, right=20, spread=1.0)
    table = replace(table, predicted=np.broadcast_to(table.keypoints.mean(axis=0), table.keypoints.shape).copy())
    (alarm,) = useless(table, PCKH)
    assert alarm.name == "chance-level"
    assert "not better than predicting the mean pose of the other people (" in alarm.says


def test_no_keypoint_right_is_said_of_one_person_too() -> None:
    assert names(people(20, right=0)) == ["no-keypoint-right"]
    assert names(people(1, right=0)) == ["no-keypoint-right"]


def test_people_without_labels_say_nothing() -> None:
    table = people(12, right=0)
    table.visible[:] = False
    assert names(table) == []


@pytest.mark.parametrize(
    ("n", "expected", "goes_off"),
    [
        (40, ("PCKh@0.5", 95.0), True),  # 50% here, so far below for certain
        (40, ("PCKh@0.5", 55.0), False),
        (40, ("PCK@0.1", 95.0), False),  # another metric
        (4, ("PCKh@0.5", 95.0), False),  # four people decide nothing
    ],
)
def test_a_score_far_below_the_specs(n: int, expected: tuple[str, float], goes_off: bool) -> None:
    assert names(people(n, right=n // 2), expected) == (["below-spec"] if goes_off else [])


def test_an_attack_that_changes_nothing() -> None:
    clean = people(5, right=4)
    (alarm,) = nothing_moved("IGSM", clean, replace(clean, predicted=clean.predicted.copy()))
    assert alarm.name == "nothing-moved"
    assert alarm.says == "IGSM: the attack changed no predicted keypoint of 5 people"
    moved = replace(clean, predicted=clean.predicted.copy())
    moved.predicted[3, 1, 0] += 1e-6
    assert nothing_moved("IGSM", clean, moved) == []


def test_only_people_with_a_target_pose_were_attacked() -> None:
    clean = people(3, right=3)
    asked = np.zeros((3, 3), bool)
    aimed = replace(clean, predicted=clean.predicted + 1.0, target=clean.keypoints, target_visible=asked)
    assert [alarm.name for alarm in nothing_moved("IGSM-T", clean, aimed)] == ["no-target"]
    asked[0] = True
    assert nothing_moved("IGSM-T", clean, aimed) == []
    still = replace(aimed, predicted=clean.predicted.copy())
    still.predicted[2] += 1.0  # the change of somebody without a target does not count
    assert [alarm.name for alarm in nothing_moved("IGSM-T", clean, still)] == ["nothing-moved"]
