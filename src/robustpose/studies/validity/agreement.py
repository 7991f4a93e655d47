"""How far two sides agree on the order of the same models: Kendall's tau, and the pairs that each side decides.

Tau-b (Kendall 1945, "The treatment of ties in ranking problems") counts all pairs of models, also those that
nobody could tell apart, so chance alone draws it towards 0, and once more where people are redrawn: of a dozen
models that lie close, the interval leaves 1 out although the true orders are the same. So beside it stands the tau
that one order would show: of redrawn people, with one side's models exchanged so that both sides have the same
order. And the pairs that both sides decide: two models whose paired difference has a 95% interval without 0. Those
that the sides decide in opposite ways are the misleading ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustpose.metrics import Estimate
from robustpose.metrics.bootstrap import from_draws
from robustpose.metrics.table import Floats


@dataclass(frozen=True)
class Scores:
    """The scores of M models on one side.

    values  (M,) NaN where undefined
    draws   (M, D) the same of redrawn people: in each draw the same people for all models
    people  behind them
    """

    values: Floats
    draws: Floats
    people: int


@dataclass(frozen=True)
class Pair:
    """Two models that both sides tell apart, in opposite ways.

    in_photos, in_rendered  the model that is ahead in photos, and the one that is ahead on rendered people
    """

    in_photos: str
    in_rendered: str


@dataclass(frozen=True)
class Agreement:
    """How far two sides agree.

    tau        Kendall's tau-b with its 95% interval, n of models; NaN where a side ties all of them
    one_order  the tau that these people would show if both sides had the same order: the mean and 95% of draws
    pairs      of models with a score on both sides
    rendered, photos, both  how many of them each side decides, and both
    misleading  of those that both decide, the ones in opposite order
    """

    tau: Estimate
    one_order: Estimate
    pairs: int
    rendered: int
    photos: int
    both: int
    misleading: tuple[Pair, ...]

    @property
    def agree(self) -> int:
        """How many of the pairs that both sides decide stand in the same order on both."""
        return self.both - len(self.misleading)


def tau_b(x: Floats, y: Floats) -> Floats:
    """Return Kendall's tau-b (...) of scores (..., M) of the same models: 1 in the same order, -1 in the reverse.

    Models with a NaN are left out; NaN where one side ties all.
    """
    first, second = np.triu_indices(x.shape[-1], k=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        in_x, in_y = np.sign(x[..., first] - x[..., second]), np.sign(y[..., first] - y[..., second])
        known = np.isfinite(in_x) & np.isfinite(in_y)
        in_x, in_y = np.where(known, in_x, 0.0), np.where(known, in_y, 0.0)
        untied = np.sqrt((in_x != 0).sum(axis=-1) * (in_y != 0).sum(axis=-1))
        return np.asarray((in_x * in_y).sum(axis=-1) / untied)


def one_order(rendered: Scores, photos: Scores) -> Floats:
    """Return the tau (D,) of each draw, had the photos' models the order of the rendered people's.

    The model that is best in photos takes the place of the one that is best on rendered people, and so on down;
    each keeps its draws, and so how sure its score is. Scores of few people spread models further apart than they
    are, so each side's are first drawn together: to the spread that is left when that of redrawing people is taken
    off. Two models at least, none without a score.
    """
    rising, place = np.argsort(photos.values, kind="stable"), np.argsort(rendered.values, kind="stable")
    exchanged = np.empty_like(photos.draws)
    exchanged[place] = drawn_together(photos)[rising]
    return tau_b(drawn_together(rendered).T, exchanged.T)


def drawn_together(scores: Scores) -> Floats:
    """Return draws (M, D) around scores whose spread is that of the models alone, without that of the people."""
    around, middle = scores.draws - scores.values[:, None], scores.values.mean()
    whole = around[:, np.isfinite(around).all(axis=0)]
    left = 1.0
    if whole.size and (spread := scores.values.var(ddof=1)) > 0:
        left = max(1 - whole.var(axis=0, ddof=1).mean() / spread, 0.0) ** 0.5
    return np.asarray(middle + left * (scores.values - middle)[:, None] + around)


def decided(scores: Scores) -> NDArray[np.int_]:
    """Say of each two models (M, M) which is ahead: 1 the row's, -1 the column's, 0 where the interval holds 0."""
    models = len(scores.values)
    ahead = np.zeros((models, models), dtype=int)
    for a, b in zip(*np.triu_indices(models, k=1), strict=True):
        gap = from_draws(scores.values[a] - scores.values[b], scores.draws[a] - scores.draws[b], scores.people)
        ahead[a, b] = int(gap.low > 0) - int(gap.high < 0)
    return ahead - ahead.T


def agreement(models: Sequence[str], rendered: Scores, photos: Scores) -> Agreement:
    """Hold two sides' scores of the same models against each other; their draws must not depend on each other."""
    known = np.isfinite(rendered.values) & np.isfinite(photos.values)
    there = [Scores(side.values[known], side.draws[known], side.people) for side in (rendered, photos)]
    enough = min(rendered.people, photos.people) > 1  # redrawing one person says nothing of others
    value, models_there = tau_b(there[0].values, there[1].values), int(known.sum())
    draws = tau_b(there[0].draws.T, there[1].draws.T)
    alike = one_order(*there) if enough and models_there > 1 else draws[:0]
    alike = alike[np.isfinite(alike)]
    on_rendered, on_photos = (np.triu(decided(side)) * np.outer(known, known) for side in (rendered, photos))
    opposite = zip(*np.nonzero(on_rendered * on_photos < 0), strict=True)
    return Agreement(
        tau=from_draws(value, draws if enough else draws[:0], models_there),
        one_order=from_draws(alike.mean() if len(alike) else np.asarray(np.nan), alike, models_there),
        pairs=models_there * (models_there - 1) // 2,
        rendered=int((on_rendered != 0).sum()),
        photos=int((on_photos != 0).sum()),
        both=int((on_rendered * on_photos != 0).sum()),
        misleading=tuple(
            Pair(models[a], models[b]) if on_photos[a, b] > 0 else Pair(models[b], models[a]) for a, b in opposite
        ),
    )
