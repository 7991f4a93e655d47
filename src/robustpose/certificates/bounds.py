"""Median smoothing: bounds on each coordinate of a smoothed prediction.

Chiang, Curry, Abdelkader, Kumar, Dickerson and Goldstein 2020, "Detection as Regression: Certified Object
Detection by Median Smoothing", arXiv 2007.03730. The smoothed model predicts, for each coordinate, the median of
the model's predictions for the image plus Gaussian noise of standard deviation sigma. Let
p = Phi(-radius / sigma). Under any perturbation of L2 norm at most `radius` this median stays between the
p-quantile and the (1 - p)-quantile of the unperturbed predictions (their lemma 1). Order statistics of n samples
bound these quantiles.

They bound one output at confidence 1 - alpha. A pose has 2K coordinates with two bounds each, so each bound here
holds at confidence 1 - alpha / 4K (Bonferroni): all bounds of a person hold together at confidence 1 - alpha.
Every rounding is outward. The noise itself is float32, and images are multiples of 1/255; the caveat of Jin et al.
2022 (arXiv 2207.07209) on the arithmetic of the model remains.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from robustpose.errors import RobustPoseError
from robustpose.metrics import Table

DEFAULT_ALPHA = 0.001
"""Probability that any bound of a person is wrong."""

_OUTWARD = 1e-12
"""Relative slack of every rounding; float64 computes these functions to about 1e-15."""

Floats = NDArray[np.float64]


def ranks(n: int, *, sigma: float, radius: float, alpha: float, bounds: int) -> tuple[int, int] | None:
    """Return the ranks, 1 to n, of the samples that bound the median from below and above; None if n is too small.

    bounds  number of bounds that must hold together at confidence 1 - alpha
    RobustPoseError for numbers out of range.
    """
    _check(n, sigma=sigma, radius=radius, alpha=alpha)
    p = ndtr(-radius / sigma) * (1 - _OUTWARD)
    # The sample of rank k lies below the p-quantile unless fewer than k samples do.
    fails = binom.cdf(np.arange(n), n, p) <= alpha / bounds * (1 - _OUTWARD)
    low = int(np.count_nonzero(fails))
    return (low, n + 1 - low) if low else None


def largest_radius(n: int, *, sigma: float, alpha: float, bounds: int) -> float:
    """Return the largest L2 radius that n samples can certify, in units of [0, 1]; 0 if there is none."""
    _check(n, sigma=sigma, radius=0.0, alpha=alpha)
    p = -np.expm1(
        np.log(alpha / bounds) / n
    )  # then all n samples exceed the p-quantile with probability alpha / bounds
    return max(0.0, float(-sigma * ndtri(p)) * (1 - 1e-9))


def worst_case(table: Table, samples: NDArray[np.float32], *, sigma: float, radius: float, alpha: float) -> Table:
    """Put each keypoint where it is farthest from the truth among all places that the bounds allow.

    Every score that falls with this distance (PCK, mean OKS) is then a certified score: no perturbation of L2 norm
    at most `radius` lowers the score of the smoothed model further. Keypoints without a bound are put at infinity,
    so they count as wrong.

    table    truth of N people
    samples  (N, K, 2, n) predictions under noise in input pixels, sorted along the last axis
    """
    n = samples.shape[-1]
    found = ranks(n, sigma=sigma, radius=radius, alpha=alpha, bounds=4 * samples.shape[1])
    if found is None:
        return replace(table, predicted=np.full(samples.shape[:3], np.inf))
    low, high = (samples[..., rank - 1].astype(np.float64) for rank in found)
    farther = np.where(table.keypoints - low > high - table.keypoints, low, high)
    offset = (farther - table.keypoints) * (1 + _OUTWARD)
    return replace(table, predicted=table.keypoints + offset)


def check_radii(radii: Sequence[float], *, n: int, sigma: float, alpha: float, keypoints: int) -> None:
    """RobustPoseError if n samples cannot certify one of the radii."""
    most = largest_radius(n, sigma=sigma, alpha=alpha, bounds=4 * keypoints)
    if radii and max(radii) > most:
        raise RobustPoseError(
            f"radius {max(radii):g} needs more than {n} samples: at sigma {sigma:g} and alpha {alpha:g} they "
            f"certify radii up to {most:.3f}"
        )


def _check(n: int, *, sigma: float, radius: float, alpha: float) -> None:
    if n < 1:
        raise RobustPoseError(f"a certificate needs at least one sample, got {n}")
    if not (np.isfinite(sigma) and sigma > 0):
        raise RobustPoseError(f"sigma must be > 0, in [0, 1] units, got {sigma:g}")
    if not (np.isfinite(radius) and radius >= 0):
        raise RobustPoseError(f"a radius must be >= 0, got {radius:g}")
    if not 0 < alpha < 1:
        raise RobustPoseError(f"alpha must lie in (0, 1), got {alpha:g}")
