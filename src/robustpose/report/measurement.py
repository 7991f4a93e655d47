"""What a study that measures models without attacking them found, ready for the terminal and the page."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robustpose.findings import Chart, Tabular
from robustpose.metrics import Estimate


@dataclass(frozen=True)
class Section:
    """A part of the page: its headline, what a reader must know, and its exhibits."""

    title: str
    under: str
    exhibits: tuple[Chart | Tabular, ...]


@dataclass(frozen=True)
class Measurement:
    """What a measuring study found.

    lede        one sentence: what was measured, on whom
    answers     the results in sentences
    summary     the tables that are printed in the terminal
    sections    of the page
    lines       of results.csv: the same columns in each
    remarks     what was left out and why
    reading     terms and their definitions
    unreadable  one line for each person whose photo could not be read
    """

    title: str
    lede: str
    answers: tuple[str, ...]
    summary: tuple[Tabular, ...]
    sections: tuple[Section, ...]
    lines: tuple[Mapping[str, object], ...]
    remarks: tuple[str, ...] = ()
    reading: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[str, ...] = ()


def points(estimate: Estimate) -> str:
    """Write a number with its interval.

    >>> points(Estimate(value=1.26, low=0.5, high=2.0, n=9))
    '1.3 [0.5, 2.0]'
    """
    # + 0.0: no minus before zero
    value, low, high = (round(each, 1) + 0.0 for each in (estimate.value, estimate.low, estimate.high))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]" if np.isfinite(low) else f"{value:.1f}"
