"""`robustpose userstudy`: a page that asks people what they see, and the analysis of their answers."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from robustpose.cli.options import SeedOption
from robustpose.errors import RobustPoseError
from robustpose.jobs.store import write_atomically
from robustpose.report import terminal
from robustpose.study.plan import open_plan
from robustpose.study.saved import load_study, open_store
from robustpose.threats import format_eps
from robustpose.userstudy import (
    Analysis,
    Design,
    Rate,
    UserStudy,
    analyse,
    criterion,
    draw_trials,
    read_answers,
    read_stimuli,
    reading,
    rows_as_csv,
    write_page,
)

_DESIGN = Design()


def make_user_study(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study", metavar="STUDY")],
    out: Annotated[Path, typer.Option(help="Folder for index.html and trials.json")],
    net: Annotated[str, typer.Option(help="The net that was attacked")] = "shg2",
    attack: Annotated[str, typer.Option(help="As the study's results name it")] = "IGSM-U-10",
    trials: Annotated[int, typer.Option(help="Attacked pictures and controls together")] = _DESIGN.trials,
    controls: Annotated[
        float, typer.Option(help="The share of them that are noise of the same eps instead")
    ] = _DESIGN.controls,
    catch: Annotated[int, typer.Option(help="Catch trials, on top: glaring noise")] = _DESIGN.catch,
    seconds: Annotated[float, typer.Option(help="How long a pair is shown; 0: until answered")] = _DESIGN.seconds,
    scale: Annotated[int, typer.Option(help="Screen pixels a picture's pixel")] = _DESIGN.scale,
    seed: SeedOption = 0,
) -> None:
    """Write a page that asks people which of two pictures was tampered with."""
    design = Design(trials=trials, controls=controls, catch=catch, seconds=seconds, scale=scale, seed=seed)
    plan, store = open_plan(load_study(folder)), open_store(folder)
    made = draw_trials(read_stimuli(plan, store, net=net, attack=attack), design)
    page = write_page(made, out)
    _print_drawn(made)
    print(f"page:   {page}\ntrials: {out / 'trials.json'} (what each was: keep it from the participants)")


def analyse_user_study(
    answers: Annotated[list[Path], typer.Argument(help="Files that participants downloaded")],
    page: Annotated[
        Path | None, typer.Option(help="Folder of the page, to check every answer against its trials.json")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table as CSV")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead")] = False,
    seed: SeedOption = 0,
) -> None:
    """Analyse answers: the share right, d' and the eps at which people see the change."""
    found = analyse(read_answers(answers, page=page), seed=seed)
    if out is not None:
        if not out.parent.is_dir():
            raise RobustPoseError(f"{out.parent} is no folder to write {out.name} into")
        write_atomically(out, rows_as_csv(found.rates))
    if as_json:
        print(json.dumps(_as_json(found), indent=2, allow_nan=False))
    else:
        _print_findings(found)
    if out is not None:
        terminal.say(f"table: {out}")


def _print_drawn(study: UserStudy) -> None:
    table = _table(f"{study.stimuli.net}, {study.stimuli.attack}, {study.stimuli.data}\nstudy {study.fingerprint}")
    for column in ("kind", "eps", "trials", "left", "people", "rms change, levels"):
        table.add_column(column, no_wrap=True)
    groups = sorted({(trial.kind, trial.eps) for trial in study.trials})
    for kind, eps in groups:
        those = [trial for trial in study.trials if (trial.kind, trial.eps) == (kind, eps)]
        left = sum(trial.tampered == "left" for trial in those)
        size = sum(trial.rms for trial in those) / len(those)
        people = len({trial.person for trial in those})
        table.add_row(kind, format_eps(eps), str(len(those)), str(left), str(people), f"{size:.2f}")
    terminal.stdout.print(table, markup=False)
    for line in study.stimuli.without:
        terminal.say(f"not shown: {line}")


def _print_findings(found: Analysis) -> None:
    people = "participant" if found.participants == 1 else "participants"
    print(f"study {found.study}: {found.participants} {people}, {len(found.left_out)} left out ({criterion()})")
    for line in found.left_out:
        print(f"left out: {line}")
    for line in found.notes:
        print(f"note: {line}")
    table = _table(
        "Share right of two alternatives: guessing gives 50%\nn trials, 95% intervals over people or over trials"
    )
    for column in ("kind", "eps", "n", "people", "right, %", "d'", "over"):
        table.add_column(column, no_wrap=True)
    for rate in found.rates:
        table.add_row(*_line(rate))
    terminal.stdout.print(table, markup=False)
    for line in reading(found):
        print(line)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _line(rate: Rate) -> list[str]:
    return [
        rate.kind,
        format_eps(rate.eps),
        str(rate.trials),
        str(rate.participants),
        f"{rate.right:5.1f} [{rate.low:.1f}, {rate.high:.1f}]",
        f"{rate.d_prime:5.2f} [{rate.d_low:.2f}, {rate.d_high:.2f}]",
        "people" if rate.over == "participants" else rate.over,
    ]


def _as_json(found: Analysis) -> dict[str, object]:
    """Return everything; a threshold end that lies outside the tested eps is null, and `says` puts it in words."""
    thresholds = [
        {**asdict(each), **{name: _tested(getattr(each, name)) for name in ("value", "low", "high")}}
        for each in found.thresholds
    ]
    return {**asdict(found), "criterion": criterion(), "thresholds": thresholds, "says": reading(found)}


def _tested(eps: float) -> float | None:
    return None if math.isinf(eps) or eps == 0 else eps
