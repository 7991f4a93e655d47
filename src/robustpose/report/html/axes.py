"""Limits, labels and ticks of the axes of findings' charts."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from robustpose.findings import Chart, Curve
from robustpose.report.html.figures import GRID, MUTED

GREY = "#7f8b98"
WIDE = 0.62
"""Upper bound of a letter's mean width in common fonts, in units of the font size."""


def set_axes(axes: Axes, chart: Chart, curves: Sequence[Curve], *, letter: float) -> None:
    """Set labels, limits and ticks for the drawn curves; letter is a letter's width over the width of the axes."""
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    bottom, top = _y_limits(chart, curves)
    axes.set_ylim(bottom, top)
    if chart.y_range == (0.0, 100.0) and bottom > -15 and top < 115:
        axes.set_yticks([0, 25, 50, 75, 100])
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    levels = sorted({x for curve in curves for x in curve.x})
    if chart.diagonal:
        low, high = chart.y_range or (0.0, 100.0)
        axes.plot([low, high], [low, high], color=GREY, linewidth=1.0, linestyle=":", zorder=1)
        axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
        axes.set_xticks(np.linspace(low, high, 5))
    elif chart.scale == "log":
        levels = levels or [1.0, 2.0]
        axes.set_xscale("log", base=2)
        axes.set_xlim(levels[0] * 2**-0.35, levels[-1] * 2**0.35)
        ours = {x for curve in curves if curve.slot is not None for x in curve.x}
        kept = _ticks(axes, levels, first=ours, letter=letter)
        axes.set_xticks(kept, [_level(level) for level in kept])
        axes.set_xticks([], minor=True)
        axes.grid(axis="x", visible=False)
        if chart.x_label.startswith("eps") and levels[0] < 1:
            axes.axvspan(levels[0] * 2**-0.35, 2**-0.5, color=GRID, alpha=0.45, linewidth=0)
            place = (levels[0] * 2**-0.25, 0.02)
            says = "under one\n8-bit level"
            axes.text(*place, says, transform=axes.get_xaxis_transform(), color=MUTED, fontsize=8, va="bottom")
    if not curves:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, color=MUTED, ha="center", va="center")


def _y_limits(chart: Chart, curves: Sequence[Curve]) -> tuple[float, float]:
    values = [y for curve in curves for y in (*curve.y, *curve.low, *curve.high) if math.isfinite(y)]
    low, high = chart.y_range or (min(values, default=0.0), max(values, default=1.0))
    low, high = min([low, *values]), max([high, *values])
    room = (high - low) or 1.0
    return low - 0.02 * room, high + 0.03 * room


def _ticks(axes: Axes, levels: Sequence[float], *, first: set[float], letter: float) -> list[float]:
    """Choose the levels whose labels fit side by side, those of the models' curves first."""
    low, high = (math.log2(limit) for limit in axes.get_xlim())
    kept: dict[float, tuple[float, float]] = {}
    for level in sorted(levels, key=lambda level: (level not in first, level)):
        at, half = (math.log2(level) - low) / (high - low), letter * (len(_level(level)) + 0.6) / 2
        if all(abs(at - other) >= half + room for other, room in kept.values()):
            kept[level] = at, half
    return sorted(kept)


def _level(level: float) -> str:
    return f"{level:,.0f}" if level >= 1000 else f"{round(level, 3):g}"
