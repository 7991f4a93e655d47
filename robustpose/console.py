"""What people see while they wait and after: progress on stderr, tables and JSON on stdout."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable

from robustpose.data.check import Checked as CheckedFiles
from robustpose.findings import Found
from robustpose.metrics import ALL, Estimate, Table, is_ranked, mpii_table, score
from robustpose.selfcheck import Checked, Tried
from robustpose.skeletons import COCO_17
from robustpose.study import (
    CellProgress,
    Outcome,
    Plan,
    Row,
    Worth,
    estimates,
    has_detections,
    metric_of,
    official_estimates,
    official_name,
    smallest_curve,
)

stdout = Console()
stderr = Console(stderr=True)


@contextmanager
def cells_bar(title: str) -> Iterator[Callable[[CellProgress], None]]:
    """Show what is computed, how far it is and the time left."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TimeElapsedColumn(), console=stderr, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(progress: CellProgress) -> None:
            name = title if progress.cell is None else progress.cell.title
            bar.update(task, description=name, completed=progress.work, total=max(progress.total_work, 1))
            if progress.cell is None:
                bar.update(task, completed=max(progress.total_work, 1))

        yield show


@contextmanager
def steps_bar(title: str, *, total: int, silent: bool = False) -> Iterator["ShowSteps"]:
    """Show a count of things done, with a remark; nothing where silent."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=silent) as bar:
        task = bar.add_task(title, total=total)

        def show(done: int, remark: str, *, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total, description=f"{title} {remark}".rstrip())

        yield show


class ShowSteps(Protocol):
    """Tells a bar how many things are done, with a remark, and how many there are where that was not known."""

    def __call__(self, done: int, remark: str, *, total: int | None = None) -> None:
        """Show it."""
        ...


def say(text: str) -> None:
    """Print a line for people on stderr."""
    stderr.print(text, markup=False, highlight=False, soft_wrap=True)


_WIDE = 110
"""Columns from which the paper's numbers fit beside ours; the page always has them."""


def print_verdicts(found: Mapping[str, Found]) -> None:
    """Print what holds of the paper's claims, each with its effect and, where it fits, the paper's number."""
    table = RichTable(title="The paper's claims, here", box=SIMPLE_HEAD, title_justify="left")
    wide = stdout.width >= _WIDE
    for column in ("claim", "verdict", "effect", *(("paper",) if wide else ())):
        table.add_column(column, no_wrap=column == "verdict")
    for each in found.values():
        for verdict in each.verdicts:
            effect = "" if verdict.effect is None else _estimate(verdict.effect)
            table.add_row(verdict.claim, verdict.holds, effect, *((verdict.paper,) if wide else ()))
    stdout.print(table)
    for name, each in found.items():
        for remark in each.remarks:
            say(f"{name}: {remark}")


def _estimate(estimate: Estimate) -> str:
    places = 3 if max(abs(estimate.low), abs(estimate.high)) <= 1 else 1
    low, value, high = (f"{number:.{places}f}" for number in (estimate.low, estimate.value, estimate.high))
    return f"{value} [{low}, {high}], n = {estimate.n}"


def print_results(plan: Plan, rows: Sequence[Row]) -> None:
    """Print a study's scores by its metric and, where people have areas, COCO's average precision."""
    _print_scores(plan, [row for row in rows if row.metric.endswith(metric_of(plan).name)], over="n people")
    official = [row for row in rows if row.metric == official_name("AP")]
    if official:
        _print_scores(plan, official, over="photos")


