"""`robustpose attack` on a data set: prints the cost, attacks, and prints scores, alarms and a conclusion."""

import time
from dataclasses import asdict, replace
from pathlib import Path

import typer

from robustpose.analysis.alarms import watch_model
from robustpose.analysis.doubts import doubts_of
from robustpose.analysis.scores import estimates, outcome
from robustpose.cli.naming import folder_named
from robustpose.jobs.job import key_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Estimate
from robustpose.objectives import Margin
from robustpose.report import terminal
from robustpose.report.html.words import counted
from robustpose.report.stronger import stronger_than
from robustpose.studies.running import How, report_people_left_out, run_plan, say_where
from robustpose.study.cost import cost_of, duration
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, open_plan


def attack_people(
    study: Study, *, out: Path | None, quick: bool, how: How, fail_under: float | None, as_json: bool
) -> None:
    """Run a study of one model under one attack, and print it; exit code 1 if it fails `fail_under`."""
    started = time.perf_counter()
    plan = _fitting(open_plan(study), quick=quick)
    (setting,) = plan.study.settings
    folder = out or default_folder(plan)
    say_what_is_attacked(plan, folder, setting, device=how.device)
    ran = run_plan(plan, folder, how=how)
    found = [outcome(plan, ran.store, plan.models[0], each) for each in (None, setting)]
    report_people_left_out(plan, found)
    doubts = doubts_of(plan, ran.store)
    alarms = [*(each.alarm for each in doubts.watched), *watch_model(plan, ran.store, setting)]
    for alarm in alarms:
        terminal.say(alarm.line)
    scores = estimates(plan, found[0].table, found[1].table)
    if as_json:
        print(
            terminal.attack_json(
                plan,
                clean=found[0],
                attacked=found[1],
                cells=[key_of(cell) for cell in plan.all_cells()],
                seconds=time.perf_counter() - started,
                doubts=doubts,
                alarms=[alarm.line for alarm in alarms],
            )
        )
    else:
        terminal.print_results(plan, doubts.withheld(ran.rows))
        terminal.print_benchmark_tables(plan, clean=found[0], attacked=found[1])
        terminal.print_smallest(plan, found[1])
        terminal.print_conclusion(plan, ran.rows, doubts)
        terminal.print_why(plan, ran.store, doubts)
        say_where(folder)
    if fail_under is not None:
        _gate(scores["relative"][ALL], fail_under, withheld=bool(doubts.about(plan.models[0].name, setting)))


def default_folder(plan: Plan) -> Path:
    """Return the folder of an attack without --out: the options, and a hash of them, the weights and the data."""
    study = plan.study
    (setting,) = study.settings
    people = "all" if study.n is None else f"n{study.n}"
    parts = [study.models[0], study.data, Path(study.detections).stem, people, setting.title]
    asked = {
        **asdict(study),
        "title": "",
        "weights": plan.models[0].fingerprint,
        "people": plan.dataset.fingerprint,
    }
    return folder_named("attack", parts, of=asked)


def say_what_is_attacked(plan: Plan, folder: Path, setting: Setting, *, device: str = "cpu") -> None:
    """Print the maximum cost before an attack starts, and the stronger attack, if any."""
    if warning := setting.unused_budget():
        terminal.say(f"warning: {warning}")
    cost = cost_of(plan, Store(folder), plan.models[0], setting, device=device)
    if not cost.people:
        return
    thing = counted(cost.gradients, "gradient" if setting.spec.needs == "gradients" else "query")
    people = "1 person" if cost.people == 1 else f"{cost.people} people"
    hint = "; --quick takes 20" if setting.attack == "autopose" else ""
    terminal.say(f"{setting.title}: {people}, at most {thing} each, at most {duration(cost.seconds)} here{hint}")
    if stronger := stronger_than(setting):
        terminal.say(f"{setting.label} is weaker than {stronger}, the default attack")


def _fitting(plan: Plan, *, quick: bool) -> Plan:
    """Return a plan whose quick attack uses the training loss if the model's head has no margins."""
    if not quick or Margin.serves(plan.models[0].module.head):
        return plan
    settings = tuple(replace(each, objective="training_loss") for each in plan.study.settings)
    return replace(plan, study=replace(plan.study, settings=settings))


def _gate(relative: Estimate, least: float, *, withheld: bool) -> None:
    """Exit with code 1 if a relative score is withheld, undefined, or its whole interval lies below `least`."""
    if withheld or relative.n == 0 or relative.value != relative.value:
        terminal.say(f"failed: no relative score to compare with --fail-under {least:g}")
        raise typer.Exit(1)
    bound = relative.value if relative.high != relative.high else relative.high
    if bound < least:
        terminal.say(f"failed: the relative score {relative.value:.1f} is below --fail-under {least:g}")
        raise typer.Exit(1)
