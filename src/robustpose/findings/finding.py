"""What a finding is: the cells it asks for, and the exhibits and verdicts that it makes of their answers."""

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
    """A line of a chart.

    name  of the model, or of whatever the line is
    slot  its colour and marker, the same in every chart; None is grey: the paper's
    low, high  of the 95% interval; empty for numbers that have none
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

    stem     of its files: lower case, no spaces; unique among all findings
    scale    of x: 'linear', or 'log' for eps (base 2) and steps
    diagonal  whether the line of no information is drawn, for ROC curves
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
    """A table: a label and a value a column in each row.

    rows   an Estimate is shown with its interval and n; NaN and None are shown empty
    shade  whether cells are coloured by their value (0 to 100)
    note   what a reader must know to read it
    says_n  whether cells say their n where it is not the same in all
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
    """A picture (H, W, 3) uint8, with what it shows."""

    stem: str
    title: str
    image: NDArray[np.uint8]


Exhibit = Chart | Tabular | Picture


@dataclass(frozen=True)
class Verdict:
    """Whether a claim of the paper holds here.

    claim    in one sentence that is true or false
    paper    the paper's own number
    effect   what was measured of it, with its interval, in the unit that `measured` says
    measured  what the effect is and which test decided: one sentence
    """

    claim: str
    paper: str
    holds: Holds
    effect: Estimate | None
    measured: str


@dataclass(frozen=True)
class Found:
    """What a finding makes of its evidence.

    remarks  what a reader must know: what was left out and why, where ours differs from the paper
    """

    exhibits: tuple[Exhibit, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One figure, table or claim of the paper.

    asks  what must be computed of a plan's models; nothing where the plan has not the models for it
    find  makes exhibits and verdicts of the answers; a finding without its models says so in a remark
    """

    title: str
    asks: Callable[[Plan], Sequence[Ask]]
    find: Callable[[Evidence], Found]
