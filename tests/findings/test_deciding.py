"""Deciding: an interval against a margin, few people, shares of all or none, the smallest of several leads."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from robustpose.findings.finding import Verdict
from robustpose.findings.statistics import (
    FEWEST,
    Sample,
    decided,
    mean,
    ratio,
    scored,
    smallest,
    verdict,
    verdict_below,
    verdict_of_all,
    verdict_within,
    widened,
    within,
)
from robustpose.metrics import PCK, Estimate
from robustpose.metrics.bootstrap import redraws
from tests.findings.hand_made import table

ROWS = np.arange(40)
RUNS = 200


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1.0, 3.0, "holds"), (-3.0, -1.0, "does not hold"), (-1.0, 1.0, "undecided"), (0.0, 2.0, "undecided")],
)
def test_an_interval_decides_against_the_margin(low: float, high: float, expected: str) -> None:
    assert decided(Estimate(value=0.5, low=low, high=high, n=40), above=0.0, rests_on=40) == expected


def test_few_people_that_a_score_rests_on_decide_nothing_however_many_there_are() -> None:
    far, near = Estimate(value=2, low=1, high=3, n=100), Estimate(value=0, low=-1, high=1, n=100)
    for rests_on, counts in ((FEWEST - 1, False), (FEWEST, True), (None, True)):
        assert (decided(far, above=0.0, rests_on=rests_on) == "holds") == counts
        assert (within(near, margin=2.0, rests_on=rests_on) == "holds") == counts
    few = Estimate(value=0, low=-1, high=1, n=FEWEST - 1)
    assert within(few, margin=2.0) == decided(few, above=-2.0) == "undecided"


def test_a_verdict_flips_with_the_data_and_says_its_margin() -> None:
    low, high = scored(table(ROWS, 5), PCK), scored(table(ROWS, 35), PCK)
    made = verdict("A is above B.", high - low, above=10.0, paper="1", measured="A - B")
    assert made.holds == "holds" and made.effect is not None and made.effect.value == 75.0
    assert "above 10" in made.measured
    assert verdict("", low - high, above=10.0, paper="", measured="").holds == "does not hold"
    assert verdict("", high - low, above=75.0, paper="", measured="").holds == "undecided"


def normal(value: float, error: float, *, n: int = 40, seed: int = 0) -> Sample:
    return Sample(np.asarray(value), value + error * np.random.default_rng(seed).standard_normal(1000), n)


@pytest.mark.parametrize(
    "judge",
    [
        lambda n: verdict("", normal(9, 1, n=n), above=0.0, paper="", measured="m"),
        lambda n: verdict_below("", normal(-9, 1, n=n), below=0.0, paper="", measured="m"),
        lambda n: verdict_within("", normal(0, 1, n=n), margin=9.0, paper="", measured="m"),
        lambda n: verdict_of_all("", [normal(9, 1, n=n)] * 2, above=0.0, paper="", measured="m"),
    ],
)
def test_few_people_decide_nothing_and_the_reason_is_said(judge: Callable[[int], Verdict]) -> None:
    enough, few = judge(FEWEST), judge(FEWEST - 1)
    assert (enough.holds, few.holds) == ("holds", "undecided")
    assert "20 people are needed, here are 19" in few.measured
    assert "needed" not in enough.measured


def test_below_and_within_are_the_other_ways_round() -> None:
    assert verdict_below("", normal(5, 1), below=0.0, paper="", measured="").holds == "does not hold"
    assert verdict_below("", normal(1, 1), below=0.0, paper="", measured="").holds == "undecided"
    assert verdict_within("", normal(9, 1), margin=2.0, paper="", measured="").holds == "does not hold"
    assert verdict_within("", normal(2, 1), margin=2.0, paper="", measured="").holds == "undecided"


def test_a_share_of_nothing_has_no_interval_below_0() -> None:
    nothing = verdict_below("", normal(0, 0), below=10.0, paper="", measured="")
    assert nothing.effect is not None
    assert nothing.effect.low == 0.0 < nothing.effect.high
    assert nothing.holds == "holds"


def test_shares_of_all_and_none_have_wilsons_interval() -> None:
    """Wilson's for 24 of 24 at 95%: 86.2 to 100."""
    wide = 100 * 3.841459 / 27.841459
    everybody, nobody = (widened(Estimate(share, share, share, 24), rests_on=24) for share in (100.0, 0.0))
    assert (everybody.low, everybody.high) == pytest.approx((100 - wide, 100.0))
    assert (nobody.low, nobody.high) == pytest.approx((-wide, wide))
    assert widened(Estimate(-100.0, -100.0, -100.0, 24), rests_on=24).high == pytest.approx(wide - 100)
    assert widened(Estimate(50.0, 50.0, 50.0, 24), rests_on=24) == Estimate(50.0, 50.0, 50.0, 24)
    everyone = scored(table(ROWS, 40), PCK)
    assert verdict("", everyone, above=95.0, paper="", measured="").holds == "undecided"
    assert verdict("", everyone, above=90.0, paper="", measured="").holds == "holds"


