"""Effects of factors on numbers made by hand: a true one is found, chance is not."""

import numpy as np
import pytest

from robustpose.analysis.effects import FEWEST, ranked
from robustpose.analysis.factors import levels


def test_a_true_effect_comes_first_and_chance_is_not_sure() -> None:
    generator = np.random.default_rng(0)
    n, of = 120, np.full(120, 10.0)
    size = [float(row % 3) for row in range(n)]
    share = np.array([9.0 if value == 2 else 4.0 if value == 1 else 3.0 for value in size])
    share += generator.integers(-1, 2, n)
    known = {"coin": [float(generator.integers(0, 2)) for _ in range(n)], "size": size}
    first, second = ranked(known, share, of, measure="relative")
    assert (first.factor, first.better, first.worse) == ("size", "2", "0")
    assert first.value == pytest.approx(100 * (share[2::3].mean() - share[0::3].mean()) / 10)
    assert first.low < first.value < first.high and first.sure
    assert (first.n_better, first.n_worse) == (40, 40)
    assert (second.factor, second.sure) == ("coin", False)


def test_many_pairs_need_a_wider_interval() -> None:
    generator = np.random.default_rng(3)
    n = 200
    share, of = generator.integers(0, 11, n).astype(float), np.full(n, 10.0)
    known = {f"coin {k}": [float(value) for value in generator.integers(0, 2, n)] for k in range(200)}
    found = ranked(known, share, of, measure="clean")
    assert any(effect.low > 0 for effect in found), "of 200 coins, some differ at 95%"
    assert not any(effect.sure for effect in found)


def test_small_groups_and_unknown_values_are_left_out() -> None:
    n = 3 * FEWEST
    values = ["few"] * (FEWEST - 1) + ["many"] * (n - FEWEST + 1)
    share, of = np.ones(n), np.ones(n)
    assert ranked({"group": values}, share, of, measure="clean") == []
    nan = float("nan")
    assert levels([1.0, nan, 2.0, 1.0]) == {"1": [0, 3], "2": [2]}
    assert levels([nan, 5.0, 1.0, 2.0, 3.0, 4.0, 6.0]) == {"1 to 2": [2, 3], "3 to 4": [4, 5], "5 to 6": [1, 6]}


def test_a_group_without_a_clean_keypoint_has_no_relative_score() -> None:
    n = 2 * FEWEST
    known = {"side": [float(row < FEWEST) for row in range(n)]}
    of = np.array([0.0 if row < FEWEST else 5.0 for row in range(n)])
    assert ranked(known, np.zeros(n), of, measure="relative") == []