def _print_scores(plan: Plan, rows: Sequence[Row], *, over: str) -> None:
    """Print a table: a line a setting, a column a net, each score with its interval."""
    shown = [row for row in rows if row.part == ALL and row.measure in ("clean", "relative", "target", "joints")]
    lines = dict.fromkeys((row.attack, row.eps, row.measure) for row in shown)
    names = [model.name for model in plan.models]
    cells = {(row.attack, row.eps, row.measure, row.model): row for row in shown}
    metric = next(row.metric for row in shown if row.measure == "clean")
    counts = {row.n for row in shown}
    same = len(counts) == 1  # then the title says it, and the table has one column less
    over = f"{next(iter(counts))} {over.removeprefix('n ')}" if same and over.startswith("n ") else over
    unit = "; eps in 255ths" if any(row.eps.endswith("/255") for row in shown if row.attack != "clean") else ""
    title = f"{plan.study.title}\n{plan.dataset.name}, {metric}, 95% intervals over {over}{unit}"
    stdout.print(
        title, style="italic", markup=False, highlight=False, soft_wrap=True
    )  # may be wider than the table
    table = RichTable(
        box=SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    for column in ("attack", "eps", "score, %", *names, *(() if same else ("n",))):
        table.add_column(column, no_wrap=True)
    between = "\n" if len(names) > 2 else " "  # so that four nets fit 80 columns
    for attack, eps, measure in lines:
        texts = [_interval_text(cells.get((attack, eps, measure, name)), between=between) for name in names]
        numbers = dict.fromkeys(str(cells[attack, eps, measure, name].n) for name in names)
        unrounded = not cells[attack, eps, measure, names[0]].rounded
        counted = () if same else (", ".join(numbers),)
        mark = " *" if unrounded else ""
        table.add_row(attack, eps.removesuffix("/255") + mark, measure, *texts, *counted)
    stdout.print(table, markup=False)
    if any(not row.rounded for row in shown):
        stdout.print("* under one 8-bit level: scored without rounding the pictures to 8 bits", highlight=False)


def print_checked(checked: CheckedFiles) -> None:
    """Print what was found of one annotation file, and where the data set comes from."""
    lines = [f"{checked.source.title}: {checked.file}"]
    lines += [f"  {what}: {number:,}" for what, number in checked.counts.items()]
    lines += [f"  left out, {line}" for line in checked.left_out]
    for finding in checked.findings:
        number = f"{finding.number:,} " if finding.examples or finding.kind == "note" else ""
        more = "; ..." if finding.number > len(finding.examples) else ""
        first = f": {'; '.join(finding.examples)}{more}" if finding.examples else ""
        lines.append(f"  {finding.kind}: {number}{finding.what}{first}")
    lines.append("  whole" if checked.whole else f"  get it {checked.source.get}")
    lines.append(f"  licence: {checked.source.licence}")
    stdout.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


class Moved(Protocol):
    """How far a keypoint of a photo moved."""

    @property
    def keypoint(self) -> str: ...  # noqa: D102
    @property
    def moved(self) -> float: ...  # noqa: D102
    @property
    def percent(self) -> float: ...  # noqa: D102
    @property
    def correct(self) -> bool: ...  # noqa: D102


def print_photo(facts: Mapping[str, Any], lines: Sequence[Moved]) -> None:
    """Print what an attack did to one photo: a line a keypoint."""
    title = f"{facts['model']}, {facts['photo']}, {facts['attack']} at {facts['eps']}; truth: the clean prediction"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("keypoint", "moved, pixels", "% of the box", "still there"):
        table.add_column(column, no_wrap=True)
    for line in lines:
        table.add_row(line.keypoint, f"{line.moved:.1f}", f"{line.percent:.1f}", "yes" if line.correct else "no")
    stdout.print(table, markup=False)
    stdout.print(f"{facts['correct']} of {facts['counted']} keypoints are still there", highlight=False)
    if anew := facts["box_found_anew"]:
        stdout.print(f"{anew['correct']} through the box that the net finds anew", highlight=False)


def print_mpii(tables: Mapping[str, Mapping[str, Estimate]], *, model: str) -> None:
    """Print MPII's official table of a net, a line clean and one under attack: percent, without intervals."""
    if not tables:
        return
    stdout.print(f"{model}, MPII's PCKh, %", style="italic", markup=False, highlight=False, soft_wrap=True)
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("", *next(iter(tables.values()))):
        table.add_column(column, no_wrap=True)
    for name, scores in tables.items():
        texts = ["-" if math.isnan(each.value) else f"{each.value:5.1f}" for each in scores.values()]
        table.add_row(name, *texts)
    stdout.print(table, markup=False)


def mpii_tables(plan: Plan, *, clean: Table, attacked: Table) -> dict[str, dict[str, Estimate]]:
    """Score MPII's people by its official table: {'clean' | 'attacked': {Head ... AUC}}; empty of other people."""
    if plan.dataset.name != "mpii" or metric_of(plan).unit != "head_size":
        return {}
    return {"clean": mpii_table(clean), "attacked": mpii_table(attacked)}


def print_check(found: Checked, *, model: str, data: str) -> None:
    """Print a card's check: the score of each reading of the net, and the mends, if any."""
    title = f"{model} on {data}, {found.metric}, 95% intervals over {found.people} people"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("read", "%", "change, points", "nearer, %"):
        table.add_column(column, no_wrap=True)
    for each in (found.before, *found.tried):
        change, nearer = _changes(found, each)
        table.add_row(each.variant.name, _of(each.score), _of(change), _of(nearer))
    stdout.print(table, markup=False)
    score = found.before.score
    if found.expected is not None:
        metric, value = found.expected
        verdict = "far under it" if found.far_under else "not far from it"
        if metric != found.metric:
            verdict = "another score"
        stdout.print(f"the card gives {metric} {value:g}: {verdict}", markup=False, highlight=False)
    for mend in found.mends:
        gain = mend.closer if mend.variant.kind == "place" else mend.change
        what = "% nearer" if mend.variant.kind == "place" else " points"
        stdout.print(f"likely mend: {mend.variant.mend}    # {_signed(gain)}{what}", markup=False, highlight=False)
    if found.mends:
        after = found.after.score
        stdout.print(f"with all mends {_of(after)} instead of {_of(score)}", markup=False, highlight=False)
    elif found.far_under:
        stdout.print(
            "none of these readings mends it; look at its stages, heatmap_size and skeleton", highlight=False
        )
    else:
        stdout.print("no mistake found", highlight=False)


def _changes(found: Checked, each: Tried) -> tuple[Estimate, Estimate]:
    """Return what decides of a reading: its change in points, or by how much keypoints are nearer."""
    nothing = Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)
    if each is found.before:
        return nothing, nothing
    return (nothing, each.closer) if each.variant.kind == "place" else (each.change, nothing)