@pytest.mark.parametrize(("right", "high", "holds"), [(40, 8.76, "holds"), (28, 12.06, "undecided")])
def test_nothing_left_is_as_sure_as_those_are_many_who_had_something(right: int, high: float, holds: str) -> None:
    """Of 40 people 28 were right when clean, so 28 could be lost: Wilson's of 0 in 28, not of 0 in 40."""
    left = ratio(scored(table(ROWS, 0), PCK), scored(table(ROWS, right), PCK))
    found = verdict_below("", left, below=10.0, paper="", measured="")
    assert found.effect is not None and found.effect.n == 40
    assert found.effect.high == pytest.approx(high, abs=0.01)
    assert found.holds == holds


def test_few_who_had_something_decide_nothing() -> None:
    left = ratio(scored(table(ROWS, 0), PCK), scored(table(ROWS, FEWEST - 1), PCK))
    found = verdict_below("", left, below=90.0, paper="", measured="")
    assert found.holds == "undecided"
    assert "20 people are needed, here are 19" in found.measured
    other = ratio(scored(table(ROWS, 5), PCK), scored(table(ROWS, 40), PCK))
    assert (other - left).rests_on == mean([left, other]).rests_on == FEWEST - 1


def test_a_claim_of_all_falls_with_one_rival_and_not_with_the_luck_of_many() -> None:
    def judge(*leads: Sample) -> str:
        return verdict_of_all("", leads, above=0.0, paper="", measured="").holds

    assert judge(normal(9, 1), normal(8, 1, seed=1)) == "holds"
    assert judge(normal(9, 1), normal(-8, 1, seed=1)) == "does not hold"
    assert judge(normal(9, 1), normal(-1, 1, seed=1)) == "undecided"
    barely = normal(-2.1, 1)  # beyond 1.96 errors, within the 2.5 and more of many comparisons
    assert judge(barely) == "does not hold"
    assert judge(barely, *(normal(9, 1, seed=seed) for seed in range(1, 6))) == "undecided"


def test_equal_rivals_do_not_make_a_claim_of_all_fall() -> None:
    """Ten models alike: the best of nine leads the tenth in nearly every draw, which says nothing."""
    generator = np.random.default_rng(0)
    weights = redraws(64, seed=0)
    fallen = 0
    for _ in range(RUNS):
        people = generator.normal(50, 20, (64, 10))
        scores = [Sample(np.asarray(each.mean()), weights @ each / 64, 64) for each in people.T]
        leads = [scores[0] - other for other in scores[1:]]
        fallen += verdict_of_all("", leads, above=0.0, paper="", measured="").holds == "does not hold"
    assert fallen < 0.1 * RUNS


def test_models_without_a_clean_score_are_in_no_mean_and_no_rivals() -> None:
    nothing = Sample(np.asarray(math.nan), np.full(1000, math.nan), 40)
    assert mean([normal(9, 1), nothing]).value == 9.0
    assert math.isnan(float(mean([nothing, nothing]).value))
    assert smallest([normal(9, 1), nothing]).value == 9.0
    assert verdict_of_all("", [nothing, nothing], above=0.0, paper="", measured="").holds == "undecided"
