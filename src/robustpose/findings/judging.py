"""Scores that can be set against each other: paired bootstrap over people. How claims are decided: see deciding.

All scores of a study are of the same people, so contrasts redraw the same people on both sides (the paired
bootstrap: Efron and Tibshirani 1993, chapter 8), and the interval of a difference is narrower than those of its
two sides.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustpose.findings.draws import redraws
from robustpose.metrics import ALL, Estimate, Pck, Table, pair
from robustpose.metrics.estimate import from_draws, weighted_totals
from robustpose.metrics.pck import percentages, totals
from robustpose.metrics.table import Floats


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
    """Average samples of the same people; those that are NaN take no part, as of nets without a clean score."""
    known = [sample for sample in samples if np.isfinite(sample.value)] or samples
    return Sample(
        value=np.mean([sample.value for sample in known], axis=0),
        draws=np.mean([sample.draws for sample in known], axis=0),
        n=min(sample.n for sample in known),
        rests=min(sample.rests_on for sample in known),
    )
