"""Scatter plots of two scores of the same models, as SVG text, with both intervals.

Both axes have the same range, and the two scores are equal on the dotted line. Each name is placed near its point
where it hides least. A name without room nearby is placed further away and connected by a line.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib import style
from matplotlib.axes import Axes

from robustpose.report.html import charts, figures
from robustpose.report.html.axes import GREY, WIDE
from robustpose.report.html.figures import MUTED, SURFACE

_SIDE, _LEFT, _RIGHT, _TOP, _BOTTOM = 316.0, 50.0, 14.0, 10.0, 42.0
_FONT, _SMALL = 11.0, 9.0
_LONGEST = 22
_MARKER = 6.0
_NEAR = 12.0
"""Names up to this distance, in points, are not connected by a line."""

Span = tuple[float, float, float]
"""A value and the ends of its interval."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points of the plot."""


@dataclass(frozen=True)
class Point:
    """A model and its two scores, NaN where there is none; slot is its colour and marker."""

    name: str
    slot: int
    x: Span
    y: Span


@dataclass(frozen=True)
class Cross:
    """A drawn point and its two intervals, in points of the plot."""

    x: Span
    y: Span

    @property
    def at(self) -> tuple[float, float]:
        """The point."""
        return self.x[0], self.y[0]

    def boxes(self) -> Iterator[tuple[float, Box]]:
        """Yield the cost of hiding each part, and its box: the marker, then the intervals, one point wide."""
        (x, left, right), (y, bottom, top) = self.x, self.y
        half = _MARKER / 2
        yield 8.0, (x - half, y - half, x + half, y + half)
        if math.isfinite(right - left):
            yield 0.7, (left, y - 0.5, right, y + 0.5)
        if math.isfinite(top - bottom):
            yield 0.7, (x - 0.5, bottom, x + 0.5, top)


@dataclass(frozen=True)
class Name:
    """The box of a name, and the point that it names."""

    box: Box
    at: tuple[float, float]

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def scatter_svg(points: Sequence[Point], *, x_label: str, y_label: str) -> str:
    """Draw the points that have both scores. The same numbers give the same bytes."""
    drawn = [point for point in points if math.isfinite(point.x[0]) and math.isfinite(point.y[0])]
    low, high = limits(drawn)
    with style.context(["default", {**figures._STYLE, "font.size": _FONT}]):
        figure, axes = figures._frame(
            round(_LEFT + _SIDE + _RIGHT),
            round(_TOP + _SIDE + _BOTTOM),
            left=_LEFT,
            right=_RIGHT,
            top=_TOP,
            bottom=_BOTTOM,
        )
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_yticks([tick for tick in axes.get_xticks() if low <= tick <= high])
        axes.set_xticks(axes.get_yticks())
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.plot([low, high], [low, high], color=GREY, linewidth=1.0, linestyle=":", zorder=1)
        for number, point in enumerate(drawn):
            _draw(axes, point, number)
        scale = _SIDE / (high - low)
        crosses = [Cross(_span(point.x, low, scale), _span(point.y, low, scale)) for point in drawn]
        for point, name in zip(drawn, place_names([each.name for each in drawn], crosses), strict=True):
            _write(axes, point, name)
        if not drawn:
            axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, color=MUTED, ha="center")
        return charts._with_names(figures._svg(figure), [point.name for point in drawn])


def limits(points: Sequence[Point]) -> tuple[float, float]:
    """Choose one range for both axes that hides no interval."""
    values = [value for point in points for value in (*point.x, *point.y) if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=100.0)
    room = 0.04 * ((high - low) or 1.0)
    return low - room, high + room


def _span(values: Span, low: float, scale: float) -> Span:
    value, bottom, top = ((each - low) * scale for each in values)
    return value, bottom, top


def place_names(names: Sequence[str], crosses: Sequence[Cross]) -> list[Name]:
    """Place the names, one after another."""
    found: list[Name] = []
    for name, cross in zip(names, crosses, strict=True):
        width = WIDE * _SMALL * len(charts._short(name, _LONGEST))
        choices = [Name(box, cross.at) for box in _around(cross.at, width=width, height=1.2 * _SMALL)]
        found.append(min(choices, key=lambda choice: _cost(choice, found, crosses)))
    return found


def _around(at: tuple[float, float], *, width: float, height: float) -> Iterator[Box]:
    """Yield boxes around a point, the nearest first, those to the right and left before those above and below."""
    x, y = at
    for gap in (_MARKER, _NEAR, 2 * _NEAR, 3 * _NEAR, 5 * _NEAR, 7 * _NEAR):
        for angle in (0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90):
            across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            left = x + gap * across - width * (1 - across) / 2
            bottom = y + gap * up - height * (1 - up) / 2
            yield left, bottom, left + width, bottom + height


def _cost(name: Name, others: Sequence[Name], crosses: Sequence[Cross]) -> float:
    """Return the cost of a place: what the name hides, names more than markers and intervals, and its distance."""
    hidden = 10 * sum(_overlap(name.box, other.box) for other in others)
    hidden += sum(worth * _overlap(name.box, box) for cross in crosses for worth, box in cross.boxes())
    left, bottom, right, top = name.box
    outside = max(0.0, -left) + max(0.0, -bottom) + max(0.0, right - _SIDE) + max(0.0, top - _SIDE)
    return hidden + 200 * outside + _gap(name)


def _gap(name: Name) -> float:
    """Return the distance from a point to the box of its name."""
    (x, y), (left, bottom, right, top) = name.at, name.box
    return math.hypot(max(left - x, 0.0, x - right), max(bottom - y, 0.0, y - top))


def _overlap(box: Box, other: Box) -> float:
    across = min(box[2], other[2]) - max(box[0], other[0])
    up = min(box[3], other[3]) - max(box[1], other[1])
    return max(across, 0.0) * max(up, 0.0)


def _draw(axes: Axes, point: Point, number: int) -> None:
    (x, x_low, x_high), (y, y_low, y_high), color = point.x, point.y, charts.color_of(point.slot)
    axes.plot([x_low, x_high], [y, y], color=color, linewidth=1.1, alpha=0.45, solid_capstyle="butt")
    axes.plot([x, x], [y_low, y_high], color=color, linewidth=1.1, alpha=0.45, solid_capstyle="butt")
    marker = charts.marker_of(point.slot)
    [drawn] = axes.plot(
        [x],
        [y],
        marker,
        color=color,
        markersize=1.5 * _MARKER if marker == "*" else _MARKER,  # a star looks smaller
        markeredgecolor=SURFACE,
        markeredgewidth=0.7,
        zorder=3,
    )
    drawn.set_url(f"#curve-{number}")


def _write(axes: Axes, point: Point, name: Name) -> None:
    low, high = axes.get_xlim()
    to_data = (high - low) / _SIDE
    color = charts.color_of(point.slot)
    x, y = (low + to_data * value for value in name.middle)
    if _gap(name) > _NEAR:
        edge = min(max(name.at[0], name.box[0]), name.box[2]), min(max(name.at[1], name.box[1]), name.box[3])
        ends = [[low + to_data * value for value in pair] for pair in zip(name.at, edge, strict=True)]
        axes.plot(*ends, color=color, linewidth=0.6, zorder=2)
    text = charts._short(point.name, _LONGEST)
    axes.text(x, y, text, color=color, fontsize=_SMALL, fontweight="bold", ha="center", va="center", zorder=4)
