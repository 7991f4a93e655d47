"""Runs the validity study: computes and compares both sides, writes and prints the results."""

import math
from dataclasses import replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.analysis.alarms import watch_study
from robustpose.analysis.scores import outcome
from robustpose.metrics import ALL, Estimate
from robustpose.report import terminal
from robustpose.report.terminal.progress import show_table, stdout
from robustpose.studies.running import how_of, report_people_left_out, run_plan
from robustpose.studies.spec import StudySpec
from robustpose.studies.validity.comparison import Comparison, compare, write_comparison
from robustpose.studies.validity.page import write_validity
from robustpose.studies.validity.sides import PHOTOS, RENDERED, Validity, asked, open_sides
from robustpose.study.options import ComputedOptions

_PAIRS_SHOWN = 12
_WORDS = ("score", "attack", "eps", "tau", "tau if equal")


def run_validity(study: Validity, folder: Path, options: ComputedOptions) -> None:
    """Compute the missing jobs of both sides, each in its folder; write and print how the rankings agree."""
    sides = open_sides(study)
    how = replace(how_of(options), force=True)  # a side may be the folder of another study, whose jobs are taken
    ran = {side: run_plan(plan, folder / side, how=how) for side, plan in sides.items()}
    if not all(each.rows for each in ran.values()):
        print(f"this shard is done; after all shards, run the same command without --shard to finish {folder}")
        return
    for side, each in ran.items():
        report_people_left_out(
            each.plan, [outcome(each.plan, each.store, model, None) for model in each.plan.models]
        )
        for watched in watch_study(each.plan, each.store):
            terminal.say(f"{side}: {watched.line}")
    found = compare(sides, {side: each.store for side, each in ran.items()})
    write_comparison(found, folder)
    page = write_validity(study, sides, found, folder / "report")
    print_agreement(found, title=study.title)
    print(f"results: {folder / 'validity.csv'}, agreement.csv and offsets.csv beside it\npage:    {page}")


def print_agreement(found: Comparison, *, title: str) -> None:
    """Print the agreement of the two rankings for each score, and the misleading pairs of models."""
    sides = " and ".join(f"{found.data[side]} ({found.people[side]} people)" for side in (RENDERED, PHOTOS))
    lines = [line for line in found.lines if line.part == ALL]
    _say(
        f"{title}\n{len(found.models)} models on {sides}, {found.metric} over {found.joints} keypoints\n"
        "Kendall's tau-b, and tau expected if both rankings were equal, 95% intervals over people; eps in 255ths\n"
        f"Of {lines[0].found.pairs} pairs of models: those separated on rendered people (R), in photos (P), on "
        "both, and those of the latter in the same order",
        style="italic",
    )
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("score", "attack", "eps", "tau", "tau if equal", "R", "P", "both", "same"):
        table.add_column(column, no_wrap=True, justify="left" if column in _WORDS else "right")
    for line in lines:
        each, setting = line.found, line.setting
        attack, eps = ("", "") if setting is None else (setting.label, setting.budget.removesuffix("/255"))
        counts = (each.rendered, each.photos, each.both, each.agree)
        table.add_row(line.measure, attack, eps, _tau(each.tau), _span(each.one_order), *map(str, counts))
    show_table(table)
    misleading = found.misleading()
    for pair, scores in misleading[:_PAIRS_SHOWN]:
        said = ", ".join("clean" if s.setting is None else f"{s.measure} {s.setting.title}" for s in scores)
        _say(
            f"misleading: {pair.in_photos} is better than {pair.in_rendered} in photos, "
            f"worse on rendered people: {said}"
        )
    if len(misleading) > _PAIRS_SHOWN:
        _say(f"and {len(misleading) - _PAIRS_SHOWN} more pairs: see agreement.csv")


def _tau(tau: Estimate) -> str:
    return "-" if math.isnan(tau.value) else f"{tau.value:.2f} {_span(tau)}".rstrip(" -")


def _span(tau: Estimate) -> str:
    return "-" if math.isnan(tau.low) else f"[{tau.low:.2f}, {tau.high:.2f}]"


def _say(text: str, *, style: str = "") -> None:
    stdout.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


VALIDITY_SPEC = StudySpec(options=ComputedOptions, make=asked, run=run_validity)
