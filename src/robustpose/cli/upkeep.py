"""Commands that keep stored results in order: status, verify, merge, prune, diff, export."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

FolderArgument = Annotated[str, typer.Argument(help="Folder or URL of a study")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")]


def show_status(folder: FolderArgument = "runs/quick", as_json: JsonOption = False) -> None:
    """Show how far a study is: done and missing by model and attack, and the time left as measured so far."""
    from robustpose.jobs.places import folder_of
    from robustpose.report import terminal
    from robustpose.upkeep.opened import open_run
    from robustpose.upkeep.status import status_of

    status = status_of(open_run(folder_of(folder)))
    if as_json:
        facts = {"done": status.done, "total": status.total, "seconds_left": status.seconds_left}
        print(json.dumps({**facts, **asdict(status)}, indent=2))
        return
    rows = [[line.model, line.attack, f"{line.done} of {line.total}"] for line in status.lines]
    terminal.print_rows(["model", "attack", "done"], rows)
    left = status.seconds_left
    time = "" if left is None else f"; {_duration(left)} of one worker left, as measured by this study's own jobs"
    terminal.stdout.print(
        f"{status.done} of {status.total} results are stored{time if status.passes_left else ''}"
    )
    if status.passes_left and status.last_command:
        terminal.stdout.print(f"to continue: {status.last_command}", soft_wrap=True)


def verify_run(folder: FolderArgument = "runs/quick", as_json: JsonOption = False) -> None:
    """Read every stored result: its checksum, its meaning, its fit with the others. Exit code 1 for damage."""
    from robustpose.jobs.places import folder_of
    from robustpose.jobs.store import Store
    from robustpose.report import terminal
    from robustpose.upkeep.verify import verify

    found = verify(Store(folder_of(folder)).place)
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        for name, what in found.damaged.items():
            terminal.stdout.print(f"damaged: {name}: {what}", highlight=False, soft_wrap=True)
        without = f", {found.unsealed} of them without a checksum (older formats)" if found.unsealed else ""
        terminal.stdout.print(f"{found.objects} objects read{without}; {len(found.damaged)} are damaged")
        if found.damaged:
            terminal.say("run the study again: damaged results are set aside and computed again")
    if found.damaged:
        raise typer.Exit(1)


def merge_runs(
    folders: Annotated[list[str], typer.Argument(help="Folders of one study, such as the shards of a job array")],
    out: Annotated[str, typer.Option(help="Folder or URL to put all results into; it may hold some already")],
) -> None:
    """Put the results of several folders into one; what it has already stays, and the sources are not changed."""
    from robustpose.jobs.places import folder_of
    from robustpose.report import terminal
    from robustpose.upkeep.merge import merge

    done = merge([folder_of(folder) for folder in folders], folder_of(out))
    other = f", {done.other} of them with other bytes" if done.other else ""
    terminal.stdout.print(f"{out}: {done.new} results copied, {done.there} were there{other}", soft_wrap=True)
    terminal.say("run the study's command without --shard and with this --out to finish it")


def prune_run(
    folder: FolderArgument = "runs/quick",
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, they are only listed")] = False,
) -> None:
    """List stored results that the study does not ask for; remove them with --yes."""
    from robustpose.jobs.places import folder_of
    from robustpose.report import terminal
    from robustpose.upkeep.opened import open_run
    from robustpose.upkeep.prune import prune, unasked

    run = open_run(folder_of(folder))
    names = unasked(run)
    for name, size in names.items():
        terminal.stdout.print(f"{name}  {size:,} bytes", highlight=False, soft_wrap=True)
    total = f"{len(names)} objects, {sum(names.values()) / 1e6:.1f} MB"
    if yes:
        prune(run, names)
        terminal.stdout.print(f"removed: {total}")
    else:
        terminal.stdout.print(
            f"not asked for by this study: {total}" + ("; remove them with --yes" if names else "")
        )


def diff_runs(
    before: Annotated[str, typer.Argument(help="Folder of the first study")],
    after: Annotated[str, typer.Argument(help="Folder of the second study")],
    as_json: JsonOption = False,
) -> None:
    """Compare two studies: versions, machines, scores, and whether a difference is more than noise."""
    from robustpose.jobs.places import folder_of
    from robustpose.report import terminal
    from robustpose.report.terminal.progress import interval
    from robustpose.upkeep.compare import compare_runs
    from robustpose.upkeep.opened import open_run

    found = compare_runs(open_run(folder_of(before)), open_run(folder_of(after)))
    if as_json:
        print(json.dumps(_known(asdict(found)), indent=2))
        return
    if found.facts:
        terminal.print_rows(["", before, after], [list(fact) for fact in found.facts])
    rows = []
    for each in found.scores:
        scores = [interval(e.value, e.low, e.high).strip() for e in (each.before, each.after, each.change)]
        rows.append([each.model, each.attack, each.eps, each.metric, *scores, each.verdict])
    terminal.print_rows(["model", "attack", "eps", "metric", "first", "second", "change, paired", ""], rows)
    for line in found.only:
        terminal.stdout.print(line, highlight=False, soft_wrap=True)


def export_run(
    folder: FolderArgument = "runs/quick",
    format: Annotated[str, typer.Option(help="parquet or csv")] = "parquet",
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: predictions.FORMAT in the folder")
    ] = None,
) -> None:
    """Write every prediction as one table: a row for each keypoint of each person under each attack."""
    from robustpose.jobs.places import folder_of
    from robustpose.report import terminal
    from robustpose.upkeep.export import export
    from robustpose.upkeep.opened import open_run

    path = out or folder_of(folder) / f"predictions.{format}"
    rows = export(open_run(folder_of(folder)), path, format=format)
    terminal.stdout.print(f"{path}: {rows} rows", highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _known(value: object) -> object:
    """Replace NaN by null, which JSON has."""
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
