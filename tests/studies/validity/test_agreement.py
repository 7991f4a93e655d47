"""Kendall's tau and decided pairs: by hand, against scipy, and how often their intervals hold the truth."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

from robustpose.metrics.bootstrap import redraws
from robustpose.metrics.table import Floats
from robustpose.studies.validity.agreement import (
    Pair,
    Scores,
    agreement,
    decided,
    drawn_together,
    one_order,
    tau_b,
)


def scores(hits: NDArray[np.bool_], weights: Floats) -> Scores:
    """Score models (M, N) by their people's hits, as a study does."""
    people = hits.shape[1]
    return Scores(values=100 * hits.mean(axis=1), draws=100 * hits @ weights.T / people, people=people)


def certain(*values: float, people: int = 50) -> Scores:
    """Scores that no redrawing changes."""
    column = np.array(values, dtype=float)
    return Scores(values=column, draws=np.repeat(column[:, None], 40, axis=1), people=people)


@pytest.mark.parametrize(
    ("x", "y", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3], [1, 3, 2], 1 / 3),  # two pairs alike, one not
        ([1, 2, 2, 3], [1, 3, 2, 2], 0.4),  # 3 alike, 1 not, one pair tied on each side: 2 / sqrt(5 * 5)
        ([1, 1, 2], [1, 2, 3], 2 / 6**0.5),  # 2 alike; 2 and 3 pairs untied
        ([1, 2, float("nan"), 3], [1, 2, 0, 3], 1.0),  # the third model is left out
    ],
)
def test_tau_by_hand(x: list[float], y: list[float], tau: float) -> None:
    assert tau_b(np.array(x, float), np.array(y, float)) == pytest.approx(tau)


def test_tau_is_undefined_where_a_side_ties_all_models() -> None:
    assert np.isnan(tau_b(np.array([5.0, 5, 5]), np.array([1.0, 2, 3])))


