"""Charts of findings as SVG text, for the page and for a paper. The same numbers give the same bytes.

A model's curve has a colour, a marker and its interval as a band. Other curves, such as the paper's, are thin and
grey. Colours are Okabe and Ito's ("Color Universal Design", 2008) and three darker ones. Up to five curves are
labelled at their ends. Charts with more have a legend, and only the paper's curves are labelled at their ends.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustpose.findings import Chart, Curve
from robustpose.report.html import figures
from robustpose.report.html.axes import GREY, WIDE, set_axes
from robustpose.report.html.figures import INK, MUTED, SURFACE, spread

COLORS = (*figures.SERIES[:7], "#8b1e3f", "#333b44", "#5a7d00")
"""The colours of ten models, by slot. None is grey, the colour of the paper's curves."""
MARKERS = (*figures.MARKERS, "*", "<")
PAPERS = ", paper"
"""Suffix of the names of the paper's curves."""
DIRECT = 5
"""Maximum number of curves that are labelled at their ends."""

_WIDTH, _PLOT, _LEFT, _TOP, _BOTTOM, _MARGIN = 380.0, 230.0, 50.0, 10.0, 42.0, 14.0
_FONT, _SMALL = 11.0, 9.0
_LINE = 16.0
_MARKED = 16
"""Maximum number of points that all get a marker."""
_LONGEST_DIRECT, _LONGEST = 14, 48
_MOST_GREY_LABELS = 22


def color_of(slot: int | None) -> str:
    """Return the colour of a model's slot, or grey for None."""
    return GREY if slot is None else COLORS[slot % len(COLORS)]


