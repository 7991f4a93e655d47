"""How far apart models lie: simulated models that are equal, that diverge, that stay as far apart as they were."""

import numpy as np
import pytest

from robustpose.findings.spread import log_odds, spread, variance
from robustpose.findings.statistics import Sample, decided
from robustpose.metrics.bootstrap import redraws

MODELS = 6
PEOPLE = 60
RUNS = 60


def crowd(
    generator: np.random.Generator, truths: np.ndarray, *, deviation: float, people: int = PEOPLE
) -> list[Sample]:
    """Score models on people who differ, half of it alike for all models: their scores are `truths` and luck."""
    of_people = generator.normal(0, 1, (people, 1)) + generator.normal(0, 1, (people, len(truths)))
    scores = truths + deviation * of_people / np.sqrt(2)
    weights = redraws(people, seed=0)
    return [
        Sample(np.asarray(scores[:, model].mean()), weights @ scores[:, model] / people, people)
        for model in range(len(truths))
    ]


def around(middle: float, *, by: float) -> np.ndarray:
    return middle + np.linspace(-by, by, MODELS)


def verdicts(
    low: np.ndarray, high: np.ndarray, *, low_deviation: float, high_deviation: float, people: int = PEOPLE
) -> list[str]:
    generator = np.random.default_rng(0)
    found: list[str] = []
    for _ in range(RUNS):
        after = crowd(generator, high, deviation=high_deviation, people=people)
        before = crowd(generator, low, deviation=low_deviation, people=people)
        found.append(decided((spread(after) - spread(before)).estimate, above=0.0))
    return found


@pytest.mark.parametrize(("low", "high"), [(2, 30), (30, 2), (15, 25)])
def test_equal_models_neither_diverge_nor_converge(low: float, high: float) -> None:
    """However much more people differ at one budget than at the other."""
    equal = around(50, by=0)
    found = verdicts(equal, equal, low_deviation=low, high_deviation=high)
    assert found.count("undecided") > 0.9 * RUNS


def test_models_that_stay_as_far_apart_are_seldom_decided() -> None:
    apart = around(50, by=12)
    found = verdicts(apart, apart, low_deviation=10, high_deviation=25)
    assert found.count("undecided") > 0.85 * RUNS


def test_diverging_and_converging_models_are_found() -> None:
    close, apart = around(50, by=3), around(50, by=20)
    assert verdicts(close, apart, low_deviation=5, high_deviation=30).count("holds") > 0.9 * RUNS
    assert verdicts(apart, close, low_deviation=30, high_deviation=5).count("does not hold") > 0.9 * RUNS


def test_the_variance_is_right_on_average() -> None:
    generator = np.random.default_rng(1)
    truths = around(50, by=6)
    found = [variance(crowd(generator, truths, deviation=30)) for _ in range(200)]
    assert np.mean([each.value for each in found]) == pytest.approx(np.var(truths, ddof=1), rel=0.15)
    assert np.mean([each.draws.mean() for each in found]) == pytest.approx(np.var(truths, ddof=1), rel=0.15)


def test_by_hand() -> None:
    """Luck of 2 points either way, alike for all or against each other."""
    alike = [Sample(np.asarray(value), value + np.array([-2.0, 2.0]), 9) for value in (10.0, 20.0)]
    assert float(variance(alike).value) == 50.0  # none of it is between the models
    against = [alike[0], Sample(np.asarray(20.0), 20.0 - np.array([-2.0, 2.0]), 9)]
    assert float(variance(against).value) == 50.0 - 8.0
    assert variance(against).draws.tolist() == [14.0**2 / 2 - 16.0, 6.0**2 / 2 - 16.0]
    assert float(spread(against).value) == pytest.approx(42.0**0.5)
    assert float(log_odds(np.asarray(50.0))) == 0.0
