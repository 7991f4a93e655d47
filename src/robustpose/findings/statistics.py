"""Decides claims by comparing the 95% bootstrap interval of an effect with a margin.

All scores of a study are of the same people, so both sides of a contrast use the same resampled people (the paired
bootstrap: Efron and Tibshirani 1993, chapter 8). This makes the interval of a difference narrower.

Effects that rest on fewer than FEWEST people are undecided, because percentile intervals of few people are too
narrow: with four people and no true difference, one claim in five is decided instead of one in twenty.

If all or none of the people are hit, every bootstrap draw gives the same effect, 0 or 100, and the interval has no
width. It then gets the width of Wilson's interval for a share of 0 or 1 of n people, z^2 / (n + z^2), where n
counts the people that the effect rests on: Wilson 1927, "Probable Inference, the Law of Succession, and
Statistical Inference", JASA 22(158).

A claim that one score lies above each of several others holds if the smallest lead, chosen again in every draw,
lies above the margin (an intersection-union test: Berger 1982, Technometrics 24(4)). It does not hold if any
single lead lies below the margin, by an interval corrected for the number of leads (Bonferroni). Without the
correction, the smallest of many equal leads would be below 0 by chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from robustpose.findings.finding import Holds, Verdict
from robustpose.metrics import ALL, Estimate, KeypointMetric, Table, pair
from robustpose.metrics.bootstrap import from_draws
from robustpose.metrics.bootstrap import redraws as new_redraws
from robustpose.metrics.hits import percentages, totals, weighted_totals
from robustpose.metrics.table import Floats

FEWEST = 20
"""Minimum number of people for a decision."""

_Z_SQUARED = 1.959964**2
_TAIL = 2.5


@dataclass(frozen=True)
class Sample:
    """A score and its bootstrap draws over n people; samples of the same people can be compared.

    value  (), draws  (D,)
    right  number of people with any correct keypoint; None if unknown, then all count
    rests  number of people that the value rests on; None for all. A relative score rests on the people with any
           correct keypoint on clean images, because the others cannot lose one
    """

    value: Floats
    draws: Floats
    n: int
    right: int | None = None
    rests: int | None = None

    def __sub__(self, other: "Sample") -> "Sample":
        rests = min(self.rests_on, other.rests_on)
        return Sample(self.value - other.value, self.draws - other.draws, min(self.n, other.n), rests=rests)

    @property
    def rests_on(self) -> int:
        """Number of people that the value rests on."""
        return self.n if self.rests is None else self.rests

    @property
    def estimate(self) -> Estimate:
        """The value with its 95% interval."""
        return from_draws(self.value, self.draws, self.n)


@lru_cache(maxsize=16)  # findings ask for the same few thousands of times
def redraws(n: int, *, seed: int) -> Floats:
    """Return how often each of n people is drawn (DRAWS, N), read-only; the same for all scores of n people."""
    weights = new_redraws(n, seed=seed)
    weights.flags.writeable = False
    return weights


def scored(table: Table, metric: KeypointMetric, *, part: str = ALL, seed: int = 0) -> Sample:
    """Score a table; n counts the people who can be scored, under targeted attacks those with a target pose."""
    hits = metric.hits(table)
    weights = redraws(len(table), seed=seed)
    rows = [*range(hits.shape[1])] if part == ALL else list(table.skeleton.groups[part])
    return Sample(
        value=np.asarray(percentages(*totals(hits), table.skeleton)[part]),
        draws=percentages(*weighted_totals(hits, weights), table.skeleton)[part],
        n=int(np.isfinite(hits).any(axis=1).sum()),
        right=int((hits[:, rows] == 1).any(axis=1).sum()),
    )


def kept(clean: Table, attacked: Table, metric: KeypointMetric, *, part: str = ALL, seed: int = 0) -> Sample:
    """Score an attack: 100 x attacked / clean."""
    clean, attacked = pair(clean, attacked)
    return ratio(scored(attacked, metric, part=part, seed=seed), scored(clean, metric, part=part, seed=seed))


def ratio(after: Sample, before: Sample) -> Sample:
    """Return 100 x after / before; NaN if before is 0."""
    return Sample(
        value=_percent(after.value, before.value),
        draws=_percent(after.draws, before.draws),
        n=min(after.n, before.n),
        rests=min(after.n, before.n if before.right is None else before.right),
    )


def lost(left: Sample) -> Sample:
    """Return 100 minus a score, such as the loss of a relative score."""
    return Sample(value=100.0 - left.value, draws=100.0 - left.draws, n=left.n, rests=left.rests_on)


def _percent(after: Floats, before: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        percent: Floats = np.asarray(np.where(before == 0, np.nan, 100.0 * after / before))
    return percent


def resampled(statistic: Callable[[Floats], float], n: int, *, seed: int = 0, draws: int = 300) -> Sample:
    """Bootstrap a statistic of the number of times each person is drawn (N,); its value has every person once."""
    weights = redraws(n, seed=seed)[:draws]
    return Sample(
        value=np.asarray(statistic(np.ones(n))),
        draws=np.array([statistic(each) for each in weights]),
        n=n,
    )


def mean(samples: "list[Sample]") -> Sample:
    """Average samples of the same people, ignoring NaN, such as models without a clean score."""
    known = [sample for sample in samples if np.isfinite(sample.value)] or samples
    return Sample(
        value=np.mean([sample.value for sample in known], axis=0),
        draws=np.mean([sample.draws for sample in known], axis=0),
        n=min(sample.n for sample in known),
        rests=min(sample.rests_on for sample in known),
    )


def decided(effect: Estimate, *, above: float, rests_on: int | None = None) -> Holds:
    """Decide whether an effect lies above a margin; undecided if the interval includes the margin.

    rests_on  number of people that the effect rests on, here and below; None for all n
    """
    if (effect.n if rests_on is None else rests_on) < FEWEST:
        return "undecided"
    if effect.low > above:
        return "holds"
    if effect.high < above:
        return "does not hold"
    return "undecided"


def within(effect: Estimate, *, margin: float, rests_on: int | None = None) -> Holds:
    """Decide whether an effect is absent: yes if its interval lies within a margin of 0, no if it lies outside."""
    if (effect.n if rests_on is None else rests_on) < FEWEST:
        return "undecided"
    if -margin < effect.low and effect.high < margin:
        return "holds"
    if effect.low > margin or effect.high < -margin:
        return "does not hold"
    return "undecided"


def verdict(claim: str, effect: Sample, *, above: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that an effect lies above a margin."""
    estimate, people = widened(effect.estimate, rests_on=effect.rests_on), effect.rests_on
    holds = decided(estimate, above=above, rests_on=people)
    return _made(claim, estimate, holds, paper, measured, rule=f"lies above {above:g}", rests_on=people)


