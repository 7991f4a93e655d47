"""`robustpose userstudy`: make a page for a user study, and analyse the answers of its participants."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustpose.cli.catalogue import literal
from robustpose.cli.options import SeedOption
from robustpose.errors import RobustPoseError

if TYPE_CHECKING:
    from robustpose.userstudy import Analysis

_DESIGN: dict[str, Any] = literal("robustpose.userstudy.trials", "Design")


def make_user_study(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study", metavar="STUDY")],
    out: Annotated[Path, typer.Option(help="Folder to write index.html and trials.json to")],
    model: Annotated[str, typer.Option("--model", "--net", help="The model that was attacked")] = "shg2",
    attack: Annotated[str, typer.Option(help="The attack, as named in results.csv")] = "IGSM-U-10",
    trials: Annotated[int, typer.Option(help="Number of trials: attacked images and controls together")] = _DESIGN[
        "trials"
    ],
    controls: Annotated[
        float,
        typer.Option(help="Fraction of trials that are controls: noise of the same eps instead of an attack"),
    ] = _DESIGN["controls"],
    catch: Annotated[int, typer.Option(help="Number of additional catch trials, with obvious noise")] = _DESIGN[
        "catch"
    ],
    seconds: Annotated[float, typer.Option(help="Seconds for which a pair is shown; 0: until answered")] = _DESIGN[
        "seconds"
    ],
    scale: Annotated[int, typer.Option(help="Screen pixels per image pixel")] = _DESIGN["scale"],
    seed: SeedOption = 0,
) -> None:
    """Write a page that asks people which of two images was modified."""
    from robustpose.report import terminal
    from robustpose.study.saved import reopen
    from robustpose.userstudy import Design, draw_trials, read_stimuli, write_page

    design = Design(trials=trials, controls=controls, catch=catch, seconds=seconds, scale=scale, seed=seed)
    plan, store = reopen(folder)
    made = draw_trials(read_stimuli(plan, store, model=model, attack=attack), design)
    page = write_page(made, out)
    terminal.print_trials(made)
    print(f"page:   {page}\ntrials: {out / 'trials.json'} (the answer key: do not show it to participants)")


def analyse_user_study(
    answers: Annotated[list[Path], typer.Argument(help="Answer files that participants downloaded from the page")],
    page: Annotated[
        Path | None, typer.Option(help="Folder of the page; checks every answer against its trials.json")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write the table to")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")] = False,
    seed: SeedOption = 0,
) -> None:
    """Analyse answers: fraction correct, d' and the eps at which people see the change."""
    from robustpose.folders import write_atomically
    from robustpose.report import terminal
    from robustpose.report.terminal.userstudy import rows_as_csv
    from robustpose.userstudy import analyse, read_answers

    found = analyse(read_answers(answers, page=page), seed=seed)
    if out is not None:
        if not out.parent.is_dir():
            raise RobustPoseError(f"cannot write {out.name}: {out.parent} is not a folder")
        write_atomically(out, rows_as_csv(found.rates))
    if as_json:
        print(json.dumps(_as_json(found), indent=2, allow_nan=False))
    else:
        terminal.print_answers(found)
    if out is not None:
        terminal.say(f"table: {out}")


def _as_json(found: "Analysis") -> dict[str, object]:
    """Return the analysis; threshold values outside the tested eps are null, and `says` explains them."""
    from robustpose.report.terminal.userstudy import criterion, reading

    thresholds = [
        {**asdict(each), **{name: _tested(getattr(each, name)) for name in ("value", "low", "high")}}
        for each in found.thresholds
    ]
    return {**asdict(found), "criterion": criterion(), "thresholds": thresholds, "says": reading(found)}


def _tested(eps: float) -> float | None:
    return None if math.isinf(eps) or eps == 0 else eps
