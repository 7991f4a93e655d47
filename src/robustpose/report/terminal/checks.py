"""Prints the checks of annotation files and model specs, and the result of attacking one photo."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.data.check import Checked as CheckedFiles
from robustpose.metrics import Estimate
from robustpose.report.terminal.progress import interval, show_table, stdout
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
    show_table(table)
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


def print_photo(facts: Mapping[str, Any], people: Sequence[Sequence[Moved]]) -> None:
    """Print how far an attack on a photo moved each keypoint of a person, or what it did to several people.

    facts  the content of result.json
    """
    title = f"{facts['model']}, {facts['photo']}, {facts['attack']} at {facts['eps']}; truth: the clean prediction"
    if facts["weakness"]:
        _say(facts["weakness"])
    _say(title, style="italic")
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    if len(people) == 1:
        for column in ("keypoint", "moved, pixels", "% of the box", "correct"):
            table.add_column(column, no_wrap=True)
        for line in people[0]:
            still = ("yes" if line.correct else "no") + ("" if line.counted else ", not counted")
            table.add_row(line.keypoint, f"{line.moved:.1f}", f"{line.percent:.1f}", still)
    else:
        for column in ("box", "correct", "with a fresh box"):
            table.add_column(column, no_wrap=True)
        for each in facts["people"]:
            box = ",".join(f"{number:.0f}" for number in each["box"])
            table.add_row(box, f"{each['correct']} of {each['counted']}", f"{each['correct_fresh']:.1f}")
    show_table(table)
    fresh = facts["fresh_box"]
    _say(f"{facts['correct']} of {facts['counted']} keypoints are correct")
    if facts["targeted"]:
        _say(f"{facts['target_hit']} of {facts['target_asked']} keypoints reach the target pose")
    _say(
        f"{fresh['correct']:.1f} with a fresh box (mean of {fresh['boxes']} boxes, moved and resized by up to "
        f"{100 * fresh['jitter']:g}%; {fresh['correct_clean']:.1f} on the clean photo)"
    )
    if anew := facts["box_found_anew"]:
        _say(f"{anew['correct']} with the box detected again")
    for alarm in facts["alarms"]:
        _say(alarm)


def print_photos(facts: Mapping[str, Any]) -> None:
    """Print the result of a folder of photos: a line per photo, then all together."""
    if facts["weakness"]:
        _say(facts["weakness"])
    _say(f"{facts['model']}, {facts['folder']}, {facts['attack']} at {facts['eps']}", style="italic")
    table = RichTable(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("photo", "people", "correct", "fresh box", *(("target",) if facts["targeted"] else ())):
        table.add_column(column, no_wrap=column != "photo", overflow="fold")
    for each in facts["photos"]:
        correct = f"{each['correct']} of {each['counted']}"
        aimed = (f"{each['target_hit']} of {each['target_asked']}",) if facts["targeted"] else ()
        table.add_row(each["photo"], str(each["people"]), correct, f"{each['correct_fresh']:.1f}", *aimed)
    show_table(table)
    _say(
        f"{facts['kept']['text']} of the keypoints of {facts['people']} people stay correct, "
        f"{facts['kept_fresh']['text']} with a fresh box; 95% intervals over photos"
    )


def _say(text: str, *, style: str = "") -> None:
    stdout.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
