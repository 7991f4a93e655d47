"""Statistics of two-alternative forced choice: d', intervals of shares, the psychometric curve, its threshold.

d'      sqrt(2) z(share correct): Macmillan and Creelman 2005, "Detection Theory: A User's Guide", chapter 7. A
share
        of 0 or 1 has no finite z and is replaced by the log-linear (correct + 0.5) / (trials + 1): Hautus 1995,
        "Corrections for extreme proportions and their biasing effects on estimated values of d'", Behavior
        Research Methods 27. Hautus corrects every share; here only extreme ones, so that .76 gives d' = 1.
share   Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
curve   logistic in log eps with guess rate 1/2 and a lapse rate of at most 0.05. Without lapses, one accidental
        error at a large eps would distort the curve: Wichmann and Hill 2001, "The psychometric function: I",
        Perception & Psychophysics 63.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

Floats = NDArray[np.float64]

GUESS = 0.5
AIM = 0.75
"""The share correct at the threshold, half-way between guessing and always correct."""
MAX_LAPSE = 0.05
_SLOPES = (0.3, 20.0)
_BEYOND = 2.0
"""Largest distance of the curve's middle from the tested range of eps, in natural log."""
_STEP = 0.02
"""Spacing of the grid of middles in natural log, 2% of eps."""
_AT_ONCE = 50
_CERTAIN = 1e-9


def wilson(right: float, trials: float) -> tuple[float, float]:
    """Return the 95% Wilson interval of a share; NaN without trials."""
    if trials == 0:
        return float("nan"), float("nan")
    z = float(norm.ppf(0.975))
    share, weight = right / trials, z**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    low = 0.0 if right == 0 else float(middle - half)
    return low, 1.0 if right == trials else float(middle + half)


def d_prime(share: float, *, trials: float) -> float:
    """Return d' of a share of correct answers in two-alternative forced choice; NaN without trials.

    >>> round(d_prime(0.76, trials=100), 2)
    1.0
    """
    if trials == 0:
        return float("nan")
    least = 0.5 / (trials + 1)
    return float(np.sqrt(2) * norm.ppf(np.clip(share, least, 1 - least)))


@dataclass(frozen=True)
class Curve:
    """A psychometric curve: the share of correct answers over eps.

    middle  natural log of the eps at which the logistic is 1/2
    slope   per unit of natural log
    lapse   rate of accidental errors
    """

    middle: float
    slope: float
    lapse: float

    def share(self, eps: float) -> float:
        """Return the share of correct answers at an eps in [0, 1] units."""
        rise = 1 / (1 + np.exp(-self.slope * (np.log(eps) - self.middle)))
        return float(GUESS + (1 - GUESS - self.lapse) * rise)

    @property
    def threshold(self) -> float:
        """The eps at which 75% of the answers are correct, in [0, 1] units."""
        rise = (AIM - GUESS) / (1 - GUESS - self.lapse)
        return float(np.exp(self.middle + np.log(rise / (1 - rise)) / self.slope))


def fit_curve(eps: Floats, right: Floats, trials: Floats) -> Curve:
    """Fit by maximum likelihood to correct answers (E,) of trials (E,) at budgets eps (E,) > 0.

    ValueError without any trial.
    """
    shown = trials > 0
    if not shown.any():
        raise ValueError("a curve needs trials")
    x, k, n = np.log(eps[shown]), right[shown], trials[shown]
    [start] = fit_many(eps, right[None], trials[None])
    point = np.array([start.middle, np.log(start.slope), start.lapse])
    low, high = np.log(_SLOPES)
    bounds = [(np.log(eps.min()) - _BEYOND, np.log(eps.max()) + _BEYOND), (low, high), (0.0, MAX_LAPSE)]
    found = minimize(_loss, point, args=(x, k, n), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Curve(middle=float(found[0]), slope=float(np.exp(found[1])), lapse=float(found[2]))


def fit_many(eps: Floats, right: Floats, trials: Floats) -> list[Curve]:
    """Fit the most likely curve of a grid to each row of correct answers (D, E) of trials (D, E).

    The grid's spacing of 2% of eps is far below the precision of the answers.
    """
    x = np.log(eps)
    middles = np.arange(x.min() - _BEYOND, x.max() + _BEYOND, _STEP)
    slopes, lapses = np.geomspace(*_SLOPES, 18), np.linspace(0.0, MAX_LAPSE, 3)
    grid = [each.ravel() for each in np.meshgrid(middles, slopes, lapses, indexing="ij")]
    middle, slope, lapse = (each[:, None] for each in grid)
    shares = _shares(middle, slope, lapse, x)
    likely, unlikely = np.log(shares).T, np.log(1 - shares).T
    best = [
        (right[row : row + _AT_ONCE] @ likely + (trials - right)[row : row + _AT_ONCE] @ unlikely).argmax(axis=1)
        for row in range(0, len(right), _AT_ONCE)
    ]
    return [Curve(*(float(each[point]) for each in grid)) for point in np.concatenate(best)]


def _shares(middle: Floats, slope: Floats, lapse: Floats, x: Floats) -> Floats:
    rise = 1 / (1 + np.exp(-np.clip(slope * (x - middle), -50, 50)))
    return np.asarray(np.clip(GUESS + (1 - GUESS - lapse) * rise, _CERTAIN, 1 - _CERTAIN))


def _loss(point: Floats, x: Floats, right: Floats, trials: Floats) -> tuple[float, Floats]:
    """Return the negative log likelihood and its gradient with respect to middle, log slope and lapse."""
    middle, log_slope, lapse = point
    slope = np.exp(log_slope)
    rise = 1 / (1 + np.exp(-np.clip(slope * (x - middle), -50, 50)))
    reach = 1 - GUESS - lapse
    share = _shares(middle, slope, lapse, x)
    loss = -(right * np.log(share) + (trials - right) * np.log(1 - share)).sum()
    by_share = -(right / share - (trials - right) / (1 - share))
    steep = reach * rise * (1 - rise)
    gradient = [-slope * steep, slope * (x - middle) * steep, -rise]
    return float(loss), np.array([(by_share * each).sum() for each in gradient])
