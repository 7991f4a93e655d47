"""Certified scores from stored predictions under noise."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.certificates import worst_case
from robustpose.folders import write_atomically
from robustpose.jobs.certificate import SampledResult
from robustpose.metrics import ALL, PCK, Estimate, Metric, Table, join, score
from robustpose.metrics.coco import MEAN, Oks

SMOOTHED = "smoothed"
CERTIFIED = "certified"


@dataclass(frozen=True)
class CertifiedRow:
    """One line of certificates.csv.

    measure  'clean' (no noise), 'smoothed' (median over the noisy copies) or 'certified' (no perturbation of L2
             norm at most `radius` lowers the smoothed score further)
    radius   L2 norm in [0, 1] units; 0 for the other measures
    rms      root mean square per pixel value of such a change, in levels of 255
    open     percentage of keypoints without a bound; they count as wrong
    value    percent, with its 95% interval low to high over n people
    """

    model: str
    data: str
    sigma: float
    samples: int
    alpha: float
    measure: str
    radius: float
    rms: float
    metric: str
    part: str
    value: float
    low: float
    high: float
    n: int
    open: float


@dataclass(frozen=True)
class Smoothed:
    """A model's predictions under noise for all people of a study, over the joints that are scored."""

    clean: Table
    samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    input_size: tuple[int, int]


def joined(blocks: Sequence[SampledResult], *, input_size: tuple[int, int]) -> Smoothed:
    """Join the blocks of one model."""
    return Smoothed(
        clean=join([block.clean for block in blocks]),
        samples=np.concatenate([block.samples for block in blocks]),
        input_size=input_size,
    )


def rms_levels(radius: float, input_size: tuple[int, int]) -> float:
    """Return the root mean square change of each pixel value, in levels of 255, of a change of L2 norm `radius`.

    >>> round(rms_levels(0.36, (256, 192)), 2)
    0.24
    """
    height, width = input_size
    return 255 * radius / math.sqrt(3 * height * width)


def certified_rows(
    found: Smoothed,
    *,
    model: str,
    data: str,
    sigma: float,
    alpha: float,
    radii: Sequence[float],
    metric: Metric,
    joints: frozenset[str],
) -> list[CertifiedRow]:
    """Score one model clean, smoothed, and at each radius: by `metric`, and by PCK@0.1 and mean OKS if defined."""
    n = found.samples.shape[-1]
    median = np.median(found.samples.astype(np.float64), axis=-1)
    tables = [
        ("clean", 0.0, found.clean),
        (SMOOTHED, 0.0, replace(found.clean, predicted=median)),
        *(
            (CERTIFIED, radius, worst_case(found.clean, found.samples, sigma=sigma, radius=radius, alpha=alpha))
            for radius in radii
        ),
    ]
    rows = []
    for measure, radius, whole in tables:
        table = whole.over(joints)
        for (name, part), estimate in _scores(table, metric).items():
            rows.append(
                CertifiedRow(
                    model=model,
                    data=data,
                    sigma=sigma,
                    samples=n,
                    alpha=alpha,
                    measure=measure,
                    radius=radius,
                    rms=rms_levels(radius, found.input_size),
                    metric=name,
                    part=part,
                    **asdict(estimate),
                    open=_open(table) if measure == CERTIFIED else 0.0,
                )
            )
    return rows


def write_certified(rows: Sequence[CertifiedRow], path: Path) -> None:
    """Write certificates.csv."""
    write_atomically(path, csv_bytes(pl.DataFrame([asdict(row) for row in rows]), decimals=None))


def _scores(table: Table, metric: Metric) -> dict[tuple[str, str], Estimate]:
    """Score a table by the metric, by PCK@0.1, and by mean OKS if people have areas."""
    found = {(metric.name, part): each for part, each in score(table, metric).items()}
    if metric.name != PCK.name and PCK.defined(table):
        found |= {(PCK.name, part): each for part, each in score(table, PCK).items()}
    oks = Oks()
    if oks.defined(table):
        found["mean OKS", ALL] = score(table, oks)[MEAN]
    return found


def _open(table: Table) -> float:
    """Return the percentage of counted keypoints without a bound."""
    counts = table.visible & np.asarray(table.skeleton.counted)
    without = np.isinf(table.predicted).any(axis=2) & counts
    return 100.0 * float(without.sum() / counts.sum()) if counts.any() else math.nan
