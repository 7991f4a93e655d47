"""An analysis in words and as a table: what the command prints and writes."""

import math
from collections.abc import Sequence

import polars as pl

from robustpose.threats import format_eps
from robustpose.userstudy.analysis import Analysis, Comparison, Rate, Threshold
from robustpose.userstudy.answers import CATCH_LEAST, CATCH_SHARE


def criterion() -> str:
    """Say who is left out."""
    return f"fewer than {CATCH_SHARE:.0%} of the catch trials right, or fewer than {CATCH_LEAST} answered"


def eps_text(eps: float, tested: tuple[float, float]) -> str:
    """Write a threshold for people: 5.2/255, under 1/255, above 32/255."""
    low, high = tested
    if math.isinf(eps):
        return f"above {format_eps(high)}"
    return f"under {format_eps(low)}" if eps == 0 else f"{eps * 255:.3g}/255"


def reading(found: Analysis) -> list[str]:
    """Say in sentences what the table does not: thresholds, and attack against noise."""
    lines = []
    for each in found.thresholds:
        low, high = (eps_text(end, each.tested) for end in (each.low, each.high))
        if math.isinf(each.value):
            what = f"75% right is not reached up to {format_eps(each.tested[1])}"
        elif each.value == 0:
            what = f"75% right is passed already at {format_eps(each.tested[0])}"
        else:
            what = f"75% right at {eps_text(each.value, each.tested)}"
        lines.append(f"{each.kind}: {what} [{low}, {high}], {_basis(each)}")
    if (versus := found.comparison) is not None:
        lines.append(
            f"attack less noise of the same eps: {versus.value:+.1f} percentage points right "
            f"[{versus.low:+.1f}, {versus.high:+.1f}], {_basis(versus)}"
        )
    return lines


def rows_as_csv(rates: Sequence[Rate]) -> bytes:
    """Write the table: percent and d' with three decimals, eps as 8/255."""
    frame = pl.DataFrame([{**vars(rate), "eps": format_eps(rate.eps)} for rate in rates])
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None).round(3)).write_csv(float_precision=3).encode()


def _basis(each: Threshold | Comparison) -> str:
    people = "participant" if each.participants == 1 else "participants"
    return f"n = {each.participants} {people}, {each.trials} trials, 95% interval over {each.over}"
