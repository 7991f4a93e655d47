"""The validity study's table, on stdout."""

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from robustpose.console.progress import stdout
from robustpose.metrics import ALL
from robustpose.study import PHOTOS, RENDERED, Comparison

_PAIRS_SHOWN = 12


def print_agreement(found: Comparison, *, title: str) -> None:
    """Print how far the two orders agree, a line a score, and the pairs of nets that mislead."""
    sides = " and ".join(f"{found.data[side]} ({found.people[side]} people)" for side in (RENDERED, PHOTOS))
    stdout.print(
        f"{title}\n{len(found.nets)} nets on {sides}, PCK@0.1 over {found.joints} keypoints\n"
        "Kendall's tau-b with 95% intervals over people; pairs of nets that each side tells apart",
        style="italic",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("score", "attack", "eps", "tau", RENDERED, PHOTOS, "both", "same order"):
        numbers = column in (RENDERED, PHOTOS, "both", "same order")
        table.add_column(column, no_wrap=True, justify="right" if numbers else "left")
    whole = [line for line in found.lines if line.part == ALL]
    for line in whole:
        each, setting = line.found, line.setting
        tau = "-" if each.tau.value != each.tau.value else f"{each.tau.value:.2f}"
        if each.tau.low == each.tau.low:
            tau += f" [{each.tau.low:.2f}, {each.tau.high:.2f}]"
        attack, eps = ("", "") if setting is None else (setting.label, setting.budget)
        counts = (each.rendered, each.photos, each.both, each.agree)
        table.add_row(line.measure, attack, eps, tau, *map(str, counts))
    stdout.print(table, markup=False)
    misleading = found.misleading()
    for pair, lines in misleading[:_PAIRS_SHOWN]:
        said = ", ".join(
            "clean" if line.setting is None else f"{line.measure} {line.setting.title}" for line in lines
        )
        stdout.print(
            f"misleads: {pair.in_photos} is ahead of {pair.in_rendered} in photos, behind on rendered: {said}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if len(misleading) > _PAIRS_SHOWN:
        stdout.print(f"and {len(misleading) - _PAIRS_SHOWN} pairs more: see agreement.csv", highlight=False)