def test_tau_is_scipys_draw_by_draw() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 6, (200, 9)).astype(float), generator.integers(0, 9, (200, 9)).astype(float)
    expected = [kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(tau_b(x, y), expected, atol=1e-12)


def test_pairs_by_hand() -> None:
    rendered, photos = certain(90, 80, 70, 60), certain(90, 60, 70, 70)
    found = agreement(["a", "b", "c", "d"], rendered, photos)
    assert (found.pairs, found.rendered, found.photos, found.both) == (6, 6, 5, 5)
    assert found.misleading == (Pair(in_photos="c", in_rendered="b"), Pair(in_photos="d", in_rendered="b"))
    assert found.agree == 3
    assert found.tau.value == pytest.approx(1 / 30**0.5)
    assert (found.tau.low, found.tau.high) == (found.tau.value, found.tau.value)
    assert found.one_order.value == pytest.approx(5 / 30**0.5)  # but for the tie in photos it would be 1
    assert found.tau.n == 4


def test_a_pair_whose_interval_holds_0_is_not_decided() -> None:
    sure, unsure = certain(50, 40), certain(50, 40)
    draws = unsure.draws.copy()
    draws[1, :3] = 60  # 3 of 40 draws are the other way: more than the tail of 2.5%
    unsure = replace(unsure, draws=draws)
    assert decided(sure).tolist() == [[0, 1], [-1, 0]]
    assert decided(unsure).tolist() == [[0, 0], [0, 0]]
    found = agreement(["a", "b"], sure, unsure)
    assert (found.rendered, found.photos, found.both, found.misleading) == (1, 0, 0, ())
    assert (found.tau.low, found.tau.value, found.tau.high) == (-1, 1, 1)


def test_models_without_a_score_take_no_part() -> None:
    found = agreement(["a", "b", "c"], certain(90, float("nan"), 70), certain(10, 99, 5))
    assert (found.pairs, found.rendered, found.photos, found.both) == (1, 1, 1, 1)
    assert (found.tau.value, found.tau.n) == (1.0, 2)


@pytest.mark.parametrize("rest", [float("nan"), 50.0])
def test_fewer_than_two_models_have_no_order(rest: float) -> None:
    """Relative scores of models that find nothing clean."""
    nan = float("nan")
    found = agreement(["a", "b", "c"], certain(rest, nan, nan), certain(90, nan, 70))
    assert np.isnan(found.tau.value) and np.isnan(found.one_order.value)
    assert (found.pairs, found.rendered, found.both, found.misleading) == (0, 0, 0, ())


def test_one_person_says_nothing_of_others() -> None:
    found = agreement(["a", "b"], certain(90, 10, people=1), certain(90, 10))
    assert found.tau.value == 1
    assert np.isnan(found.tau.low) and np.isnan(found.tau.high)
    assert (found.rendered, found.photos, found.both) == (0, 1, 0)


def test_equal_models_are_told_apart_in_one_pair_of_twenty() -> None:
    generator, weights = np.random.default_rng(1), redraws(80, seed=0)
    told = [abs(decided(scores(generator.random((2, 80)) < 0.6, weights))[0, 1]) for _ in range(400)]
    assert 8 <= sum(told) <= 36  # 20 expected; the bootstrap's intervals are a little short of 95%


def test_the_interval_of_tau_holds_the_true_tau() -> None:
    """Three models whose true orders have tau 1/3, seen through 120 and 90 people, 150 times."""
    generator = np.random.default_rng(2)
    on_rendered, on_photos = np.array([0.3, 0.5, 0.7])[:, None], np.array([0.5, 0.35, 0.7])[:, None]
    weights, others = redraws(120, seed=0), redraws(90, seed=0)[::-1]
    held, wide = 0, []
    for _ in range(150):
        rendered = scores(generator.random((3, 120)) < on_rendered, weights)
        photos = scores(generator.random((3, 90)) < on_photos, others)
        tau = agreement("abc", rendered, photos).tau
        held += tau.low <= 1 / 3 <= tau.high
        wide.append(tau.high - tau.low)
    assert held >= 0.9 * 150
    assert min(wide) < 2  # not by being everything


def test_the_tau_of_one_order_exchanges_the_models_of_the_photos() -> None:
    rendered, photos = certain(30, 10, 20), certain(1, 2, 3)
    # the worst in photos takes the place of the second model, the middle one of the third, the best of the first
    draws = photos.draws.copy()
    draws[1, 0] = 3.5  # in the first draw the middle one is best: it stands in the third model's place
    photos = replace(photos, draws=draws)
    assert one_order(rendered, photos)[0] == pytest.approx(1 / 3)
    np.testing.assert_allclose(one_order(rendered, photos)[1:], 1)


def test_scores_are_drawn_together_to_the_spread_of_the_models() -> None:
    """Values that spread by 10 with an error of 6 come from models that spread by 8."""
    generator = np.random.default_rng(5)
    values = 50 + 10 * np.array([-1.0, 1.0, -1.0, 1.0]) * (3 / 4) ** 0.5
    draws = values[:, None] + generator.normal(0, 6, (4, 40_000))
    together = drawn_together(Scores(values, draws, 50))
    assert together.mean(axis=1).std(ddof=1) == pytest.approx(8, abs=0.1)
    np.testing.assert_allclose(
        together - together.mean(axis=1, keepdims=True), draws - draws.mean(axis=1, keepdims=True)
    )
    noise = drawn_together(Scores(values, 50 + generator.normal(0, 30, (4, 40_000)), 50))
    assert noise.mean(axis=1).std() == pytest.approx(0, abs=9)
    np.testing.assert_allclose(drawn_together(certain(3, 3, 3)), 3)


def test_models_of_one_true_order_show_the_tau_of_one_order() -> None:
    """Twelve close models, alike on both sides: tau's own interval excludes 1, that of one order includes tau."""
    generator = np.random.default_rng(3)
    chances = np.linspace(0.55, 0.65, 12)[:, None]
    weights, others = redraws(150, seed=0), redraws(80, seed=0)[::-1]
    inside = beside = 0
    for _ in range(60):
        rendered = scores(generator.random((12, 150)) < chances, weights)
        photos = scores(generator.random((12, 80)) < chances, others)
        found = agreement("abcdefghijkl", rendered, photos)
        inside += found.one_order.low <= found.tau.value
        beside += found.tau.high >= 1
    assert inside >= 0.9 * 60
    assert beside == 0


def test_other_orders_fall_below_the_tau_of_one_order() -> None:
    generator = np.random.default_rng(4)
    chances = np.linspace(0.3, 0.8, 12)[:, None]
    rendered = scores(generator.random((12, 150)) < chances, redraws(150, seed=0))
    photos = scores(generator.random((12, 80)) < generator.permutation(chances), redraws(80, seed=0)[::-1])
    found = agreement("abcdefghijkl", rendered, photos)
    assert found.tau.value < found.one_order.low
