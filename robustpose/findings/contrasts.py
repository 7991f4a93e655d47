"""Contrasts: by how much one score lies above another, judged at 8/255 and shown at every budget.

Orders of nets change with the strength of an attack, so no contrast is shown at one budget only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robustpose.findings.finding import Tabular, Verdict
from robustpose.findings.judging import Sample, verdict
from robustpose.findings.sweeps import EPS8

PEOPLE_NOT_NETS = "Intervals are over people. Each design is one trained net; another training of it may differ."


@dataclass(frozen=True)
class Contrast:
    """A claim of the paper that one score lies above another.

    line      what is set against what, for a table
    at        the difference in points at a budget (eps in [0, 1] units)
    paper     the paper's own numbers
    measured  what the difference at 8/255 is of, in words
    """

    line: str
    claim: str
    at: Callable[[float], Sample]
    paper: str
    measured: str

    def judged(self) -> Verdict:
        """Decide the claim at 8/255."""
        return verdict(self.claim, self.at(EPS8), above=0.0, paper=self.paper, measured=self.measured)


def contrasts_over_eps(
    eps: Sequence[float], contrasts: Sequence[Contrast], *, stem: str, title: str, note: str = ""
) -> list[Tabular]:
    """Lay contrasts out over budgets; no table where there are none."""
    if not contrasts:
        return []
    rows = tuple((each.line, tuple(each.at(budget).estimate for budget in eps)) for each in contrasts)
    columns = tuple(f"{round(255 * budget, 6):g}/255" for budget in eps)
    return [Tabular(stem=stem, title=title, columns=columns, rows=rows, note=note)]


def lead(sample: Sample, others: Sequence[Sample]) -> Sample:
    """Return by how much a sample lies above the highest of others, which is found anew in every draw."""
    return smallest([sample - other for other in others])


def smallest(samples: Sequence[Sample]) -> Sample:
    """Return the smallest of samples: it lies above a margin only where all of them do."""
    return Sample(
        value=np.min([sample.value for sample in samples], axis=0),
        draws=np.min([sample.draws for sample in samples], axis=0),
        n=min(sample.n for sample in samples),
    )
