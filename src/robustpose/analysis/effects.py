"""Which factors go with failure: differences between groups of people, ranked, with intervals.

Each factor of the data (person size, occlusion, pose, light, ...) splits people into levels (factors.levels). For
a factor, the two levels that differ most are compared: by the clean score, and by the relative score under an
attack. Of many factors and levels some differ by chance, so an effect counts only if its interval, widened for the
number of compared pairs (Bonferroni), excludes 0. This shows what goes together, not what causes what.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from robustpose.analysis.factors import known_factors, levels
from robustpose.analysis.headline import main_settings
from robustpose.analysis.scores import outcome
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import Table, pair
from robustpose.metrics.bootstrap import redraws
from robustpose.metrics.table import Floats
from robustpose.models import OpenedModel
from robustpose.study.plan import Plan, metric_of

FEWEST = 8
"""People that a level needs to be compared."""


@dataclass(frozen=True)
class Effect:
    """The difference between two levels of a factor, in percentage points, better level minus worse level.

    measure  'clean' or 'relative'
    sure     whether the interval excludes 0 also after correction for the number of compared pairs
    """

    factor: str
    better: str
    worse: str
    measure: str
    value: float
    low: float
    high: float
    n_better: int
    n_worse: int
    sure: bool


def effects_of(plan: Plan, store: Store, model: OpenedModel, setting: Setting | None) -> list[Effect]:
    """Rank the factors of the data by their effect on one model: the sure ones first, then the largest.

    setting  an attack, for relative scores; None for clean scores. Empty if the data have no factors.
    """
    clean = outcome(plan, store, model, None).table
    known = known_factors(plan, model, clean)
    if not known:
        return []
    before, after = (clean, clean) if setting is None else pair(clean, outcome(plan, store, model, setting).table)
    places = {name: row for row, name in enumerate(clean.ids)}
    chosen = [places[name] for name in before.ids]
    known = {factor: [values[row] for row in chosen] for factor, values in known.items()}
    correct, count = _sums(plan, before)
    if setting is None:
        return ranked(known, correct, count, measure="clean")
    return ranked(known, _sums(plan, after)[0], correct, measure="relative")


def ranked(known: Mapping[str, Sequence[float | str]], share: Floats, of: Floats, *, measure: str) -> list[Effect]:
    """Rank factors by the difference of 100 x sum(share) / sum(of) between their levels.

    known  the value of each person for each factor; share, of  (N,) per person
    """
    splits = {factor: _large(levels(values)) for factor, values in known.items()}
    pairs = sum(len(split) * (len(split) - 1) // 2 for split in splits.values())
    found = []
    for factor, split in splits.items():
        scored = {
            level: _score(share[rows], of[rows], seed=seed) for seed, (level, rows) in enumerate(split.items())
        }
        scored = {level: each for level, each in scored.items() if math.isfinite(each[0])}
        best: Effect | None = None
        for one, other in combinations(scored, 2):
            better, worse = sorted((one, other), key=lambda level: -scored[level][0])
            effect = _effect(factor, better, worse, scored, split, measure=measure, pairs=pairs)
            if best is None or (effect.sure, effect.value) > (best.sure, best.value):
                best = effect
        if best is not None:
            found.append(best)
    return sorted(found, key=lambda effect: (not effect.sure, -effect.value))


def headline_effects(plan: Plan, store: Store) -> tuple[OpenedModel, Setting, list[Effect], list[Effect]] | None:
    """Return the effects on the first model under the headline's most damaging untargeted attack, then clean.

    None without such an attack, and if the data have no factors.
    """
    settings = [each for each in main_settings(plan.study.settings) if not each.targeted]
    if not settings:
        return None
    model = plan.models[0]

    def left(setting: Setting) -> float:
        correct, _ = _sums(plan, outcome(plan, store, model, setting).table)
        return float(correct.sum())

    setting = min(settings, key=left)
    attacked = effects_of(plan, store, model, setting)
    clean = effects_of(plan, store, model, None)
    return (model, setting, attacked, clean) if attacked or clean else None


def _sums(plan: Plan, table: Table) -> tuple[Floats, Floats]:
    """Return how many keypoints are correct and how many count, for each person (N,)."""
    hits = metric_of(plan).hits(table)
    return np.nansum(hits, axis=1), np.isfinite(hits).sum(axis=1).astype(float)


def _large(split: Mapping[str, list[int]]) -> dict[str, list[int]]:
    return {level: rows for level, rows in split.items() if len(rows) >= FEWEST}


def _score(share: Floats, of: Floats, *, seed: int) -> tuple[float, Floats]:
    """Return 100 x sum(share) / sum(of) and its bootstrap draws."""
    weights = redraws(len(share), seed=seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(100 * share.sum() / of.sum()), 100 * (weights @ share) / (weights @ of)


def _effect(
    factor: str,
    better: str,
    worse: str,
    scored: Mapping[str, tuple[float, Floats]],
    split: Mapping[str, list[int]],
    *,
    measure: str,
    pairs: int,
) -> Effect:
    value = scored[better][0] - scored[worse][0]
    draws = scored[better][1] - scored[worse][1]
    draws = draws[np.isfinite(draws)]
    low, high = np.percentile(draws, (2.5, 97.5)).tolist() if len(draws) else (math.nan, math.nan)
    wide = NormalDist().inv_cdf(1 - 0.025 / max(pairs, 1)) * (float(draws.std()) if len(draws) else math.inf)
    return Effect(
        factor=factor,
        better=better,
        worse=worse,
        measure=measure,
        value=value,
        low=low,
        high=high,
        n_better=len(split[better]),
        n_worse=len(split[worse]),
        sure=bool(value - wide > 0),
    )
