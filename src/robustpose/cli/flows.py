"""How each kind of study runs from the command line: what it computes and prints."""

import re
from pathlib import Path
from typing import Any

from robustpose.analysis.alarms import watch_study
from robustpose.analysis.scores import outcome
from robustpose.cli.running import How, report_people_left_out, run_plan, run_study, say_where
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.jobs.ray import RayEngine
from robustpose.jobs.run import LocalEngine, Shard
from robustpose.report import html, terminal
from robustpose.studies.realism import Realism, run_realism
from robustpose.studies.spec import StudySpec
from robustpose.studies.validity.comparison import compare, write_comparison
from robustpose.studies.validity.sides import Validity, open_sides
from robustpose.study.definition import Study
from robustpose.study.options import ComputedOptions


def run_named(spec: StudySpec[Any], options: Any, folder: Path) -> None:
    """Run or resume the study given by the options, and print the results."""
    how = how_of(options) if isinstance(options, ComputedOptions) else How()
    reuse = isinstance(options, ComputedOptions) and options.reuse
    study = spec.make(options)
    for line in spec.remarks(options):
        terminal.say(line)
    if isinstance(study, Realism):
        train_without_ingredients(study, folder)
    elif isinstance(study, Validity):
        compare_orders(study, folder, how=how, reuse=reuse)
    else:
        decide(study, folder, how=how, reuse=reuse)


def decide(study: Study, folder: Path, *, how: How, reuse: bool) -> None:
    """Compute a study of attacks and findings, and print its scores and verdicts."""
    ran = run_study(study, folder, how=how, reuse=reuse)
    plan = ran.plan
    if study.tasks and not plan.tasks:
        terminal.say(f"left out: models of other tasks, because {plan.dataset.name} has no action and part labels")
    if not ran.rows:
        shard = f"{how.shard.index}/{how.shard.count}"
        print(f"shard {shard} is done; after all shards, run the same command without --shard to finish {folder}")
        return
    report_people_left_out(plan, [outcome(plan, ran.store, model, None) for model in plan.models])
    terminal.print_results(plan, ran.rows)
    if ran.found:
        terminal.print_verdicts(ran.found)
    for watched in watch_study(plan, ran.store):
        terminal.say(watched.line)
    terminal.print_conclusion(plan, ran.rows)
    say_where(folder)


def compare_orders(study: Validity, folder: Path, *, how: How, reuse: bool) -> None:
    """Compute the missing cells of both sides, each in its folder; write and print how their rankings agree."""
    sides = open_sides(study)
    ran = {side: run_plan(plan, folder / side, how=how, reuse=reuse) for side, plan in sides.items()}
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
    page = html.write_validity(study, sides, found, folder / "report")
    terminal.print_agreement(found, title=study.title)
    print(f"results: {folder / 'validity.csv'}, agreement.csv and offsets.csv beside it\npage:    {page}")


def train_without_ingredients(study: Realism, folder: Path) -> None:
    """Run the realism study, which trains models, and print its table."""
    with terminal.steps_bar("train", total=1) as show:
        lines = run_realism(
            study,
            folder,
            on_progress=lambda done, total, name: show(done, name and f"{name} is done", total=total),
        )
    terminal.print_worth(lines, title=study.title)
    print(f"results: {folder / 'realism.csv'}")


def how_of(options: ComputedOptions) -> How:
    """Read engine, device and shard from the options; RobustPoseError for options that conflict."""
    if options.engine not in ("local", "ray"):
        raise unknown_name("engine", options.engine, ("local", "ray"))
    if options.engine == "local":
        if options.address or options.workers or options.gpus:
            raise RobustPoseError("--address, --workers and --gpus need --engine ray")
        return How(LocalEngine(threads=options.threads or 0), options.device, _shard(options.shard))
    ray = RayEngine(
        address=options.address, workers=options.workers, threads=options.threads or 1, gpus=options.gpus
    )
    return How(ray, "cpu", _shard(options.shard))


def _shard(text: str) -> Shard:
    if not text:
        return Shard()
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise RobustPoseError(f"--shard must be i/n such as 2/8, got {text!r}")
    return Shard(index=int(match[1]), count=int(match[2]))
