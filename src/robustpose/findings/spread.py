"""How far apart nets lie: the standard deviation over nets of their scores, less what chance among people adds.

Scores of equal nets differ too, for each has luck of its own with few people, and the more so the more people
differ. So the variance over nets is, on average, too large by s^2, the variance over nets of the scores' sampling
errors; the bootstrap gives s^2 as the mean over draws of the variance over nets of (draw - value). A draw has that
error twice, its own and that of the scores that it is drawn from: 2 s^2 go off each draw.
"""

from collections.abc import Callable, Sequence

import numpy as np

from robustpose.findings.judging import Sample
from robustpose.metrics.table import Floats

_CLIPPED = 0.5
"""Percent from 0 and from 100 at which a score is held before its odds are taken."""

Scale = Callable[[Floats], Floats]


def points(percent: Floats) -> Floats:
    """Leave percent as they are."""
    return percent


def log_odds(percent: Floats) -> Floats:
    """Turn percent into ln(p / (1 - p)), held away from 0 and 100."""
    share = np.clip(percent, _CLIPPED, 100.0 - _CLIPPED) / 100.0
    odds: Floats = np.log(share / (1.0 - share))
    return odds


def variance(samples: Sequence[Sample], *, scale: Scale = points) -> Sample:
    """Return the variance over samples of the same people (n - 1 in the divisor) less s^2: about 0 of equal nets.

    Nets without a score take no part; of fewer than two it is NaN.
    """
    known, n = [each for each in samples if np.isfinite(each.value)], min(sample.n for sample in samples)
    if len(known) < 2:
        return Sample(np.asarray(np.nan), np.full_like(samples[0].draws, np.nan), n)
    values = np.stack([scale(sample.value) for sample in known])
    draws = np.stack([scale(sample.draws) for sample in known])
    errors = np.var(draws - values[:, None], axis=0, ddof=1)
    chance = float(errors[np.isfinite(errors)].mean()) if np.isfinite(errors).any() else np.nan
    return Sample(
        value=np.asarray(np.var(values, ddof=1) - chance), draws=np.var(draws, axis=0, ddof=1) - 2.0 * chance, n=n
    )


def spread(samples: Sequence[Sample], *, scale: Scale = points) -> Sample:
    """Return the standard deviation over samples; 0 where they differ by no more than chance makes them."""
    found = variance(samples, scale=scale)
    return Sample(np.sqrt(np.maximum(found.value, 0.0)), np.sqrt(np.maximum(found.draws, 0.0)), found.n)
