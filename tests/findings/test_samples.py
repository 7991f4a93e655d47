"""Judging: samples by hand, paired contrasts, an interval against a margin."""

from dataclasses import replace

import numpy as np
import pytest

from robustpose.findings.statistics import Sample, decided, kept, mean, ratio, resampled, scored
from robustpose.metrics import PCK
from tests.findings.hand_made import table

ROWS = np.arange(40)


def sample(value: float, *draws: float, n: int = 40) -> Sample:
    return Sample(np.asarray(value), np.asarray(draws, float), n)


def test_scores_and_what_is_kept_by_hand() -> None:
    assert scored(table(ROWS, 30), PCK).value == 75.0
    left = kept(table(ROWS, 20), table(ROWS, 5), PCK)
    assert (float(left.value), left.n) == (25.0, 40)
    assert left.estimate.low < 25.0 < left.estimate.high


def test_contrasts_redraw_the_same_people() -> None:
    one = scored(table(ROWS, 20), PCK)
    assert np.all((one - one).draws == 0.0)
    higher = scored(table(ROWS, 21), PCK) - one
    assert np.all(higher.draws >= 0.0)  # one person more is right in every redraw that holds that person


def test_a_score_of_nothing_is_missing() -> None:
    left = kept(table(ROWS, 0), table(ROWS, 0), PCK).estimate
    assert np.isnan(left.value) and np.isnan(left.low)
    assert decided(left, above=0.0) == "undecided"


def test_mean_and_ratio_by_hand() -> None:
    both = mean([sample(10.0, 8.0, 12.0, n=30), sample(30.0, 20.0, 40.0)])
    assert (float(both.value), list(both.draws), both.n) == (20.0, [14.0, 26.0], 30)
    assert list(ratio(sample(1.0, 1.0, 3.0), sample(4.0, 2.0, 4.0)).draws) == [50.0, 75.0]


def test_resampled_statistic_of_everyone_once_is_the_value() -> None:
    values = np.arange(10.0)
    found = resampled(lambda weights: float(weights @ values / weights.sum()), 10, draws=50)
    assert found.value == 4.5 and len(found.draws) == 50 and found.draws.std() > 0


def test_people_without_a_target_are_not_counted() -> None:
    aimed = table(ROWS, 20, targeted=True)
    assert aimed.target_visible is not None
    asked = aimed.target_visible.copy()
    asked[:12] = False
    hits = scored(replace(aimed, target_visible=asked), replace(PCK, against="target"))
    assert hits.n == 28
    assert float(hits.value) == pytest.approx(100 * 8 / 28)