def marker_of(slot: int) -> str:
    """Return a model's marker; models that share a colour have different markers."""
    return MARKERS[(slot + slot // len(COLORS)) % len(MARKERS)]


@dataclass(frozen=True)
class _Naming:
    """Which curves are labelled at their ends, by index in the chart, and which in the legend."""

    ends: Mapping[int, Curve]
    keys: tuple[tuple[Curve, str], ...]
    direct: bool


def chart_svg(chart: Chart) -> str:
    """Draw a chart, with gaps for values that are not finite or, on a logarithmic axis, not positive."""
    shown = enumerate(_shown(curve, chart.scale) for curve in chart.curves)
    drawn = {number: curve for number, curve in shown if _defined(curve)}
    naming = _naming(chart, drawn)
    columns = _columns([text for _, text in naming.keys])
    below = _LINE * math.ceil(len(naming.keys) / len(columns)) + 6 if naming.keys else 0.0
    right = _right_margin(naming)
    height = _PLOT + _TOP + _BOTTOM + below
    with style.context(["default", {**figures._STYLE, "font.size": _FONT}]):
        figure, axes = figures._frame(
            round(_WIDTH), round(height), left=_LEFT, right=right, top=_TOP, bottom=_BOTTOM + below
        )
        set_axes(axes, chart, list(drawn.values()), letter=WIDE * _FONT / (_WIDTH - _LEFT - right))
        for number, curve in drawn.items():
            _draw(axes, curve, number, crowded=len(drawn) > DIRECT)
        _label_ends(axes, list(naming.ends.values()), size=_FONT if naming.direct else _SMALL)
        _legend(figure, naming.keys, columns)
        return _with_names(figures._svg(figure), [curve.name for curve in chart.curves])


def inline(svg: str, *, label: str, stem: str) -> str:
    """Embed a chart in a page, in the page's colours. The stem is a prefix that makes its ids unique."""
    page = figures.inline(svg, label=label)
    head, _, body = page.partition(">")
    names = {color: f"series-{slot}" for slot, color in enumerate(COLORS) if color not in figures.SERIES}
    for color, name in {**names, GREY: "paper"}.items():
        body = body.replace(color, f"var(--{name}, {color})")
    for known in sorted(set(re.findall(r'<\w+ id="([^"]*)"', body))):
        body = re.sub(rf'(<\w+ id="|xlink:href="#|url\(#){known}\b', rf"\g<1>{stem}-{known}", body)
    return f"{head}>{body}"


def spoken(chart: Chart) -> str:
    """Describe a chart in words, for screen readers."""
    said: list[str] = []
    for curve in chart.curves:
        points = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
        if points and len(said) < 2 * DIRECT and not _is_papers(curve):
            (x, y), (last_x, last_y) = points[0], points[-1]
            said.append(f"{curve.name}: {y:.3g} at {x:g}, {last_y:.3g} at {last_x:g}")
    rest = len(chart.curves) - len(said)
    more = f"; {rest} more curve{'' if rest == 1 else 's'}" if rest and said else ""
    return f"{chart.title}. {chart.y_label} over {chart.x_label}. {'; '.join(said) or 'Nothing to draw'}{more}."


def _shown(curve: Curve, scale: str) -> Curve:
    kept = [i for i, x in enumerate(curve.x) if math.isfinite(x) and (scale == "linear" or x > 0)]
    x, y, low, high = (
        tuple(values[i] if math.isfinite(values[i]) else math.nan for i in kept) if values else ()
        for values in (curve.x, curve.y, curve.low, curve.high)
    )
    return replace(curve, x=x, y=y, low=low, high=high)


def _defined(curve: Curve) -> list[tuple[float, float]]:
    """Return the finite points; the label is placed at the last one."""
    return [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]


def _is_papers(curve: Curve) -> bool:
    return curve.slot is None and curve.name.endswith(PAPERS)


def _naming(chart: Chart, drawn: Mapping[int, Curve]) -> _Naming:
    """Label few curves at their ends and many in a legend, as well as ROC curves, which end at one point."""
    names = [curve.name for curve in drawn.values()]
    if len(names) <= DIRECT and not chart.diagonal and all(len(name) <= _LONGEST_DIRECT for name in names):
        return _Naming(ends=drawn, keys=(), direct=True)
    papers = {number: curve for number, curve in drawn.items() if _is_papers(curve)}
    keys = [(curve, _short(curve.name, _LONGEST)) for number, curve in drawn.items() if number not in papers]
    if papers:
        keys.append((Curve(name="", x=(), y=()), "grey: the paper (MPII)"))
    ends = {} if chart.diagonal or len(papers) > _MOST_GREY_LABELS else papers
    return _Naming(ends=ends, keys=tuple(keys), direct=False)


def _end_label(curve: Curve) -> str:
    return _short(curve.name.removesuffix(PAPERS), _LONGEST_DIRECT + 4)


def _short(name: str, longest: int) -> str:
    """Cut a long name in the middle, because models of one architecture differ at the end."""
    name = "".join(letter if letter.isprintable() else " " for letter in name)
    head, tail = longest // 2, (longest - 1) // 2
    return name if len(name) <= longest else f"{name[:head]}…{name[-tail:]}"


def _right_margin(naming: _Naming) -> float:
    longest = max((len(_end_label(curve)) for curve in naming.ends.values()), default=0)
    size = _FONT if naming.direct else _SMALL
    return _MARGIN + (longest * WIDE * size + 8 if longest else 0.0)


def _draw(axes: Axes, curve: Curve, number: int, *, crowded: bool) -> None:
    color, ours = color_of(curve.slot), curve.slot is not None
    points = _defined(curve)
    if curve.low and len(points) > 1:
        alpha = (0.08 if curve.dashed else 0.11) if crowded else 0.16
        axes.fill_between(curve.x, curve.low, curve.high, color=color, alpha=alpha, linewidth=0)
    elif curve.low:
        axes.vlines(curve.x, curve.low, curve.high, color=color, linewidth=1.6)
    [line] = axes.plot(
        curve.x,
        curve.y,
        color=color,
        linewidth=1.6 if ours else 1.0,
        zorder=2.5 if ours else 2.0,
        clip_on=False,
        **_look(curve),
    )
    every = math.ceil(len(curve.x) / 6)
    if len(curve.x) > _MARKED:
        line.set_markevery(((curve.slot * every // 4) % every, every) if curve.slot is not None else [])
    line.set_url(f"#curve-{number}")


def _look(curve: Curve) -> dict[str, Any]:
    """Return the line style and markers: hollow markers on dashed curves, dots on grey ones."""
    color, dashes = color_of(curve.slot), (0, (4, 2)) if curve.dashed else "-"
    if curve.slot is None:
        return {"linestyle": dashes, "marker": ".", "markersize": 3.0}
    return {
        "linestyle": dashes,
        "marker": marker_of(curve.slot),
        "markersize": 7.0 if curve.dashed else 5.5,
        "markerfacecolor": "none" if curve.dashed else color,
        "markeredgecolor": color if curve.dashed else SURFACE,
        "markeredgewidth": 1.1 if curve.dashed else 0.7,
    }


def _label_ends(axes: Axes, curves: Sequence[Curve], *, size: float) -> None:
    """Label curves at their ends; labels that would overlap are moved apart and connected by a line."""
    low, high = axes.get_ylim()
    named = sorted(((_defined(curve)[-1], curve) for curve in curves), key=lambda each: each[0][1])
    at = [(y - low) / (high - low) * _PLOT for (_, y), _ in named]
    for ((x, y), curve), height in zip(named, spread(at, gap=1.25 * size, top=_PLOT - 2), strict=True):
        color = color_of(curve.slot)
        place = low + height / _PLOT * (high - low)
        axes.annotate(
            "",
            xy=(x, y),
            xytext=(1.0, place),
            xycoords="data",
            textcoords=axes.get_yaxis_transform(),
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
        )
        axes.annotate(
            _end_label(curve),
            xy=(1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            annotation_clip=False,
            color=MUTED if curve.slot is None else color,
            fontsize=size,
            fontweight="bold" if curve.slot is not None else "normal",
            va="center",
        )


def _columns(texts: Sequence[str]) -> tuple[float, ...]:
    """Return the widths of the legend's columns, as many as fit."""
    widths = [36 + WIDE * _FONT * len(text) for text in texts]
    for count in range(len(texts), 1, -1):
        rows = math.ceil(len(texts) / count)
        columns = tuple(max(widths[first : first + rows]) for first in range(0, len(widths), rows))
        if sum(columns) <= _WIDTH - _MARGIN:
            return columns
    return (_WIDTH,)


def _legend(figure: Figure, keys: Sequence[tuple[Curve, str]], columns: Sequence[float]) -> None:
    """Draw the legend below the chart, column by column."""
    if not keys:
        return
    rows = math.ceil(len(keys) / len(columns))
    points = figure.get_figheight() * 72
    axes = figure.add_axes((0, 4 / points, 1, _LINE * rows / points), xlim=(0, _WIDTH), ylim=(-rows, 0))
    axes.set_axis_off()
    for number, (curve, text) in enumerate(keys):
        x, y = _MARGIN + sum(columns[: number // rows]), -(number % rows) - 0.5
        ours = curve.slot is not None
        look = {**_look(curve), "linewidth": 1.6 if ours else 1.0, "color": color_of(curve.slot)}
        axes.plot([x, x + 11, x + 22], [y] * 3, markevery=[1], **look)
        axes.text(x + 28, y, text, va="center_baseline", color=INK if ours else MUTED)


def _with_names(svg: str, names: Sequence[str]) -> str:
    """Give each curve a tooltip with its name, in place of the link by which matplotlib marks it."""

    def named(match: re.Match[str]) -> str:
        return f"<g><title>{escape(_short(names[int(match[1])], 200))}</title>"

    svg = re.sub(r'<g id="[^"]*"/>', "", svg)
    return re.sub(r'<a xlink:href="#curve-(\d+)"[^>]*>', named, svg).replace("</a>", "</g>")
