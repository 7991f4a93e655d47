"""Detectors with one number for each person: mean, ROC curve and the area under it (AUC), with intervals.

Fawcett 2006, "An Introduction to ROC Analysis", Pattern Recognition Letters 27(8). In percent: an AUC of 50 is
chance, 100 is perfect. The bootstrap redraws people, each with the clean and the attacked image.
"""

from dataclasses import dataclass

import numpy as np

from robustpose.findings.statistics import Sample, redraws
from robustpose.metrics.bootstrap import DRAWS
from robustpose.metrics.table import Floats

FALSE_ALARMS = np.linspace(0.0, 100.0, 51)
"""The false alarm rates at which curves are drawn, in percent."""

_CURVE_DRAWS = 300


def average(values: Floats, *, seed: int = 0) -> Sample:
    """Average one number for each person (N,) over the people for whom it is finite."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return Sample(np.asarray(np.nan), np.full(DRAWS, np.nan), 0)
    weights = redraws(len(known), seed=seed)
    return Sample(np.asarray(known.mean()), weights @ known / len(known), len(known))


@dataclass(frozen=True)
class Alarm:
    """A detector's numbers for the same N people, clean and attacked; higher is more suspicious.

    clean, attacked  (N,), without people undefined in both; one that is undefined in one of the two is the most
                     suspicious of all there
    """

    clean: Floats
    attacked: Floats

    def __len__(self) -> int:
        return len(self.clean)


def alarm(clean: Floats, attacked: Floats) -> Alarm:
    """Pair a detector's numbers for the same people; ValueError if their shapes differ."""
    if clean.shape != attacked.shape:
        raise ValueError(f"clean and attacked must be the same people, got {clean.shape} and {attacked.shape}")
    sides = np.stack([clean, attacked])
    sides = sides[:, np.isfinite(sides).any(axis=0)]
    most = np.max(sides, initial=0.0, where=np.isfinite(sides)) + 1.0
    clean, attacked = np.where(np.isfinite(sides), sides, most)
    return Alarm(clean, attacked)


def auc(alarm: Alarm, *, seed: int = 0) -> Sample:
    """Return the AUC: how often an attacked image is more suspicious than a clean one, in percent.

    Ties count half. The bootstrap redraws people, each with both images. NaN without people.
    """
    n = len(alarm)
    if n == 0:
        return Sample(np.asarray(np.nan), np.full(DRAWS, np.nan), 0)
    above = (alarm.attacked[:, None] > alarm.clean) + 0.5 * (alarm.attacked[:, None] == alarm.clean)
    weights = redraws(n, seed=seed)
    draws = ((weights @ above) * weights).sum(axis=1) / n**2
    return Sample(np.asarray(100.0 * above.mean()), 100.0 * draws, n)


def told(area: Sample) -> Sample:
    """Return 50 + |AUC - 50|: how well attacked and clean images are separated, with either sign."""
    return Sample(
        value=np.asarray(50.0 + np.abs(area.value - 50.0)), draws=50.0 + np.abs(area.draws - 50.0), n=area.n
    )


def roc(alarm: Alarm, *, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Return the attacks found at FALSE_ALARMS in percent, and the ends of their 95% intervals: (51,) each."""
    n = len(alarm)
    values = np.concatenate([alarm.clean, alarm.attacked])
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    people = np.concatenate([np.ones((1, n)), redraws(n, seed=seed)[:_CURVE_DRAWS]])
    nobody = np.zeros_like(people)
    alarms, finds = (
        np.pad(100.0 / n * side[:, order].cumsum(axis=1)[:, ends], ((0, 0), (1, 0)))
        for side in (np.hstack([people, nobody]), np.hstack([nobody, people]))
    )
    curves = np.stack([np.interp(FALSE_ALARMS, x, y) for x, y in zip(alarms, finds, strict=True)])
    low, high = np.percentile(curves[1:], [2.5, 97.5], axis=0)
    return curves[0], low, high
