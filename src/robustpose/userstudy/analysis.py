"""Analysis of answers: the share of correct answers and d' by budget, the threshold, and attack versus noise.

Answers of one participant are correlated, so with at least five participants intervals resample participants.
Percentile intervals are too narrow for few participants, so they are widened as Student's t requires: the expanded
percentile interval of Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician
69.

With fewer than five participants, and if all answers are correct or all wrong so that resampling changes nothing,
intervals are over trials, assumed independent: Wilson's for a share, resampled binomial counts for the rest.
Counts of all or none are resampled with the log-linear share, (correct + 0.5) / (trials + 1), because with their
own share all draws would be equal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from robustpose.errors import RobustPoseError
from robustpose.userstudy.answers import Answers, Participant
from robustpose.userstudy.psychometric import AIM, Curve, Floats, d_prime, fit_curve, fit_many, wilson

ENOUGH_PEOPLE = 5
DRAWS = 2000
KINDS = ("attack", "noise")


@dataclass(frozen=True)
class Rate:
    """Answers to one kind of trial at one budget.

    eps           in [0, 1] units
    right         percent of correct answers, with its 95% interval low to high
    d_prime       with the interval computed from that of the share
    over          what the interval resamples: 'participants' or 'trials'
    """

    kind: str
    eps: float
    trials: int
    participants: int
    correct: int
    right: float
    low: float
    high: float
    d_prime: float
    d_low: float
    d_high: float
    over: str


@dataclass(frozen=True)
class Threshold:
    """The eps, in [0, 1] units, at which 75% of the answers are correct.

    value, low, high  inf: not reached at the largest eps tested; 0: exceeded at the smallest
    tested            the smallest and the largest eps
    """

    kind: str
    value: float
    low: float
    high: float
    tested: tuple[float, float]
    trials: int
    participants: int
    over: str


@dataclass(frozen=True)
class Comparison:
    """Attack minus noise: correct answers in percentage points, mean over the budgets that both have."""

    value: float
    low: float
    high: float
    trials: int
    participants: int
    over: str


@dataclass(frozen=True)
class Analysis:
    """The results of a user study; left_out has one line for each excluded participant."""

    study: str
    participants: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    rates: tuple[Rate, ...]
    thresholds: tuple[Threshold, ...]
    comparison: Comparison | None


@dataclass(frozen=True)
class _Counts:
    """Correct answers and trials (P, E) of one kind, by participant and budget eps (E,)."""

    kind: str
    eps: Floats
    right: Floats
    trials: Floats


@dataclass(frozen=True)
class _Drawn:
    """Resampled counts, (D, E) each."""

    right: Floats
    trials: Floats

    @property
    def shares(self) -> Floats:
        """The share of correct answers (D, E); NaN if no resampled participant saw the budget."""
        unseen = np.full(self.right.shape, np.nan)
        return np.asarray(np.divide(self.right, self.trials, out=unseen, where=self.trials > 0))


def analyse(answers: Answers, *, seed: int = 0, draws: int = DRAWS) -> Analysis:
    """Analyse a study; RobustPoseError if no participant passes the catch trials."""
    people = [each for each in answers.participants if each.looks]
    left_out = tuple(_why(each) for each in answers.participants if not each.looks)
    if not people:
        raise RobustPoseError(
            f"no participant of {len(left_out)} passes the catch trials; the first: {left_out[0]}"
        )
    counts = [each for kind in KINDS if (each := _count(people, kind)).eps.size]
    if not counts:
        raise RobustPoseError("the participants who pass answered catch trials only")
    over = "participants" if len(people) >= ENOUGH_PEOPLE else "trials"
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(people), np.full(len(people), 1 / len(people)), size=draws).astype(float)
    drawn = [_redraw(each, weights if over == "participants" else None, draws, generator) for each in counts]
    both = list(zip(counts, drawn, strict=True))
    beyond = [_beyond_rates(*each, over, draws, generator) for each in both]
    return Analysis(
        study=answers.study,
        participants=len(people),
        left_out=left_out,
        notes=answers.notes,
        rates=tuple(rate for each, again in both for rate in _rates(each, again, over)),
        thresholds=tuple(_threshold(each, *again) for each, again in zip(counts, beyond, strict=True)),
        comparison=_compare(counts, beyond) if len(both) == len(KINDS) else None,
    )


def _why(them: Participant) -> str:
    catch = them.catch
    return f"participant {them.id}: {sum(catch)} of {len(catch)} catch trials correct"


def _count(people: Sequence[Participant], kind: str) -> _Counts:
    shown = sorted({answer.eps for them in people for answer in them.answers if answer.kind == kind})
    right, trials = np.zeros((len(people), len(shown))), np.zeros((len(people), len(shown)))
    for row, them in enumerate(people):
        for answer in them.answers:
            if answer.kind == kind:
                right[row, shown.index(answer.eps)] += answer.correct
                trials[row, shown.index(answer.eps)] += 1
    return _Counts(kind=kind, eps=np.array(shown), right=right, trials=trials)


def _redraw(counts: _Counts, weights: Floats | None, draws: int, generator: np.random.Generator) -> _Drawn:
    """Resample participants by weights (D, P), or without weights binomial counts with each budget's share."""
    if weights is not None:
        return _Drawn(right=weights @ counts.right, trials=weights @ counts.trials)
    trials, found = counts.trials.sum(axis=0), counts.right.sum(axis=0)
    share = np.where((found == 0) | (found == trials), (found + 0.5) / (trials + 1), found / trials)
    right = generator.binomial(trials.astype(int), share, size=(draws, len(trials)))
    return _Drawn(right=right.astype(float), trials=np.tile(trials, (draws, 1)))