def verdict_below(claim: str, effect: Sample, *, below: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that an effect, a share, lies below a margin; a widened interval ends at 0."""
    estimate, people = widened(effect.estimate, rests_on=effect.rests_on), effect.rests_on
    if effect.value == 0:
        estimate = replace(estimate, low=max(estimate.low, 0.0))
    turned = replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)
    holds = decided(turned, above=-below, rests_on=people)
    return _made(claim, estimate, holds, paper, measured, rule=f"lies below {below:g}", rests_on=people)


def verdict_within(claim: str, effect: Sample, *, margin: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that there is no effect, by an equivalence test."""
    estimate, people = widened(effect.estimate, rests_on=effect.rests_on), effect.rests_on
    holds = within(estimate, margin=margin, rests_on=people)
    return _made(claim, estimate, holds, paper, measured, rule=f"lies within {margin:g} of 0", rests_on=people)


def verdict_of_all(claim: str, leads: Sequence[Sample], *, above: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that every one of several leads lies above a margin."""
    if len(leads) == 1:
        return verdict(claim, leads[0], above=above, paper=paper, measured=measured)
    people = min(lead.rests_on for lead in _known(leads))
    estimate = widened(smallest(leads), rests_on=people)
    rule = (
        f"of the smallest lies above {above:g}, does not hold where some single one lies below it, corrected for "
        f"{len(leads)} comparisons (Bonferroni)"
    )
    holds = decided(estimate, above=above, rests_on=people)
    return _made(claim, estimate, holds, paper, measured, rule=rule, rests_on=people)


def _known(leads: Sequence[Sample]) -> Sequence[Sample]:
    return [lead for lead in leads if np.isfinite(lead.value)] or leads


def smallest(leads: Sequence[Sample]) -> Estimate:
    """Return the smallest lead, ignoring NaN.

    The low end of its interval is that of the smallest lead, chosen again in every draw. The high end is the
    lowest of the leads' own high ends, corrected for their number, so it is below a margin only if a lead is.
    """
    known = _known(leads)
    if not np.isfinite(known[0].value):
        return known[0].estimate
    low = Sample(
        value=np.min([lead.value for lead in known], axis=0),
        draws=np.min([lead.draws for lead in known], axis=0),
        n=min(lead.n for lead in known),
    ).estimate
    highs = [np.nanpercentile(lead.draws, 100.0 - _TAIL / len(known)) for lead in known]
    return replace(low, high=max(float(np.min(highs)), low.value) if low.n > 1 else low.high)


def widened(effect: Estimate, *, rests_on: int) -> Estimate:
    """Return an effect, with Wilson's interval if its own has no width because all or no people are hit."""
    if not (effect.low == effect.high == effect.value and abs(effect.value) in (0.0, 100.0)):
        return effect
    wide = 100.0 * _Z_SQUARED / (rests_on + _Z_SQUARED)
    low = effect.low if effect.value <= -100.0 else effect.low - wide
    high = effect.high if effect.value >= 100.0 else effect.high + wide
    return replace(effect, low=low, high=high)


def _made(
    claim: str, effect: Estimate, holds: Holds, paper: str, measured: str, *, rule: str, rests_on: int
) -> Verdict:
    reason = f"; undecided for now: {FEWEST} people are needed, here are {rests_on}" if rests_on < FEWEST else ""
    return Verdict(
        claim=claim,
        paper=paper,
        holds=holds,
        effect=effect,
        measured=f"{measured}; holds where the 95% interval (paired bootstrap over people) {rule}{reason}",
    )
