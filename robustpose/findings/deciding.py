"""How claims are decided: the 95% interval of an effect against a margin.

Nothing is decided of fewer than FEWEST people: of so few, percentile intervals are too narrow, and decide a true
difference of none in one case of five at four people instead of one of twenty.

Where all people or none are hit, every redraw gives the same effect, 0 or 100, and the bootstrap knows nothing of
other people. Then the interval is as wide as Wilson's of a share that all or none of n people show,
z^2 / (n + z^2): Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22(158).

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


def decided(effect: Estimate, *, above: float) -> Holds:
    """Say whether an effect lies above a margin: undecided where the margin is within its interval."""
    if effect.n < FEWEST:
        return "undecided"
    if effect.low > above:
        return "holds"
    if effect.high < above:
        return "does not hold"
    return "undecided"


def within(effect: Estimate, *, margin: float) -> Holds:
    """Say whether an effect is none: its interval within a margin of 0; not where it lies wholly outside."""
    if effect.n < FEWEST:
        return "undecided"
    if -margin < effect.low and effect.high < margin:
        return "holds"
    if effect.low > margin or effect.high < -margin:
        return "does not hold"
    return "undecided"


def verdict(claim: str, effect: Sample, *, above: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that an effect lies above a margin."""
    estimate = widened(effect.estimate)
    return _made(claim, estimate, decided(estimate, above=above), paper, measured, rule=f"lies above {above:g}")


def verdict_below(claim: str, effect: Sample, *, below: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that an effect lies below a margin: a share, so an interval that is widened ends at 0."""
    estimate = widened(effect.estimate)
    if effect.value == 0:
        estimate = replace(estimate, low=max(estimate.low, 0.0))
    turned = replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)
    return _made(claim, estimate, decided(turned, above=-below), paper, measured, rule=f"lies below {below:g}")


def verdict_within(claim: str, effect: Sample, *, margin: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that there is no effect, as an equivalence."""
    estimate = widened(effect.estimate)
    rule = f"lies within {margin:g} of 0"
    return _made(claim, estimate, within(estimate, margin=margin), paper, measured, rule=rule)


def verdict_of_all(claim: str, leads: Sequence[Sample], *, above: float, paper: str, measured: str) -> Verdict:
    """Decide a claim that every one of several leads lies above a margin."""
    if len(leads) == 1:
        return verdict(claim, leads[0], above=above, paper=paper, measured=measured)
    estimate = widened(smallest(leads))
    rule = (
        f"of the smallest lies above {above:g}, does not hold where some single one lies below it, corrected for "
        f"{len(leads)} comparisons (Bonferroni)"
    )
    return _made(claim, estimate, decided(estimate, above=above), paper, measured, rule=rule)


def smallest(leads: Sequence[Sample]) -> Estimate:
    """Return the smallest of leads; those that are NaN take no part.

    Its interval goes from the low end of the smallest one's, found anew in every draw, to the lowest of the high
    ends of their single intervals, corrected for their number: below a margin only where a single lead is.
    """
    known = [lead for lead in leads if np.isfinite(lead.value)]
    if not known:
        return leads[0].estimate
    low = Sample(
        value=np.min([lead.value for lead in known], axis=0),
        draws=np.min([lead.draws for lead in known], axis=0),
        n=min(lead.n for lead in known),
    ).estimate
    highs = [np.nanpercentile(lead.draws, 100.0 - _TAIL / len(known)) for lead in known]
    return replace(low, high=max(float(np.min(highs)), low.value) if low.n > 1 else low.high)


def widened(effect: Estimate) -> Estimate:
    """Return an effect with Wilson's interval where its own has no width, for all people or none are hit."""
    if not (effect.low == effect.high == effect.value and abs(effect.value) in (0.0, 100.0)):
        return effect
    wide = 100.0 * _Z_SQUARED / (effect.n + _Z_SQUARED)
    low = effect.low if effect.value <= -100.0 else effect.low - wide
    high = effect.high if effect.value >= 100.0 else effect.high + wide
    return replace(effect, low=low, high=high)


def _made(claim: str, effect: Estimate, holds: Holds, paper: str, measured: str, *, rule: str) -> Verdict:
    reason = f"; undecided for now: {FEWEST} people are needed, here are {effect.n}" if effect.n < FEWEST else ""
    return Verdict(
        claim=claim,
        paper=paper,
        holds=holds,
        effect=effect,
        measured=f"{measured}; holds where the 95% interval (paired bootstrap over people) {rule}{reason}",
    )
