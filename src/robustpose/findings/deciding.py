"""How claims are decided: the 95% interval of an effect against a margin.

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

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robustpose.findings.finding import Holds, Verdict
from robustpose.findings.judging import Sample
from robustpose.metrics import Estimate

FEWEST = 20
"""People that a decision needs."""

_Z_SQUARED = 1.959964**2
_TAIL = 2.5


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
