"""Scores with 95% bootstrap intervals over people.

People are redrawn with replacement, each with all their keypoints; a clean and an attacked table redraw the same
people, so the interval of a relative score is that of the paired ratio. Percentile intervals: Efron and Tibshirani
1993, "An Introduction to the Bootstrap", chapter 13.
"""

from dataclasses import dataclass

import numpy as np

from robustpose.metrics.pck import Pck, percentages, totals
from robustpose.metrics.table import Floats, Table, pair

DRAWS = 1000
LEVEL = 95.0


@dataclass(frozen=True)
class Estimate:
    """A number in percent, its 95% interval, and the number of people behind it; NaN where undefined,
    which for the interval of one person it is."""

    value: float
    low: float
    high: float
    n: int


def score(table: Table, metric: Pck, *, seed: int = 0) -> dict[str, Estimate]:
    """Score a table: 'all' and each body part."""
    hits = metric.hits(table)
    weights = redraws(len(table), seed=seed)
    values = percentages(*totals(hits), table.skeleton)
    draws = percentages(*weighted_totals(hits, weights), table.skeleton)
    return {part: from_draws(values[part], draws[part], n) for part, n in _people(hits, table).items()}


def relative(clean: Table, attacked: Table, metric: Pck, *, seed: int = 0) -> dict[str, Estimate]:
    """Score an attack: 100 x attacked / clean, over the people that both tables hold."""
    clean, attacked = pair(clean, attacked)
    before, after = metric.hits(clean), metric.hits(attacked)
    weights = redraws(len(clean), seed=seed)
    skeleton = clean.skeleton
    values = _ratio(percentages(*totals(after), skeleton), percentages(*totals(before), skeleton))
    draws = _ratio(
        percentages(*weighted_totals(after, weights), skeleton),
        percentages(*weighted_totals(before, weights), skeleton),
    )
    return {part: from_draws(values[part], draws[part], n) for part, n in _people(before, clean).items()}


def difference(before: Table, after: Table, metric: Pck, *, seed: int = 0) -> dict[str, Estimate]:
    """Score a change of nets: after - before in percentage points, over the people that both tables hold."""
    before, after = pair(before, after)
    hits_before, hits_after = metric.hits(before), metric.hits(after)
    weights = redraws(len(before), seed=seed)
    skeleton = before.skeleton
    values, value_before = (percentages(*totals(hits), skeleton) for hits in (hits_after, hits_before))
    draws, draws_before = (
        percentages(*weighted_totals(hits, weights), skeleton) for hits in (hits_after, hits_before)
    )
    return {
        part: from_draws(values[part] - value_before[part], draws[part] - draws_before[part], n)
        for part, n in _people(hits_before, before).items()
    }


def redraws(n: int, *, seed: int) -> Floats:
    """Draw how often each person takes part (DRAWS, N); the rows sum to N."""
    if n == 0:
        return np.zeros((DRAWS, 0))
    generator = np.random.default_rng(seed)
    return generator.multinomial(n, np.full(n, 1.0 / n), size=DRAWS).astype(float)


def weighted_totals(hits: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Count correct and labelled keypoints (D, K) of hits (N, K), each person weights (D, N) times."""
    known = np.isfinite(hits)
    return weights @ np.where(known, hits, 0.0), weights @ known


def _ratio(after: dict[str, Floats], before: dict[str, Floats]) -> dict[str, Floats]:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = {part: np.asarray(100.0 * after[part] / before[part]) for part in before}
    return {part: np.where(np.isfinite(ratio), ratio, np.nan) for part, ratio in ratios.items()}


def _people(hits: Floats, table: Table) -> dict[str, int]:
    known = np.isfinite(hits)
    people = {"all": int(known.any(axis=1).sum())}
    for part, rows in table.skeleton.groups.items():
        people[part] = int(known[:, list(rows)].any(axis=1).sum())
    return people


def from_draws(value: Floats, draws: Floats, n: int) -> Estimate:
    """Make an estimate of a value and its bootstrap draws."""
    draws = draws[np.isfinite(draws)]
    if not np.isfinite(value):
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"), n=n)
    if n < 2 or len(draws) == 0:  # redrawing one person says nothing of others
        return Estimate(value=float(value), low=float("nan"), high=float("nan"), n=n)
    tail = (100.0 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return Estimate(value=float(value), low=float(low), high=float(high), n=n)
