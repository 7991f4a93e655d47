"""Who is drawn in each bootstrap draw: the same for all scores of as many people, so that they can be paired."""

from functools import lru_cache

from robustpose.metrics import estimate
from robustpose.metrics.table import Floats


@lru_cache(maxsize=16)  # findings ask thousands of times for the same few
def redraws(n: int, *, seed: int) -> Floats:
    """Return how often each of n people takes part (DRAWS, N), read-only: see metrics.estimate."""
    weights = estimate.redraws(n, seed=seed)
    weights.flags.writeable = False
    return weights
