"""Studies of attacks and findings: applies options to a study, and runs it."""

from dataclasses import replace
from pathlib import Path

from robustpose.analysis.alarms import watch_study
from robustpose.analysis.doubts import doubts_of
from robustpose.analysis.scores import outcome
from robustpose.defences import behind
from robustpose.errors import RobustPoseError
from robustpose.findings import FINDINGS
from robustpose.jobs.setting import Setting
from robustpose.report import terminal
from robustpose.studies.running import how_of, report_people_left_out, run_study, say_where
from robustpose.study.definition import Study
from robustpose.study.options import ComputedOptions, GridOptions
from robustpose.threats import read_eps


def chosen(study: Study, options: GridOptions) -> Study:
    """Return a study with the options applied; RobustPoseError for invalid options."""
    data = options.data or study.data
    if not data:
        raise RobustPoseError(f"study {study.name} needs photos: name them with --data, such as coco:PATH")
    asked = replace(
        study,
        models=behind(options.defence, listed(options.models) or study.models),
        data=data,
        n=study.n if options.n is None else options.n,
        seed=options.seed,
        spec=options.spec,
        images=options.images,
        min_keypoints=options.min_keypoints,
        min_box=options.min_box,
        detections=options.detections,
        findings=_findings(options.findings, study.findings),
        tasks=() if options.tasks == "none" else listed(options.tasks) or study.tasks,
        training=_training(options.training, study.training, data=data),
        other=options.other or study.other,
        per_cell=options.people_per_cell or study.per_cell,
        metric=options.metric,
    )
    return narrowed(asked, options)


def narrowed(study: Study, options: GridOptions) -> Study:
    """Return a study on the grid given by the options; RobustPoseError for invalid numbers."""
    grid, long = study.grid, options.long
    if long is not None and long < 1:
        raise RobustPoseError(f"--long must be at least 1, got {long}")
    if options.steps_walk:
        grid = replace(grid, walk=tuple(sorted({_steps(each) for each in options.steps_walk.split(",")})))
    samples, people = options.universal_samples, options.universal_people
    grid = replace(
        grid,
        long=grid.long if long is None else long,
        universal_samples=grid.universal_samples if samples is None else samples,
        universal_people=grid.universal_people if people is None else people,
    )
    if not options.eps:
        return replace(study, grid=grid)
    budgets = budgets_of(options.eps)
    grid = replace(grid, eps=budgets, targeted_eps=budgets)
    return replace(study, grid=grid, settings=over(study.settings, budgets))


def untrained(study: Study, options: GridOptions) -> tuple[str, ...]:
    """Return a message that no universal perturbations are learned, if --data needs --training and has none."""
    data = options.data or study.data
    if options.training or _training("", study.training, data=data) == study.training:
        return ()
    return (
        f"no universal perturbations are learned: {data} is another data set than {study.training}; name a "
        "training set of the same data with --training",
    )


def run_grid(study: Study, folder: Path, options: ComputedOptions) -> None:
    """Compute a study of attacks and findings, and print its scores and verdicts."""
    how = how_of(options)
    ran = run_study(study, folder, how=how)
    plan = ran.plan
    if study.tasks and not plan.tasks:
        terminal.say(f"skipped: models of other tasks, because {plan.dataset.name} has no action and part labels")
    if not ran.rows:
        shard = f"{how.shard.index}/{how.shard.count}"
        print(f"shard {shard} is done; after all shards, run the same command without --shard to finish {folder}")
        return
    report_people_left_out(plan, [outcome(plan, ran.store, model, None) for model in plan.models])
    doubts = doubts_of(plan, ran.store)
    terminal.print_results(plan, doubts.withheld(ran.rows))
    if ran.found:
        terminal.print_verdicts(ran.found)
    for watched in (*doubts.watched, *watch_study(plan, ran.store)):
        terminal.say(watched.line)
    terminal.print_conclusion(plan, ran.rows, doubts)
    terminal.print_why(plan, ran.store, doubts)
    say_where(folder)


def listed(text: str) -> tuple[str, ...]:
    """Read comma-separated names."""
    return tuple(each.strip() for each in text.split(",")) if text else ()


def budgets_of(text: str) -> tuple[float, ...]:
    """Read --eps, in ascending order; RobustPoseError for an invalid budget."""
    return tuple(sorted({_budget(each.strip()) for each in text.split(",")}))


def over(settings: tuple[Setting, ...], budgets: tuple[float, ...]) -> tuple[Setting, ...]:
    """Replace the budgets of attacks that have several; attacks with a single budget are unchanged."""
    gathered: dict[Setting, list[Setting]] = {}
    for setting in settings:
        gathered.setdefault(replace(setting, eps=0.0), []).append(setting)
    return tuple(
        each
        for family in gathered.values()
        for each in (family if len(family) == 1 else [replace(family[0], eps=eps) for eps in budgets])
    )


def _findings(text: str, named: tuple[str, ...]) -> tuple[str, ...]:
    """Read --findings; the study's own if empty."""
    if text in ("all", "none"):
        return tuple(FINDINGS) if text == "all" else ()
    return listed(text) or named


def _training(text: str, named: str, *, data: str) -> str:
    """Read --training; by default the study's own for the same data set, and none for another."""
    if text == "none":
        return ""
    same = data.partition(":")[0] == named.partition(":")[0]
    return text or (named if same else "")


def _budget(text: str) -> float:
    return read_eps(text if "/" in text else f"{text}/255")


def _steps(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise RobustPoseError(
            f"--steps-walk must be positive numbers of steps such as 1,5,20, got {text.strip()!r}"
        )
    return int(text)
