"""Figures as SVG text: robustness curves and body parts. The same numbers give the same bytes.

Text is not converted to paths and uses the reader's sans-serif font. Colours are Okabe and Ito's ("Color Universal
Design", 2008), which colour-blind readers can distinguish; each model also has its own marker.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustpose.analysis.scores import Row
from robustpose.threats import THREATS

INK, MUTED, GRID, SURFACE = "#1d2630", "#5d6b7a", "#dfe4ea", "#fefefe"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a5195", "#6e6e6e")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_STYLE = {
    "font.size": 12,
    "svg.fonttype": "none",
    "svg.hashsalt": "robustpose",
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
}
_POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Curve:
    """One model's scores under one attack, by increasing eps.

    eps      in the unit of the threat, 255ths for linf
    variant  the same attack with another objective; drawn dashed with hollow markers
    """

    model: str
    slot: int
    eps: tuple[float, ...]
    rows: tuple[Row, ...]
    variant: bool = False


@dataclass(frozen=True)
class Part:
    """One model's scores for one body part, clean and attacked."""

    name: str
    clean: Row
    attacked: Row | None


def curves_svg(curves: Sequence[Curve], *, ylabel: str, threat: str = "linf") -> str:
    """Draw scores over eps: one labelled curve for each model, with its interval as a band."""
    spec = THREATS[threat]
    with style.context(["default", _STYLE]):
        drawn = [_defined(curve) for curve in curves]
        longest = max((len(_short(curve.model)) for curve in drawn), default=0)
        figure, axes = _frame(460, 300, left=54, right=28 + 7.5 * longest, top=12, bottom=46)
        levels = sorted({level for curve in drawn for level in curve.eps} | set(spec.ticks))
        axes.set_xscale("log", base=2)
        axes.set_xlim(levels[0] * 2**-0.35, levels[-1] * 2**0.35)
        axes.set_ylim(-2, max([103.0, *(row.high * 1.03 for curve in drawn for row in curve.rows)]))
        axes.set_xticks(levels, [_level(level) for level in levels])
        axes.set_xticks([], minor=True)
        axes.set_yticks([0, 25, 50, 75, 100])
        axes.grid(axis="x", visible=False)
        axes.set_xlabel(spec.axis or f"eps, {spec.unit}")
        axes.set_ylabel(ylabel)
        if spec.norm == math.inf and levels[0] < 1:
            axes.axvspan(levels[0] * 2**-0.35, 2**-0.5, color=GRID, alpha=0.45, linewidth=0)
            axes.text(levels[0] * 2**-0.25, 1.5, "under one\n8-bit level", color=MUTED, fontsize=9, va="bottom")
        for curve in drawn:
            _draw_curve(axes, curve)
        _label_ends(axes, [curve for curve in drawn if curve.eps and not curve.variant], top=101.0)
        return _svg(figure)


def parts_svg(parts: Sequence[Part], *, slot: int, xlabel: str) -> str:
    """Draw one model's body parts: the clean score hollow, the attacked score filled, each with its interval."""
    with style.context(["default", _STYLE]):
        width, height, left, right, top = 460, 72 + 30 * len(parts), 100, 14, 26
        figure, axes = _frame(width, height, left=left, right=right, top=top, bottom=46)
        color, marker = SERIES[slot % len(SERIES)], MARKERS[slot % len(MARKERS)]
        for y, part in enumerate(parts):
            pairs = [(part.clean, y - 0.12, SURFACE, MUTED)]
            if part.attacked is not None:
                pairs.append((part.attacked, y + 0.12, color, color))
            for row, at, face, edge in pairs:
                if math.isfinite(row.value):
                    axes.plot([row.low, row.high], [at, at], color=edge, linewidth=1.8, solid_capstyle="round")
                    axes.plot([row.value], [at], marker, color=face, markeredgecolor=edge, markersize=6.5)
        axes.set_xlim(-2, 102)
        axes.set_ylim(len(parts) - 0.45, -0.55)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.set_yticks(range(len(parts)), [part.name for part in parts])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(xlabel)
        place = (left / width, 1 - top / height, (width - left - right) / width, top / height)
        key = figure.add_axes(place, xlim=(0, 1), ylim=(0, 1))
        key.set_axis_off()
        for x, text, face, edge in ((0.02, "clean", SURFACE, MUTED), (0.24, "attacked", color, color)):
            key.plot([x], [0.45], marker, color=face, markeredgecolor=edge, markersize=6.5)
            key.text(x + 0.022, 0.45, text, va="center_baseline", color=MUTED)
        return _svg(figure)


