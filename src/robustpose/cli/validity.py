"""The validity study as a command: both sides computed, then set beside each other."""

from pathlib import Path

from robustpose.analysis.alarms import watch_study
from robustpose.analysis.scores import outcome
from robustpose.cli.running import How, report_people_left_out, run_plan
from robustpose.report import html, terminal
from robustpose.studies.validity.comparison import compare, write_comparison
from robustpose.studies.validity.sides import Validity, open_sides


def compare_orders(study: Validity, folder: Path, *, how: How, reuse: bool) -> None:
    """Compute what both sides lack, each in its folder, then write and print how far their orders agree."""
    sides = open_sides(study)
    ran = {side: run_plan(plan, folder / side, how=how, reuse=reuse) for side, plan in sides.items()}
    if not all(each.rows for each in ran.values()):
        print(f"this shard is done; when all are, the same command without --shard finishes {folder}")
        return
    for side, each in ran.items():
        report_people_left_out(each.plan, [outcome(each.plan, each.store, net, None) for net in each.plan.models])
        for watched in watch_study(each.plan, each.store):
            terminal.say(f"{side}: {watched.line}")
    found = compare(sides, {side: each.store for side, each in ran.items()})
    write_comparison(found, folder)
    page = html.write_validity(study, sides, found, folder / "report")
    terminal.print_agreement(found, title=study.title)
    print(f"results: {folder / 'validity.csv'}, agreement.csv and offsets.csv beside it\npage:    {page}")