def _of(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return ""
    return _interval(estimate.value, estimate.low, estimate.high).strip()


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


def print_smallest(plan: Plan, attacked: Outcome) -> None:
    """Print what an attack of least size found: the score left at every eps, and the median smallest, by part."""
    curve = smallest_curve(plan, attacked)
    if curve is None:
        return
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    setting = attacked.setting
    assert setting is not None
    unit = {"linf": "255ths", "l0": "pixels", "patch": "pixels of its side"}.get(
        setting.threat, setting.threat.upper()
    )
    scale = 255 if setting.threat == "linf" else 1
    written = [f"{eps * scale:.3g}" for eps in curve.eps]
    for column in ("keypoint", *written, "median", "n"):
        table.add_column(column, no_wrap=True, justify="left" if column == "keypoint" else "right")
    for line in curve.lines:
        median = "> eps" if math.isinf(line.median) else f"{line.median * scale:.3g}"
        table.add_row(line.part, *(f"{left:.1f}" for left in line.left), median, str(line.n))
    title = f"{metric_of(plan).name} left by perturbations up to eps, %; the median smallest eps; eps in {unit}"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    stdout.print(table, markup=False)


def print_worth(lines: Sequence[Worth], *, title: str) -> None:
    """Print the realism study: a table a data set and score, a line a net, with the difference from everything."""
    stdout.print(f"{title}, 95% intervals over n people", markup=False, highlight=False)
    for data, metric in dict.fromkeys((line.data, line.metric) for line in lines):
        table = RichTable(title=f"{data}, {metric}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in ("net", "%", "points", "n"):
            table.add_column(column, no_wrap=True)
        for line in lines:
            if (line.data, line.metric) == (data, metric):
                found = _interval(line.value, line.low, line.high)
                change = _interval(line.difference, line.difference_low, line.difference_high)
                known = not math.isnan(line.difference)
                table.add_row(line.net, found, change if known else "", str(line.n))
        stdout.print(table, markup=False)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table of words."""
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    stdout.print(table, markup=False)


def _interval_text(row: Row | None, *, between: str = " ") -> str:
    if row is None or math.isnan(row.value):
        return "-"
    return _interval(row.value, row.low, row.high).replace(" [", f"{between}[").strip()


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:5.1f} [{low:.1f}, {high:.1f}]"


def attack_json(
    plan: Plan,
    *,
    clean: Outcome,
    attacked: Outcome,
    cells: Sequence[str],
    seconds: float,
    alarms: Sequence[str] = (),
) -> str:
    """Write one attack's result as JSON; NaN is null."""
    setting = attacked.setting
    assert setting is not None
    scores = estimates(plan, clean.table, attacked.table, each_joint=attacked.each_joint)
    before = score(clean.table, metric_of(plan))
    parts = [part for part in before if part != ALL and before[part].n > 0]
    content: dict[str, object] = {
        "model": attacked.model.name,
        "data": plan.dataset.name,
        "n": len(clean.table),
        "metric": metric_of(plan).name,
        "attack": setting.label,
        "threat": setting.threat,
        "eps": setting.budget,
        "steps": setting.numbers.get("steps", 1),
        "targeted": setting.targeted,
        "objective": setting.objective,
        "search": setting.search,
        "rounded_to_8bit": setting.round_to_8bit,
        "seed": plan.study.seed,
        "clean": _as_json(before[ALL]),
        **{measure: _as_json(by_part[ALL]) for measure, by_part in scores.items()},
        "per_joint": {
            part: {
                "clean": _as_json(before[part]),
                **{measure: _as_json(by_part[part]) for measure, by_part in scores.items()},
            }
            for part in parts
        },
        **_official_json(plan, clean=clean.table, attacked=attacked.table),
        **_mpii_json(plan, clean=clean.table, attacked=attacked.table),
        **_curve_json(plan, attacked),
        "forwards": attacked.forwards,
        "backwards": attacked.backwards,
        "alarms": list(alarms),
        "unreadable": list(attacked.unreadable),
        "left_out": list(plan.dataset.left_out),
        "seconds": round(seconds, 3),
        "cells": list(cells),
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _official_json(plan: Plan, *, clean: Table, attacked: Table) -> dict[str, object]:
    """Write COCO's official scores by name; nothing where nobody has an area."""
    scores = official_estimates(plan, clean, attacked)
    if not scores:
        return {}
    by_name = {
        name: {measure: _as_json(by_score[name]) for measure, by_score in scores.items()}
        for name in scores["clean"]
    }
    keypoints = len(plan.joints.intersection(COCO_17.keypoints))
    boxes = "detected" if has_detections(plan) else "true"
    return {"oks": {"keypoints": keypoints, "boxes": boxes, "ranked": is_ranked(clean), **by_name}}


def _mpii_json(plan: Plan, *, clean: Table, attacked: Table) -> dict[str, object]:
    """Write MPII's official table; nothing of other people."""
    tables = mpii_tables(plan, clean=clean, attacked=attacked)
    if not tables:
        return {}
    return {
        "mpii": {when: {name: _as_json(each) for name, each in table.items()} for when, table in tables.items()}
    }


def _curve_json(plan: Plan, attacked: Outcome) -> dict[str, object]:
    """Write the curve of an attack of least size; nothing for other attacks; infinite is null."""
    curve = smallest_curve(plan, attacked)
    if curve is None:
        return {}
    lines = {
        line.part: {
            "left": [round(left, 3) for left in line.left],
            "median": None if math.isinf(line.median) else line.median,
            "n": line.n,
        }
        for line in curve.lines
    }
    return {"smallest": {"eps": list(curve.eps), "by_part": lines}}


def _as_json(estimate: Estimate) -> dict[str, float | int | None]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else round(value, 3)
        for name, value in asdict(estimate).items()
    }