def inline(svg: str, *, label: str) -> str:
    """Embed a figure in a page: at full column width, in the page's colours, with a label for screen readers."""
    head, _, body = svg.partition(">")
    view_box = re.search(r'viewBox="[^"]*"', head)
    assert view_box is not None
    said = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view_box[0]} role="img" aria-label="{said}">'
    )
    names = {INK: "ink", MUTED: "muted", GRID: "grid", SURFACE: "card"}
    names |= {color: f"series-{slot}" for slot, color in enumerate(SERIES)}
    for color, name in names.items():
        body = body.replace(color, f"var(--{name}, {color})")
    return opening + body


def _frame(
    width: int, height: int, *, left: float, right: float, top: float, bottom: float
) -> tuple[Figure, Axes]:
    """Make axes with fixed margins in points, so that the layout does not depend on the installed fonts."""
    figure = Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH))
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    axes.patch.set_visible(False)
    return figure, axes


def _defined(curve: Curve) -> Curve:
    """Drop eps = 0, which a logarithmic axis cannot show, and undefined scores."""
    kept = [(e, row) for e, row in zip(curve.eps, curve.rows, strict=True) if e > 0 and math.isfinite(row.value)]
    return Curve(
        model=curve.model,
        slot=curve.slot,
        eps=tuple(e for e, _ in kept),
        rows=tuple(row for _, row in kept),
        variant=curve.variant,
    )


def _draw_curve(axes: Axes, curve: Curve) -> None:
    color, marker = SERIES[curve.slot % len(SERIES)], MARKERS[curve.slot % len(MARKERS)]
    values = [row.value for row in curve.rows]
    low, high = [row.low for row in curve.rows], [row.high for row in curve.rows]
    if len(curve.eps) > 1:
        axes.fill_between(curve.eps, low, high, color=color, alpha=0.16, linewidth=0)
    else:
        axes.vlines(curve.eps, low, high, color=color, linewidth=1.8)
    axes.plot(
        curve.eps,
        values,
        marker=marker,
        color=color,
        linewidth=1.8,
        linestyle="--" if curve.variant else "-",
        markersize=8.5 if curve.variant else 5.5,
        markerfacecolor="none" if curve.variant else color,
        markeredgecolor=color if curve.variant else SURFACE,
        markeredgewidth=1.2 if curve.variant else 0.8,
        clip_on=False,
    )


def _label_ends(axes: Axes, curves: Sequence[Curve], *, top: float) -> None:
    """Label curves at their ends; labels that would overlap are moved apart and connected by a line."""
    ordered = sorted(curves, key=lambda curve: (curve.rows[-1].value, -curve.slot))
    heights = spread([curve.rows[-1].value for curve in ordered], gap=7.0, top=top)
    edge = axes.get_xlim()[1]
    for curve, height in zip(ordered, heights, strict=True):
        color = SERIES[curve.slot % len(SERIES)]
        end = (curve.eps[-1] * 2**0.16, curve.rows[-1].value)
        axes.plot([end[0], edge * 2**0.12], [end[1], height], color=color, linewidth=0.8, clip_on=False)
        axes.text(edge * 2**0.2, height, _short(curve.model), color=color, va="center", fontweight="bold")


def spread(heights: Sequence[float], *, gap: float, top: float) -> list[float]:
    """Move sorted heights as little as possible so that neighbours are `gap` apart and none is above `top`."""
    placed: list[list[float]] = []  # groups of touching labels
    for height in heights:
        placed.append([height])
        while (
            len(placed) > 1
            and _centre(placed[-1]) - _centre(placed[-2]) < gap * (len(placed[-1]) + len(placed[-2])) / 2
        ):
            last = placed.pop()
            placed[-1] += last
    found: list[float] = []
    for group in placed:
        first = max(_centre(group) - gap * (len(group) - 1) / 2, 0.0, found[-1] + gap if found else 0.0)
        found += [first + gap * i for i in range(len(group))]
    over = max(found[-1] - top, 0.0) if found else 0.0
    return [height - over for height in found]


def _centre(group: Sequence[float]) -> float:
    return sum(group) / len(group)


def _level(level: float) -> str:
    return f"{round(level, 3):g}"


def _short(name: str) -> str:
    return name if len(name) <= 17 else f"{name[:16]}…"


def _svg(figure: Figure) -> str:
    """Write a figure as SVG without date, style sheet, group ids and external references."""
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"font-family: [^;\"]*", f"font-family: {_FONT}", text)
    return text.replace("<svg ", '<svg stroke-linejoin="round" ', 1)
