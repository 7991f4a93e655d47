"""Prints the checks of annotation files and model specs, and the result of attacking one photo."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.data.check import Checked as CheckedFiles
from robustpose.metrics import Estimate
from robustpose.report.terminal.progress import interval, stdout
from robustpose.selfcheck import Checked, Tried


def print_checked(checked: CheckedFiles) -> None:
    """Print the result of checking one annotation file, and the source of the data set."""
    lines = [f"{checked.source.title}: {checked.file}"]
    lines += [f"  {what}: {number:,}" for what, number in checked.counts.items()]
    lines += [f"  excluded, {line}" for line in checked.left_out]
    for finding in checked.findings:
        number = f"{finding.number:,} " if finding.examples or finding.kind == "note" else ""
        more = "; ..." if finding.number > len(finding.examples) else ""
        first = f": {'; '.join(finding.examples)}{more}" if finding.examples else ""
        lines.append(f"  {finding.kind}: {number}{finding.what}{first}")
    lines.append("  complete" if checked.whole else f"  get it {checked.source.get}")
    lines.append(f"  licence: {checked.source.licence}")
    stdout.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def print_check(found: Checked, *, model: str, data: str) -> None:
    """Print the check of a model spec: the score of each variant, and the likely fixes."""
    title = f"{model} on {data}, {found.metric}, 95% intervals over {found.people} people"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("variant", "%", "change, points", "error reduction, %"):
        table.add_column(column, no_wrap=True)
    for each in (found.before, *found.tried):
        change, nearer = _changes(found, each)
        table.add_row(each.variant.name, _of(each.score), _of(change), _of(nearer))
    stdout.print(table, markup=False)
    score = found.before.score
    if found.expected is not None:
        metric, value = found.expected
        verdict = (
            "the measured score is far below it" if found.far_under else "the measured score is not far below it"
        )
        if metric != found.metric:
            verdict = "not comparable, another metric"
        stdout.print(f"the spec gives {metric} {value:g}: {verdict}", markup=False, highlight=False)
    for mend in found.mends:
        gain = mend.closer if mend.variant.kind == "place" else mend.change
        what = "% less error" if mend.variant.kind == "place" else " points"
        stdout.print(f"likely fix: {mend.variant.mend}    # {_signed(gain)}{what}", markup=False, highlight=False)
    if found.mends:
        after = found.after.score
        stdout.print(f"with all fixes: {_of(after)} instead of {_of(score)}", markup=False, highlight=False)
    for alarm in found.useless:
        stdout.print(alarm.line, markup=False, highlight=False, soft_wrap=True)
    if found.mends or found.useless:
        return
    if found.far_under:
        stdout.print("none of these variants fixes it; check stages, heatmap_size and skeleton", highlight=False)
    else:
        stdout.print("no mistake found", highlight=False)


def _changes(found: Checked, each: Tried) -> tuple[Estimate, Estimate]:
    """Return the quantity that decides on a variant: its change in points, or the error reduction."""
    nothing = Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)
    if each is found.before:
        return nothing, nothing
    return (nothing, each.closer) if each.variant.kind == "place" else (each.change, nothing)


def _of(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return ""
    return interval(estimate.value, estimate.low, estimate.high).strip()


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


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
    @property
    def counted(self) -> bool: ...  # noqa: D102


def print_photo(facts: Mapping[str, Any], lines: Sequence[Moved]) -> None:
    """Print how far an attack on a photo moved each keypoint."""
    title = f"{facts['model']}, {facts['photo']}, {facts['attack']} at {facts['eps']}; truth: the clean prediction"
    stdout.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("keypoint", "moved, pixels", "% of the box", "correct"):
        table.add_column(column, no_wrap=True)
    for line in lines:
        still = ("yes" if line.correct else "no") + ("" if line.counted else ", not counted")
        table.add_row(line.keypoint, f"{line.moved:.1f}", f"{line.percent:.1f}", still)
    stdout.print(table, markup=False)
    stdout.print(f"{facts['correct']} of {facts['counted']} keypoints are correct", highlight=False)
    if anew := facts["box_found_anew"]:
        stdout.print(f"{anew['correct']} with the box detected again", highlight=False)
