"""Scores with 95% bootstrap intervals, for any metric.

A metric states the unit that is redrawn with replacement: people, each with all keypoints, or photos, each with
all people. Clean and attacked tables redraw the same units, so the interval of a relative score is that of the
paired ratio. Percentile intervals: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from robustpose.metrics.table import Floats, Table, pair

DRAWS = 1000
LEVEL = 95.0

Unit = Literal["people", "photos"]


@dataclass(frozen=True)
class Estimate:
    """A number in percent, its 95% interval, and its number of people.

    NaN where undefined; the interval is undefined for one person.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Scores:
    """The numbers of a table by name, NaN where undefined.

    draws   (D,) bootstrap samples of each number
    people  number of people that each number counts
    units   number of redrawn units with such people
    """

    values: Mapping[str, float]
    draws: Mapping[str, Floats]
    people: Mapping[str, int]
    units: Mapping[str, int]


class Metric(Protocol):
    """A function of a table that returns named numbers, NaN where undefined.

    name     name in tables and results.csv
    redraws  unit of the bootstrap: people, or photos where the predictions of a photo affect each other
    """

    @property
    def name(self) -> str:
        """The usual name of the metric."""
        ...

    @property
    def redraws(self) -> Unit:
        """What the bootstrap redraws."""
        ...

    def defined(self, table: Table, /) -> bool:
        """Say whether a table has what the metric needs: head sizes, areas, ..."""
        ...

    def __call__(self, table: Table, /) -> Mapping[str, float]:
        """Return the numbers of a table."""
        ...


@runtime_checkable
class ScoresRedraws(Protocol):
    """A metric that scores all bootstrap samples at once, which is faster than one by one."""

    def scores(self, table: Table, /, *, seed: int = 0) -> Scores:
        """Return the numbers of a table and of its bootstrap samples."""
        ...


def scores_of(metric: Metric, table: Table, *, seed: int = 0) -> Scores:
    """Score a table and its bootstrap samples.

    If the metric is no ScoresRedraws, it is called on one table per sample, in which a photo drawn twice is two
    photos. n is then the number of people with a counted keypoint.
    """
    if isinstance(metric, ScoresRedraws):
        return metric.scores(table, seed=seed)
    values = dict(metric(table))
    members = _members(table, metric.redraws)
    redrawn = [metric(_taken(table, members, times)) for times in redraws(len(members), seed=seed).astype(int)]
    counts = (table.visible & np.asarray(table.skeleton.counted)).any(axis=1)
    units = sum(bool(counts[rows].any()) for rows in members)
    return Scores(
        values=values,
        draws={name: np.array([each[name] for each in redrawn], dtype=float) for name in values},
        people=dict.fromkeys(values, int(counts.sum())),
        units=dict.fromkeys(values, units),
    )


def score(table: Table, metric: Metric, *, seed: int = 0) -> dict[str, Estimate]:
    """Score a table: return each number of the metric with its interval."""
    return with_intervals(scores_of(metric, table, seed=seed))


def relative(clean: Table, attacked: Table, metric: Metric, *, seed: int = 0) -> dict[str, Estimate]:
    """Score an attack: return 100 x attacked / clean over the people that both tables share."""
    before, after = (scores_of(metric, table, seed=seed) for table in pair(clean, attacked))
    return relative_scores(before, after)


def difference(before: Table, after: Table, metric: Metric, *, seed: int = 0) -> dict[str, Estimate]:
    """Compare two models: return after - before in percentage points over the people that both tables share."""
    old, new = (scores_of(metric, table, seed=seed) for table in pair(before, after))
    return {
        name: _estimate(old, name, np.asarray(new.values[name] - value), new.draws[name] - old.draws[name])
        for name, value in old.values.items()
    }


def with_intervals(scores: Scores) -> dict[str, Estimate]:
    """Return each number with its interval and its number of people n."""
    return {
        name: _estimate(scores, name, np.asarray(value), scores.draws[name])
        for name, value in scores.values.items()
    }


def relative_scores(clean: Scores, attacked: Scores) -> dict[str, Estimate]:
    """Return 100 x attacked / clean for two tables of the same people, redrawn with the same seed."""
    return {
        name: _estimate(
            clean,
            name,
            _ratio(np.asarray(attacked.values[name]), np.asarray(value)),
            _ratio(attacked.draws[name], clean.draws[name]),
        )
        for name, value in clean.values.items()
    }


def gathered(numbers: Mapping[str, tuple[Scores, str]]) -> Scores:
    """Collect numbers of other scores under new names: new name -> (scores, name there)."""
    return Scores(
        values={name: found.values[there] for name, (found, there) in numbers.items()},
        draws={name: found.draws[there] for name, (found, there) in numbers.items()},
        people={name: found.people[there] for name, (found, there) in numbers.items()},
        units={name: found.units[there] for name, (found, there) in numbers.items()},
    )


def redraws(n: int, *, seed: int) -> Floats:
    """Draw how often each unit occurs in each bootstrap sample (DRAWS, N); rows sum to N."""
    if n == 0:
        return np.zeros((DRAWS, 0))
    generator = np.random.default_rng(seed)
    return generator.multinomial(n, np.full(n, 1.0 / n), size=DRAWS).astype(float)


def from_draws(value: Floats, draws: Floats, n: int) -> Estimate:
    """Return the estimate of a value and its bootstrap samples."""
    draws = draws[np.isfinite(draws)]
    if not np.isfinite(value):
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"), n=n)
    if n < 2 or len(draws) == 0:  # one person gives no interval
        return Estimate(value=float(value), low=float("nan"), high=float("nan"), n=n)
    tail = (100.0 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return Estimate(value=float(value), low=float(low), high=float(high), n=n)


def _estimate(scores: Scores, name: str, value: Floats, draws: Floats) -> Estimate:
    enough = scores.units[name] > 1  # one unit gives no interval
    return from_draws(value, draws if enough else draws[:0], scores.people[name])


def _ratio(after: Floats, before: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.asarray(100.0 * after / before)
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _members(table: Table, unit: Unit) -> list[NDArray[np.intp]]:
    """Return the rows of each unit; ValueError where photos are unknown."""
    if unit == "people":
        return [np.array([row]) for row in range(len(table))]
    if table.photo is None:
        raise ValueError("photos cannot be redrawn: the table does not say which photo each person is in")
    return [np.flatnonzero(table.photo == name) for name in dict.fromkeys(table.photo.tolist())]


def _taken(table: Table, members: list[NDArray[np.intp]], times: NDArray[np.int_]) -> Table:
    """Return the table with each unit repeated `times`; copies of a photo get new names."""
    taken = [(rows, copy) for rows, number in zip(members, times, strict=True) for copy in range(number)]
    made = table.take([row for rows, _ in taken for row in rows.tolist()])
    if made.photo is None:
        return made
    copies = [copy for rows, copy in taken for _ in rows]
    names = [f"{name}#{copy}" if copy else name for name, copy in zip(made.photo.tolist(), copies, strict=True)]
    return replace(made, photo=np.array(names, dtype=np.str_))
