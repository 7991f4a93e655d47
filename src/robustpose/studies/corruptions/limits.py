"""The limit of use along an axis: the strongest level at which the score stays above a share of the clean one.

The score falls along an axis, so the limit is found by bisection over the axis's levels: for each share the search
ends between two neighbouring levels. The limit lies between them where the straight line through their scores
crosses the share. The interval redraws people: of each draw, the scores at all levels that were tried are made to
fall by isotonic regression (pool adjacent violators: Ayer et al. 1955), and the crossing is found again. A limit
at an end of the axis says only that the limit lies beyond.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robustpose.corruptions.axes import AXES
from robustpose.findings.statistics import Sample
from robustpose.metrics.table import Floats

SHARES = (90.0, 50.0)
"""Percent of the clean score."""

CLEAN = -1
"""The place of the clean images, before the first level."""


@dataclass(frozen=True)
class Limit:
    """How far a model is usable along an axis.

    value, low, high  the level with its 95% interval, low the milder end
    beyond            whether the score stays above the share at the strongest level that the axis has
    below             whether it is lost before the mildest level that the axis has
    n                 people
    """

    model: str
    axis: str
    share: float
    value: float
    low: float
    high: float
    beyond: bool
    below: bool
    n: int

    @property
    def words(self) -> str:
        """The limit as a sentence's part: 'down to 0.11 of the light'."""
        axis = AXES[self.axis]
        if self.below:
            return f"not even at {axis.written(self.value)}"
        return f"{axis.way} {axis.written(self.value)}{' or further' if self.beyond else ''}"


def next_places(relative: Mapping[int, float], levels: int) -> list[int]:
    """Return the places to try next: none when each share is crossed between neighbours.

    relative  percent of the clean score by place, as far as tried
    """
    if levels - 1 not in relative:
        return [levels - 1]
    found = []
    for share in SHARES:
        above, below = bracket(relative, levels, share)
        if below - above > 1:
            found.append((above + below) // 2)
    return sorted(set(found))


def bracket(relative: Mapping[int, float], levels: int, share: float) -> tuple[int, int]:
    """Return the last place known to be above a share, and the first below it; `levels` if none is below."""
    below = min((place for place, value in relative.items() if not value >= share), default=levels)
    above = max((place for place in relative if place < below), default=CLEAN)
    return above, below


def search(
    measure: Callable[[Sequence[tuple[str, str, int]]], Mapping[tuple[str, str, int], Sample]],
    models: Sequence[str],
    axes: Sequence[str],
) -> dict[tuple[str, str], dict[int, Sample]]:
    """Measure relative scores until every limit lies between neighbouring levels: {(model, axis): {place: score}}.

    measure  returns the relative scores of (model, axis, place), all asked in one round
    """
    found: dict[tuple[str, str], dict[int, Sample]] = {(model, axis): {} for model in models for axis in axes}
    while True:
        wanted = [
            (model, axis, place)
            for (model, axis), known in found.items()
            for place in next_places(_values(known), len(AXES[axis].levels))
        ]
        if not wanted:
            return found
        for (model, axis, place), sample in measure(wanted).items():
            found[model, axis][place] = sample


def _values(known: Mapping[int, Sample]) -> dict[int, float]:
    return {place: float(sample.value) for place, sample in known.items()}


def limit(model: str, axis: str, known: Mapping[int, Sample], share: float) -> Limit:
    """Return a limit from the scores that a search has measured."""
    held = AXES[axis]
    places = np.array([CLEAN, *sorted(known)], dtype=float)
    samples = [known[int(place)] for place in places[1:]]
    value = crossing(places, np.array([100.0, *(float(each.value) for each in samples)])[None], share)[0]
    draws = np.stack([np.full_like(samples[0].draws, 100.0), *(each.draws for each in samples)], axis=1)
    crossed = crossing(places, draws[np.isfinite(draws).all(axis=1)], share)
    people = samples[0].n
    enough = people > 1 and len(crossed) > 0
    low, high = np.percentile(crossed, [2.5, 97.5]) if enough else (np.nan, np.nan)
    return Limit(
        model=model,
        axis=axis,
        share=share,
        value=held.between(float(value)),
        low=held.between(float(low)) if enough else float("nan"),
        high=held.between(float(high)) if enough else float("nan"),
        beyond=bool(value >= len(held.levels) - 1),
        below=bool(value < 0),
        n=people,
    )


def crossing(places: Floats, scores: Floats, share: float) -> Floats:
    """Return where each curve (D, P) falls below a share; the last place where it does not.

    The curves are made to fall first. places (P,) rise.
    """
    found = np.empty(len(scores))
    for row, curve in enumerate(scores):
        fallen = falling(curve)
        under = np.flatnonzero(fallen < share)
        if not len(under):
            found[row] = places[-1]
            continue
        after = int(under[0])
        if after == 0:
            found[row] = places[0]
            continue
        before = after - 1
        part = (fallen[before] - share) / (fallen[before] - fallen[after])
        found[row] = places[before] + part * (places[after] - places[before])
    return found


def falling(values: Floats) -> Floats:
    """Return the closest curve, in squares, that never rises."""
    means: list[float] = []
    counts: list[int] = []
    for value in values:
        means.append(float(value))
        counts.append(1)
        while len(means) > 1 and means[-2] < means[-1]:
            count = counts[-2] + counts[-1]
            means[-2:] = [(means[-2] * counts[-2] + means[-1] * counts[-1]) / count]
            counts[-2:] = [count]
    return np.repeat(means, counts)
