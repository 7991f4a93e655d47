"""Contrasts: by how much one score lies above another, judged at 8/255 and shown at every budget.

Orders of nets change with the strength of an attack, so no contrast is shown at one budget only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robustpose.findings.deciding import smallest, verdict_of_all
from robustpose.findings.finding import Tabular, Verdict
from robustpose.findings.judging import Sample
from robustpose.findings.sweeps import EPS8

PEOPLE_NOT_NETS = "Intervals are over people. Each design is one trained net; another training of it may differ."


@dataclass(frozen=True)
class Contrast:
    """A claim of the paper that one score lies above another.

    line      what is set against what, for a table
    at        the differences in points at a budget (eps in [0, 1] units); of several the smallest counts
    paper     the paper's own numbers
    measured  what the difference at 8/255 is of, in words
    """

    line: str
    claim: str
    at: Callable[[float], Sequence[Sample]]
    paper: str
    measured: str

    def judged(self) -> Verdict:
        """Decide the claim at 8/255."""
        return verdict_of_all(self.claim, self.at(EPS8), above=0.0, paper=self.paper, measured=self.measured)


def contrasts_over_eps(
    eps: Sequence[float], contrasts: Sequence[Contrast], *, stem: str, title: str, note: str = ""
) -> list[Tabular]:
    """Lay contrasts out over budgets; no table where there are none."""
    if not contrasts:
        return []
    rows = tuple((each.line, tuple(smallest(each.at(budget)) for budget in eps)) for each in contrasts)
    columns = tuple(f"{round(255 * budget, 6):g}/255" for budget in eps)
    return [Tabular(stem=stem, title=title, columns=columns, rows=rows, note=note)]


def leads(sample: Sample, others: Sequence[Sample]) -> list[Sample]:
    """Return by how much a sample lies above each of others."""
    return [sample - other for other in others]
