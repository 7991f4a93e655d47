"""Agreement of two rankings of the same models: Kendall's tau, and the pairs of models that each side separates.

Tau-b (Kendall 1945, "The treatment of ties in ranking problems") counts all pairs of models, including pairs that
the data cannot separate. Sampling noise therefore biases it towards 0, and resampling people does so again: with a
dozen close models, the interval can exclude 1 although the true rankings are equal. So the tau that is expected if
both rankings were equal is reported, too: it is computed on resampled people after the models of one side have
been permuted into the order of the other. A side separates two models if the 95% interval of their paired
difference excludes 0. Pairs that the sides separate in opposite directions are misleading.
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

    values  (M,) NaN if undefined
    draws   (M, D) on resampled people, the same for all models in each draw
    people  number of people
    """

    values: Floats
    draws: Floats
    people: int


@dataclass(frozen=True)
class Pair:
    """Two models that both sides separate, in opposite directions.

    in_photos, in_rendered  the better model in photos, and the better one on rendered people
    """

    in_photos: str
    in_rendered: str


@dataclass(frozen=True)
class Agreement:
    """Agreement of two rankings.

    tau        Kendall's tau-b with its 95% interval, n models; NaN if all models are tied on one side
    one_order  tau expected with these people if both rankings were equal: mean and 95% interval over draws
    pairs      number of pairs of models with a score on both sides
    rendered, photos, both  number of pairs that each side separates, and both
    misleading  pairs that both separate, in opposite order
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
        """Number of pairs that both sides separate in the same order."""
        return self.both - len(self.misleading)


def tau_b(x: Floats, y: Floats) -> Floats:
    """Return Kendall's tau-b (...) of scores (..., M) of the same models: 1 for equal order, -1 for reversed.

    Models with a NaN are ignored; NaN if all models are tied on one side.
    """
    first, second = np.triu_indices(x.shape[-1], k=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        in_x, in_y = np.sign(x[..., first] - x[..., second]), np.sign(y[..., first] - y[..., second])
        known = np.isfinite(in_x) & np.isfinite(in_y)
        in_x, in_y = np.where(known, in_x, 0.0), np.where(known, in_y, 0.0)
        untied = np.sqrt((in_x != 0).sum(axis=-1) * (in_y != 0).sum(axis=-1))
        return np.asarray((in_x * in_y).sum(axis=-1) / untied)


def one_order(rendered: Scores, photos: Scores) -> Floats:
    """Return the tau (D,) of each draw if the photos' ranking equalled that of the rendered people.

    The best model in photos takes the place of the best on rendered people, and so on; each keeps its own draws,
    and thus its uncertainty. Sampling noise inflates the spread of models, so each side's scores are first shrunk
    to the spread without it. Needs at least two models, all with scores.
    """
    rising, place = np.argsort(photos.values, kind="stable"), np.argsort(rendered.values, kind="stable")
    exchanged = np.empty_like(photos.draws)
    exchanged[place] = drawn_together(photos)[rising]
    return tau_b(drawn_together(rendered).T, exchanged.T)


def drawn_together(scores: Scores) -> Floats:
    """Return draws (M, D) around scores shrunk to the spread of models without sampling noise."""
    around, middle = scores.draws - scores.values[:, None], scores.values.mean()
    whole = around[:, np.isfinite(around).all(axis=0)]
    left = 1.0
    if whole.size and (spread := scores.values.var(ddof=1)) > 0:
        left = max(1 - whole.var(axis=0, ddof=1).mean() / spread, 0.0) ** 0.5
    return np.asarray(middle + left * (scores.values - middle)[:, None] + around)


def decided(scores: Scores) -> NDArray[np.int_]:
    """Return for each pair (M, M) the better model: 1 the row's, -1 the column's, 0 if the interval includes 0."""
    models = len(scores.values)
    ahead = np.zeros((models, models), dtype=int)
    for a, b in zip(*np.triu_indices(models, k=1), strict=True):
        gap = from_draws(scores.values[a] - scores.values[b], scores.draws[a] - scores.draws[b], scores.people)
        ahead[a, b] = int(gap.low > 0) - int(gap.high < 0)
    return ahead - ahead.T


def agreement(models: Sequence[str], rendered: Scores, photos: Scores) -> Agreement:
    """Compare two sides' scores of the same models; their draws must be independent."""
    known = np.isfinite(rendered.values) & np.isfinite(photos.values)
    there = [Scores(side.values[known], side.draws[known], side.people) for side in (rendered, photos)]
    enough = min(rendered.people, photos.people) > 1  # resampling one person gives no interval
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
