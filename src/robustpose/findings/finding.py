"""What a finding is: the jobs that it needs, and the exhibits and verdicts that it makes from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.metrics import Estimate
from robustpose.study.plan import Plan

Holds = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    name  of the model, or of what else the curve shows
    slot  colour and marker, the same in every chart; None is grey, the colour of the paper's curves
    low, high  the 95% interval; empty if there is none
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    slot: int | None = None
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """A figure of curves.

    stem     file name: lower case, no spaces, unique among all findings
    scale    of x: 'linear', or 'log' for eps (base 2) and steps
    diagonal  whether the chance line of ROC curves is drawn
    """

    stem: str
    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    scale: Literal["linear", "log"] = "log"
    y_range: tuple[float, float] | None = (0.0, 100.0)
    diagonal: bool = False


@dataclass(frozen=True)
class Tabular:
    """A table; each row has a label and one value for each column.

    rows   an Estimate is shown with its interval and n; NaN and None are empty
    shade  whether cells are coloured by their value (0 to 100)
    note   how to read the table
    says_n  whether cells show n if it differs between cells
    """

    stem: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple["Estimate | float | str | None", ...]], ...]
    shade: bool = False
    note: str = ""
    says_n: bool = True


@dataclass(frozen=True)
class Picture:
    """An image (H, W, 3) uint8 with a title."""

    stem: str
    title: str
    image: NDArray[np.uint8]


Exhibit = Chart | Tabular | Picture


@dataclass(frozen=True)
class Verdict:
    """Whether a claim of the paper holds here.

    claim    one sentence that is true or false
    paper    the paper's number
    effect   the quantity that decides, with its interval
    measured  definition and unit of the effect, and the rule of decision, in one sentence
    """

    claim: str
    paper: str
    holds: Holds
    effect: Estimate | None
    measured: str


@dataclass(frozen=True)
class Found:
    """The result of a finding.

    remarks  what was left out and why, and differences from the paper
    """

    exhibits: tuple[Exhibit, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One figure, table or claim of the paper.

    asks  returns the results that the finding needs; none if the plan lacks the models
    find  makes exhibits and verdicts from these results, or a remark if the plan lacks the models
    """

    title: str
    asks: Callable[[Plan], Sequence[Ask]]
    find: Callable[[Evidence], Found]
