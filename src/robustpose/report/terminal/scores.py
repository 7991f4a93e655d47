"""Prints tables of scores and verdicts."""

import math
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.minimum_norm import smallest_curve
from robustpose.analysis.scores import Outcome, Row, headlines, main_names
from robustpose.findings import Found
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Estimate, TableOf, metrics_beside
from robustpose.report.html.why import why
from robustpose.report.terminal.conclusion import conclusion
from robustpose.report.terminal.progress import interval, show_table, stdout
from robustpose.study.plan import Plan, metric_of
from robustpose.threats import THREATS

_WIDE = 110
"""Terminal width from which the paper's numbers are printed, too; the page always shows them."""


def print_verdicts(found: Mapping[str, Found]) -> None:
    """Print the verdict on each claim of the paper with its effect and, on wide terminals, the paper's number."""
    table = RichTable(title="The paper's claims", box=SIMPLE_HEAD, title_justify="left")
    wide = stdout.width >= _WIDE
    for column in ("claim", "verdict", "effect", *(("paper",) if wide else ())):
        table.add_column(column, no_wrap=column == "verdict")
    for each in found.values():
        for verdict in each.verdicts:
            effect = "" if verdict.effect is None else _estimate(verdict.effect)
            table.add_row(verdict.claim, verdict.holds, effect, *((verdict.paper,) if wide else ()))
    show_table(table)
    if any(each.remarks for each in found.values()):
        stdout.print("See report/findings.html for notes.", markup=False, highlight=False)


def _estimate(estimate: Estimate) -> str:
    places = 3 if max(abs(estimate.low), abs(estimate.high)) <= 1 else 1
    low, value, high = (f"{number:.{places}f}" for number in (estimate.low, estimate.value, estimate.high))
    return f"{value} [{low}, {high}], n = {estimate.n}"


def print_results(plan: Plan, rows: Sequence[Row]) -> None:
    """Print a study's scores by its main metric, then the first number of each other one, such as OKS AP."""
    _print_scores(plan, [row for row in rows if row.metric in main_names(plan)], over="n people")
    for name, metric in headlines(plan, rows).items():
        over = "photos" if metric.redraws == "photos" else "n people"
        _print_scores(plan, [row for row in rows if row.metric == name], over=over)


def _print_scores(plan: Plan, rows: Sequence[Row], *, over: str) -> None:
    """Print scores with intervals: one row for each setting, one column for each model."""
    shown = [row for row in rows if row.part == ALL and row.measure in ("clean", "relative", "target", "joints")]
    lines = dict.fromkeys((row.attack, row.eps, row.measure) for row in shown)
    names = [model.name for model in plan.models]
    cells = {(row.attack, row.eps, row.measure, row.model): row for row in shown}
    metric = next(row.metric for row in shown if row.measure == "clean")
    counts = {row.n for row in shown}
    same = len(counts) == 1  # then n is in the title and not in a column
    if same and over.startswith("n "):
        n = next(iter(counts))
        over = "1 person" if n == 1 else f"{n} {over.removeprefix('n ')}"
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
    between = "\n" if len(names) > 2 else " "  # so that four models fit 80 columns
    for attack, eps, measure in lines:
        texts = [_interval_text(cells.get((attack, eps, measure, name)), between=between) for name in names]
        numbers = dict.fromkeys(str(cells[attack, eps, measure, name].n) for name in names)
        unrounded = not cells[attack, eps, measure, names[0]].rounded
        counted = () if same else (", ".join(numbers),)
        mark = " *" if unrounded else ""
        table.add_row(attack, eps.removesuffix("/255") + mark, measure, *texts, *counted)
    show_table(table)
    if any(not row.rounded for row in shown):
        stdout.print("* eps below one 8-bit level: scored without rounding the images to 8 bits", highlight=False)


def print_conclusion(plan: Plan, rows: Sequence[Row], doubts: Doubts) -> None:
    """Print what a study's scores say, in two or three sentences."""
    for sentence in conclusion(plan.study, rows, doubts):
        stdout.print(sentence, markup=False, highlight=False, soft_wrap=True)


def print_why(plan: Plan, store: Store, doubts: Doubts) -> None:
    """Print which factors of the data go with failure, in three sentences; nothing if the data have none."""
    for sentence in why(plan, store, doubts)[0]:
        stdout.print(sentence, markup=False, highlight=False, soft_wrap=True)


def print_benchmark_tables(plan: Plan, *, clean: Outcome, attacked: Outcome) -> None:
    """Print a benchmark's table, such as MPII's, clean and attacked, in percent without intervals."""
    for metric in metrics_beside(plan.metric, clean.table).values():
        if not isinstance(metric, TableOf):
            continue
        scores = {when: metric(each.table) for when, each in (("clean", clean), ("attacked", attacked))}
        title = f"{clean.model.name}, {metric.title}, %"
        stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
        table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
        for column in ("", *scores["clean"]):
            table.add_column(column, no_wrap=True)
        for when, numbers in scores.items():
            table.add_row(when, *("-" if math.isnan(each) else f"{each:5.1f}" for each in numbers.values()))
        show_table(table)


def print_smallest(plan: Plan, attacked: Outcome) -> None:
    """Print the result of a minimum-norm attack by part: the score at every eps, and the median smallest eps."""
    curve = smallest_curve(plan, attacked)
    if curve is None:
        return
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    setting = attacked.setting
    assert setting is not None
    threat = THREATS[setting.threat]
    written = [f"{eps * threat.scale:.3g}" for eps in curve.eps]
    for column in ("keypoint", *written, "median", "n"):
        table.add_column(column, no_wrap=True, justify="left" if column == "keypoint" else "right")
    for line in curve.lines:
        median = "> eps" if math.isinf(line.median) else f"{line.median * threat.scale:.3g}"
        table.add_row(line.part, *(f"{left:.1f}" for left in line.left), median, str(line.n))
    title = f"{metric_of(plan).name} under perturbations up to eps, %; median smallest eps; eps in {threat.unit}"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    show_table(table)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table of text."""
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    show_table(table)


def _interval_text(row: Row | None, *, between: str = " ") -> str:
    if row is None or math.isnan(row.value):
        return "-"
    return interval(row.value, row.low, row.high).strip().replace(" [", f"{between}[")