def _beyond_rates(
    counts: _Counts, drawn: _Drawn, over: str, draws: int, generator: np.random.Generator
) -> tuple[_Drawn, str]:
    """Return the draws for threshold and difference: over trials if resampling participants changes nothing."""
    right, trials = counts.right.sum(axis=0), counts.trials.sum(axis=0)
    if over == "participants" and ((right == 0) | (right == trials)).all():
        return _redraw(counts, None, draws, generator), "trials"
    return drawn, over


def _ends(draws: Floats, *, people: int, over: str) -> tuple[float, float]:
    """Return the ends of a 95% interval, from expanded percentiles if over participants.

    Quantiles are not interpolated, so that infinite draws remain infinite.
    """
    tail = 0.025
    if over == "participants":
        tail = float(norm.cdf(np.sqrt(people / (people - 1)) * student.ppf(tail, people - 1)))
    low, high = np.quantile(draws[~np.isnan(draws)], [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _rates(counts: _Counts, drawn: _Drawn, over: str) -> list[Rate]:
    rates = []
    for column, eps in enumerate(counts.eps):
        right, trials = counts.right[:, column].sum(), counts.trials[:, column].sum()
        low, high, basis = *wilson(right, trials), "trials"
        if over == "participants" and 0 < right < trials:
            low, high = _ends(drawn.shares[:, column], people=len(counts.right), over=over)
            basis = over
        ends = [d_prime(share, trials=trials) for share in (right / trials, low, high)]
        rates.append(
            Rate(
                kind=counts.kind,
                eps=float(eps),
                trials=int(trials),
                participants=int((counts.trials[:, column] > 0).sum()),
                correct=int(right),
                right=float(100 * right / trials),
                low=float(100 * low),
                high=float(100 * high),
                d_prime=ends[0],
                d_low=ends[1],
                d_high=ends[2],
                over=basis,
            )
        )
    return rates


def _threshold(counts: _Counts, drawn: _Drawn, over: str) -> Threshold:
    curves = fit_many(counts.eps, drawn.right, drawn.trials)
    values = np.array(
        [
            _reached(counts.eps, right, trials, curve)
            for right, trials, curve in zip(drawn.right, drawn.trials, curves, strict=True)
        ]
    )
    low, high = _ends(values, people=len(counts.right), over=over)
    totals = counts.right.sum(axis=0), counts.trials.sum(axis=0)
    return Threshold(
        kind=counts.kind,
        value=_reached(counts.eps, *totals, fit_curve(counts.eps, *totals)),
        low=float(low),
        high=float(high),
        tested=(float(counts.eps[0]), float(counts.eps[-1])),
        trials=int(counts.trials.sum()),
        participants=int((counts.trials.sum(axis=1) > 0).sum()),
        over=over,
    )


def _reached(eps: Floats, right: Floats, trials: Floats, curve: Curve) -> float:
    """Return the fitted eps of 75% correct: inf if data or curve do not reach it, 0 if the smallest exceeds it."""
    if not (right >= AIM * trials)[trials > 0].any():
        return math.inf
    if curve.share(eps[-1]) < AIM:
        return math.inf
    return 0.0 if curve.share(eps[0]) > AIM else curve.threshold


def _compare(counts: Sequence[_Counts], drawn: Sequence[tuple[_Drawn, str]]) -> Comparison | None:
    (attack, noise), ((attack_drawn, over), (noise_drawn, noise_over)) = counts, drawn
    over = "participants" if "participants" in (over, noise_over) else "trials"
    shared = [eps for eps in attack.eps if eps in noise.eps]
    if not shared:
        return None
    rows = [[list(each.eps).index(eps) for eps in shared] for each in (attack, noise)]
    means = [
        np.nanmean(again.shares[:, columns], axis=1)
        for again, columns in zip((attack_drawn, noise_drawn), rows, strict=True)
    ]
    low, high = _ends(100 * (means[0] - means[1]), people=len(attack.right), over=over)
    totals = [
        (each.right[:, columns].sum(axis=0), each.trials[:, columns])
        for each, columns in zip((attack, noise), rows, strict=True)
    ]
    shares = [float((right / trials.sum(axis=0)).mean()) for right, trials in totals]
    return Comparison(
        value=100 * (shares[0] - shares[1]),
        low=float(low),
        high=float(high),
        trials=int(sum(trials.sum() for _, trials in totals)),
        participants=int((sum(trials.sum(axis=1) for _, trials in totals) > 0).sum()),
        over=over,
    )
