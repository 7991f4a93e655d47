"""How claims are judged: scores with bootstrap draws, and the 95% interval of an effect against a margin.

All scores of a study are of the same people, so contrasts redraw the same people on both sides (the paired
bootstrap: Efron and Tibshirani 1993, chapter 8), and the interval of a difference is narrower than those of its
two sides.

Nothing is decided that rests on fewer than FEWEST people: of so few, percentile intervals are too narrow, and
decide a true difference of none in one case of five at four people instead of one of twenty.

Where all people or none are hit, every redraw gives the same effect, 0 or 100, and the bootstrap knows nothing of
other people. Then the interval is as wide as Wilson's of a share that all or none of n people show,
z^2 / (n + z^2), where n counts those that the effect rests on: Wilson 1927, "Probable Inference, the Law of
Succession, and Statistical Inference", JASA 22(158).

A claim that something lies above each of several others holds where the smallest of its leads, found anew in
every draw, does (an intersection-union test: Berger 1982, Technometrics 24(4)). It does not hold only where one
lead lies below the margin by itself, in an interval corrected for their number (Bonferroni): the smallest of many
equal ones is below 0 by chance alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from robustpose.findings.finding import Holds, Verdict
from robustpose.metrics import ALL, Estimate, Pck, Table, pair
from robustpose.metrics.bootstrap import from_draws
from robustpose.metrics.bootstrap import redraws as new_redraws
from robustpose.metrics.pck import percentages, totals, weighted_totals
from robustpose.metrics.table import Floats

FEWEST = 20
"""People that a decision needs."""

_Z_SQUARED = 1.959964**2
_TAIL = 2.5


@dataclass(frozen=True)
class Sample:
    """A score and its bootstrap draws over n people; samples of the same people can be set against each other.

    value  (), draws  (D,)
    right  people of the n who have anything right; None: not known, all of them
    rests  people of the n whom the value rests on: of a relative score those who have anything right when clean,
           for the others cannot lose it; None: all of them
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
        """People that the value rests on."""
        return self.n if self.rests is None else self.rests

    @property
    def estimate(self) -> Estimate:
        """The value with its 95% interval."""
        return from_draws(self.value, self.draws, self.n)


@lru_cache(maxsize=16)  # findings ask thousands of times for the same few
def redraws(n: int, *, seed: int) -> Floats:
    """Return how often each of n people takes part (DRAWS, N), read-only: the same for all scores of n people."""
    weights = new_redraws(n, seed=seed)
    weights.flags.writeable = False
    return weights


def scored(table: Table, metric: Pck, *, part: str = ALL, seed: int = 0) -> Sample:
    """Score a table; n counts the people who can be scored: of a targeted attack those who have a target."""
    hits = metric.hits(table)
    weights = redraws(len(table), seed=seed)
    rows = [*range(hits.shape[1])] if part == ALL else list(table.skeleton.groups[part])
    return Sample(
        value=np.asarray(percentages(*totals(hits), table.skeleton)[part]),
        draws=percentages(*weighted_totals(hits, weights), table.skeleton)[part],
        n=int(np.isfinite(hits).any(axis=1).sum()),
        right=int((hits[:, rows] == 1).any(axis=1).sum()),
    )


def kept(clean: Table, attacked: Table, metric: Pck, *, part: str = ALL, seed: int = 0) -> Sample:
    """Score an attack: 100 x attacked / clean."""
    clean, attacked = pair(clean, attacked)
    return ratio(scored(attacked, metric, part=part, seed=seed), scored(clean, metric, part=part, seed=seed))


def ratio(after: Sample, before: Sample) -> Sample:
    """Return 100 x after / before; NaN where there is nothing before."""
    return Sample(
        value=_percent(after.value, before.value),
        draws=_percent(after.draws, before.draws),
        n=min(after.n, before.n),
        rests=min(after.n, before.n if before.right is None else before.right),
    )


def lost(left: Sample) -> Sample:
    """Return what is missing to 100%, as of a relative score the share that is lost."""
    return Sample(value=100.0 - left.value, draws=100.0 - left.draws, n=left.n, rests=left.rests_on)


def _percent(after: Floats, before: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        percent: Floats = np.asarray(np.where(before == 0, np.nan, 100.0 * after / before))
    return percent


def resampled(statistic: Callable[[Floats], float], n: int, *, seed: int = 0, draws: int = 300) -> Sample:
    """Bootstrap any statistic of how often each of n people takes part (N,); all once is the value itself."""
    weights = redraws(n, seed=seed)[:draws]
    return Sample(
        value=np.asarray(statistic(np.ones(n))),
        draws=np.array([statistic(each) for each in weights]),
        n=n,
    )


def mean(samples: "list[Sample]") -> Sample:
    """Average samples of the same people; those that are NaN take no part, as of models without a clean score."""
    known = [sample for sample in samples if np.isfinite(sample.value)] or samples
    return Sample(
        value=np.mean([sample.value for sample in known], axis=0),
        draws=np.mean([sample.draws for sample in known], axis=0),
        n=min(sample.n for sample in known),
        rests=min(sample.rests_on for sample in known),
    )


def decided(effect: Estimate, *, above: float, rests_on: int | None = None) -> Holds:
    """Say whether an effect lies above a margin: undecided where the margin is within its interval.

    rests_on  people; None for all n of the effect, here and below
    """
    if (effect.n if rests_on is None else rests_on) < FEWEST:
        return "undecided"
    if effect.low > above:
        return "holds"
    if effect.high < above:
        return "does not hold"
    return "undecided"


def within(effect: Estimate, *, margin: float, rests_on: int | None = None) -> Holds:
    """Say whether an effect is none: its interval within a margin of 0; not where it lies wholly outside."""
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
    """Decide a claim that an effect lies below a margin: a share, so an interval that is widened ends at 0."""
    estimate, people = widened(effect.estimate, rests_on=effect.rests_on), effect.rests_on
    if effect.value == 0:
        estimate = replace(estimate, low=max(estimate.low, 0.0))
    turned = replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)
    holds = decided(turned, above=-below, rests_on=people)
    return _made(claim, estimate, holds, paper, measured, rule=f"lies below {below:g}", rests_on=people)


def verdict_within(claim: str, effect: Sample, *, margin: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that there is no effect, as an equivalence."""
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
    """Return the smallest of leads; those that are NaN take no part.

    Its interval goes from the low end of the smallest one's, found anew in every draw, to the lowest of the high
    ends of their single intervals, corrected for their number: below a margin only where a single lead is.
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
    """Return an effect with Wilson's interval where its own has no width, for all people or none are hit."""
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
