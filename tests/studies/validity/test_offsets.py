"""Where keypoints lie off the truth: known shifts found again, per direction, and medians by hand."""

from dataclasses import replace

import numpy as np
import pytest

from robustpose.metrics import Table
from robustpose.metrics.bootstrap import redraws
from robustpose.studies.validity.offsets import Sampled, distances, medians, offset
from tests.conftest import TRIO

LEFT, RIGHT, NOSE = range(3)


def people(n: int = 40) -> Table:
    """People whose left hand is 4 to the right of the right hand in the picture, in boxes of 20."""
    generator = np.random.default_rng(0)
    right = generator.uniform(5, 10, (n, 2))
    keypoints = right[:, None] + np.array([[4, 0], [0, 0], [2, -3]])
    return Table(
        ids=tuple(f"p{i}" for i in range(n)),
        skeleton=TRIO,
        predicted=keypoints.copy(),
        keypoints=keypoints,
        visible=np.ones((n, 3), bool),
        head_size=np.full(n, np.nan),
        box_side=np.full(n, 20.0),
    )


def test_a_shift_is_found_in_its_direction() -> None:
    table = people()
    shift = np.array([[1.0, 0.5], [-1.0, 0.5], [0.0, 0.5]])  # both hands outward by 1, all down by 0.5
    table = replace(table, predicted=table.keypoints + shift)
    np.testing.assert_allclose(distances(table, "down"), 2.5)
    np.testing.assert_allclose(distances(table, "outward")[:, :2], 5.0)
    assert np.isnan(distances(table, "outward")[:, NOSE]).all()  # it has no other side
    np.testing.assert_allclose(distances(table, "error")[:, LEFT], 5 * np.hypot(1, 0.5))


def test_hands_one_over_the_other_have_no_outward() -> None:
    table = people(2)
    keypoints = table.keypoints.copy()
    keypoints[0, LEFT] = keypoints[0, RIGHT] + [0.9, 0.0]  # under 5% of the box
    table = replace(table, keypoints=keypoints)
    assert np.isnan(distances(table, "outward")).tolist() == [[True, True, True], [False, False, True]]


def test_what_is_not_labelled_does_not_count() -> None:
    table = people(3)
    visible = table.visible.copy()
    visible[1, LEFT] = False
    table = replace(table, visible=visible)
    assert np.isnan(distances(table, "error")).tolist() == [[False] * 3, [True, False, False], [False] * 3]
    assert np.isnan(distances(table, "outward")[1]).all()  # without the left one the right one has no direction


def test_medians_are_of_the_people_as_often_as_they_are_drawn() -> None:
    values = np.array([[1.0, np.nan], [2.0, 9.0], [3.0, np.nan]])  # person 1 has two
    weights = np.array([[1.0, 1, 1], [3, 0, 0], [0, 0, 3], [0, 2, 1], [2, 1, 0]])
    found = medians(values, weights)
    assert (found.value, found.n) == (2.0, 3)
    assert found.draws.tolist() == [2.0, 1.0, 3.0, 3.0, 1.0]  # of 1 1 2 9 the lower middle is 1


def test_medians_are_numpys_for_odd_numbers() -> None:
    generator = np.random.default_rng(3)
    values, weights = generator.normal(size=(21, 1)), redraws(21, seed=1)
    found = medians(values, weights)
    repeated = [np.median(np.repeat(values[:, 0], each.astype(int))) for each in weights]
    np.testing.assert_allclose(found.draws, repeated)
    assert found.value == np.median(values)


def test_nobody_has_no_median() -> None:
    found = medians(np.full((3, 2), np.nan), redraws(3, seed=0))
    assert np.isnan(found.value) and np.isnan(found.draws).all()
    assert found.n == 0


def test_the_change_is_rendered_less_photos() -> None:
    rendered, photos = Sampled(5.0, np.array([4.0, 6.0]), 30), Sampled(2.0, np.array([2.0, 2.0]), 20)
    found = offset("net", "hip", "down", rendered=rendered, photos=photos)
    assert (found.change.value, found.change.n) == (3.0, 20)
    assert (found.change.low, found.change.high) == pytest.approx((2.05, 3.95))
