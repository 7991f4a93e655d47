"""The result of attacking one model, as a table and a figure, for notebooks and the Python prompt."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.scores import Outcome, Row
from robustpose.jobs.setting import Setting
from robustpose.metrics import ALL
from robustpose.report.html import words
from robustpose.report.html.figures import GRID, INK, MUTED, SERIES
from robustpose.report.html.pictures import amplify, draw_pose
from robustpose.report.stronger import weakness
from robustpose.study.plan import Plan, metric_of

_COLUMNS = ("attack", "eps", "score", "value", "n")
_PEOPLE = 3
_STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def summary_rows(rows: Sequence[Row]) -> list[tuple[str, str, str, str, str]]:
    """Return the table's rows: attack, eps, name of the score, value with interval, n."""
    shown = [row for row in rows if row.part == ALL and not math.isnan(row.value)]
    return [
        (
            row.attack + ("" if row.rounded else " *"),
            "" if row.attack == "clean" else row.eps,
            f"{row.measure} {row.metric.removeprefix('target ')}",
            _with_interval(row),
            str(row.n),
        )
        for row in shown
        if not row.metric.startswith(("OKS", "mean OKS")) or row.metric in ("OKS AP", "mean OKS")
    ]


def _with_interval(row: Row) -> str:
    span = "no interval" if math.isnan(row.low) or math.isnan(row.high) else f"[{row.low:.1f}, {row.high:.1f}]"
    return f"{row.value:.1f} {span}"


def as_text(plan: Plan, rows: Sequence[Row], doubts: Doubts | None = None) -> str:
    """Write the scores as a table of text, in percent with 95% intervals; `doubts` withholds some."""
    doubts = doubts or Doubts()
    rows = doubts.withheld(rows)
    lines = [_COLUMNS, *summary_rows(rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    table = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    title = f"{_title(plan)}, in percent, 95% intervals over n people"
    return "\n".join([*_weak(plan), title, *table, *_notes(plan, rows, doubts)])


def as_html(plan: Plan, rows: Sequence[Row], doubts: Doubts | None = None) -> str:
    """Write the scores as an HTML table; without those that `doubts` withholds."""
    doubts = doubts or Doubts()
    rows = doubts.withheld(rows)
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in line) + "</tr>" for line in summary_rows(rows)
    )
    weak = "".join(f"<p>{escape(note)}</p>" for note in _weak(plan))
    notes = "".join(f"<p>{escape(note)}</p>" for note in _notes(plan, rows, doubts))
    caption = f"{escape(_title(plan))}, in percent, 95% intervals over n people"
    table = f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{weak}{table}{notes}"


def _title(plan: Plan) -> str:
    return f"{plan.models[0].name} on {plan.dataset.name}"


def _weak(plan: Plan) -> list[str]:
    """Return the line above the table with the stronger attack, if there is one."""
    weak = weakness(plan.study, plan.study.models[0])
    return [weak] if weak else []


def _notes(plan: Plan, rows: Sequence[Row], doubts: Doubts) -> list[str]:
    """Return the lines below the table: unused budgets, alarms, missing rounding."""
    unused = dict.fromkeys(warning for each in plan.study.settings if (warning := each.unused_budget()))
    unrounded = any(not row.rounded for row in rows)
    rounding = ["* eps below one 8-bit level: scored without rounding the images to 8 bits"] if unrounded else []
    return [*unused, *(each.line for each in doubts.watched), *rounding]


def summary_figure(plan: Plan, rows: Sequence[Row], clean: Outcome, attacked: Outcome) -> Figure:
    """Draw clean and attacked scores by body part, and a few people clean, attacked and with the perturbation."""
    people = min(_PEOPLE, len(attacked.shown.pictures.adversarial), len(attacked.shown.table))
    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(9.5, 1.2 + 2.1 * max(people, 1)), layout="constrained")
        grid = figure.add_gridspec(max(people, 1), 4, width_ratios=(1.7, 1, 1, 1))
        setting = attacked.setting
        assert setting is not None
        _draw_parts(figure.add_subplot(grid[:, 0]), plan, rows, setting)
        for row in range(people):
            axes = [figure.add_subplot(grid[row, column]) for column in (1, 2, 3)]
            _draw_person(axes, clean, attacked, row, titled=row == 0)
        figure.suptitle(f"{_title(plan)}: {setting.title}", fontsize=11)
    return figure


def _draw_parts(axes: Axes, plan: Plan, rows: Sequence[Row], setting: Setting) -> None:
    """Draw the clean and the attacked score of each body part as bars."""
    metric = metric_of(plan).name
    clean = {row.part: row for row in rows if row.measure == "clean" and row.metric == metric}
    same = [
        row for row in rows if row.measure == "attacked" and row.metric == metric and row.attack == setting.label
    ]
    attacked = {row.part: row for row in same if row.eps == same[-1].eps}
    parts = [part for part in clean if part in attacked and math.isfinite(clean[part].value)]
    for shift, found, color in ((-0.2, clean, GRID), (0.2, attacked, SERIES[1])):
        values = [found[part].value for part in parts]
        around = [
            [found[part].value - found[part].low for part in parts],
            [found[part].high - found[part].value for part in parts],
        ]
        places = np.arange(len(parts)) + shift
        bars = np.nan_to_num(np.array(around)).clip(min=0)
        axes.barh(
            places, values, 0.38, xerr=bars, color=color, ecolor=MUTED, label="clean" if shift < 0 else "attacked"
        )
    axes.set_yticks(range(len(parts)), [words.spoken(part) for part in parts])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"{metric}, %", color=MUTED)
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def _draw_person(axes: Sequence[Axes], clean: Outcome, attacked: Outcome, row: int, *, titled: bool) -> None:
    before, after = clean.shown.table, attacked.shown.table
    pictures, skeleton = attacked.shown.pictures, after.skeleton
    setting = attacked.setting
    assert setting is not None
    if setting.spec.moves_truth:
        moved = draw_pose(pictures.adversarial[row], after.keypoints[row], skeleton, shown=after.visible[row])
        last = ("moved ground truth", moved)
    else:
        change = amplify(pictures.clean[row], pictures.adversarial[row], eps=setting.eps)
        last = (f"perturbation x {change.factor}", change.image)
    tiles = (
        ("clean", draw_pose(pictures.clean[row], before.predicted[row], skeleton)),
        ("attacked", draw_pose(pictures.adversarial[row], after.predicted[row], skeleton)),
        last,
    )
    for each, (title, picture) in zip(axes, tiles, strict=True):
        each.imshow(picture)
        each.set_axis_off()
        if titled:
            each.set_title(title, fontsize=9, color=MUTED)
