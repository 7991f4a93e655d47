"""`robustpose study` and `robustpose report`: many cells, resumable, and their page."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustpose.cli.engines import (
    AddressOption,
    DeviceOption,
    EngineOption,
    GpusOption,
    ShardOption,
    ThreadsOption,
    WorkersOption,
    how_of,
)
from robustpose.cli.narrowing import (
    EpsOption,
    LongOption,
    StepsWalkOption,
    UniversalPeopleOption,
    UniversalSamplesOption,
    budgets_of,
    narrowed,
    over,
)
from robustpose.cli.options import (
    CardOption,
    DataOption,
    DetectionsOption,
    ImagesOption,
    MetricOption,
    MinBoxOption,
    MinKeypointsOption,
    ModelsOption,
    SeedOption,
    completing,
    refuse_options,
)
from robustpose.errors import RobustPoseError, unknown_name, writing_to

if TYPE_CHECKING:
    from robustpose.studies.realism import Realism

_ALIKE = {"name", "models", "data", "n", "seed", "min_keypoints", "min_box", "out"}
_ENGINES = {"engine", "device", "address", "workers", "threads", "gpus", "shard", "reuse"}
_TAKEN: dict[str, set[str]] = {
    "Realism": _ALIKE,
    "Validity": _ALIKE | _ENGINES | {"eps", "images", "card", "people_per_cell"},
}
"""Options of studies that do not take all."""


def study(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="See `robustpose list studies`", autocompletion=completing("studies"))
    ],
    models: ModelsOption = "",
    data: DataOption = "",
    findings: Annotated[
        str,
        typer.Option(
            help="What to decide: fig2a,table1 | all | none; see `robustpose list findings`",
            autocompletion=completing("findings", several=True),
        ),
    ] = "",
    tasks: Annotated[str, typer.Option(help="Nets of other tasks, to compare: action,parts:PATH | none")] = "",
    other: Annotated[str, typer.Option(help="A second data set, to carry universal perturbations to")] = "",
    training: Annotated[
        str,
        typer.Option(
            help="Data set to learn universal perturbations on: SPEC | none; synthpose:train for synthpose"
        ),
    ] = "",
    eps: EpsOption = "",
    steps_walk: StepsWalkOption = "",
    long: LongOption = None,
    universal_samples: UniversalSamplesOption = None,
    universal_people: UniversalPeopleOption = None,
    n: Annotated[int | None, typer.Option("--n", help="People, from the first")] = None,
    people_per_cell: Annotated[
        int | None, typer.Option(help="Attacked together; a GPU wants hundreds", min=1)
    ] = None,
    seed: SeedOption = 0,
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    detections: DetectionsOption = "",
    card: CardOption = "",
    metric: MetricOption = "",
    engine: EngineOption = "local",
    device: DeviceOption = "cpu",
    address: AddressOption = "",
    workers: WorkersOption = 0,
    threads: ThreadsOption = None,
    gpus: GpusOption = 0.0,
    shard: ShardOption = "",
    reuse: Annotated[
        bool, typer.Option(help="Take what other versions of the code or of torch computed in --out, too")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/NAME by default")] = None,
) -> None:
    """Run a study, or continue it: its cells, results.csv and the report page."""
    from robustpose.analysis.alarms import watch_study
    from robustpose.analysis.scores import outcome
    from robustpose.cli.running import report_people_left_out, run_study, say_where
    from robustpose.cli.validity import compare_orders
    from robustpose.report import terminal
    from robustpose.studies import STUDIES
    from robustpose.studies.realism import Realism
    from robustpose.studies.validity.sides import Validity

    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    named, folder = STUDIES[name], out or Path("runs") / name
    refuse_options(context, _TAKEN.get(type(named).__name__), what=f"study {name!r}")
    nets = _listed(models)
    if isinstance(named, Realism):
        realism = replace(named, photos=data, others=nets, min_keypoints=min_keypoints, min_box=min_box)
        recipe = replace(named.recipe, seed=seed)
        _realism(replace(realism, recipe=recipe, n=named.n if n is None else n), folder)
        return
    how = how_of(
        engine=engine,
        address=address,
        workers=workers,
        threads=threads,
        gpus=gpus,
        shard=shard,
        device=device,
    )
    alike: dict[str, Any] = {
        "models": nets or named.models,
        "n": named.n if n is None else n,
        "seed": seed,
        "images": images,
        "card": card,
        "min_keypoints": min_keypoints,
        "min_box": min_box,
        "per_cell": people_per_cell or named.per_cell,
    }
    if isinstance(named, Validity):
        settings = over(named.settings, budgets_of(eps)) if eps else named.settings
        validity = replace(named, photos=data, settings=settings, **alike)
        compare_orders(validity, folder, how=how, reuse=reuse)
        return
    if not (data or named.data):
        raise RobustPoseError(f"study {name} is of photos: name them with --data, such as coco:PATH")
    chosen = replace(
        named,
        data=data or named.data,
        detections=detections,
        other=other or named.other,
        tasks=() if tasks == "none" else _listed(tasks) or named.tasks,
        training=_training(training, named.training, data=data or named.data),
        findings=_chosen(findings, named.findings),
        metric=metric,
        **alike,
    )
    chosen = narrowed(
        chosen,
        eps=eps,
        steps_walk=steps_walk,
        long=long,
        samples=universal_samples,
        people=universal_people,
    )
    ran = run_study(chosen, folder, how=how, reuse=reuse)
    plan = ran.plan
    if chosen.tasks and not plan.tasks:
        terminal.say(f"left out: nets of other tasks, for {plan.dataset.name} has no labels of actions and parts")
    if not ran.rows:
        print(f"shard {shard} is done; when all are, the same command without --shard finishes {folder}")
        return
    report_people_left_out(plan, [outcome(plan, ran.store, model, None) for model in plan.models])
    terminal.print_results(plan, ran.rows)
    if ran.found:
        terminal.print_verdicts(ran.found)
    for watched in watch_study(plan, ran.store):
        terminal.say(watched.line)
    say_where(folder)


def _chosen(text: str, named: tuple[str, ...]) -> tuple[str, ...]:
    """Read --findings: the study's own where it is empty."""
    from robustpose.findings import FINDINGS

    if text in ("all", "none"):
        return tuple(FINDINGS) if text == "all" else ()
    return _listed(text) or named


def _training(text: str, named: str, *, data: str) -> str:
    """Read --training: the study's own, unless the data are others, where nothing is learned unless told."""
    from robustpose.report import terminal

    if text == "none":
        return ""
    if text or not named or data.partition(":")[0] == named.partition(":")[0]:
        return text or named
    terminal.say(
        f"no universal perturbations are learned: {data} are other people than {named}; name people of the same "
        "data with --training"
    )
    return ""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",")) if text else ()


def _realism(study: "Realism", folder: Path) -> None:
    """Run the realism study, whose cells are trainings, and print its table."""
    from robustpose.report import terminal
    from robustpose.studies.realism import run_realism

    with terminal.steps_bar("train", total=1) as show:
        lines = run_realism(
            study,
            folder,
            on_progress=lambda done, total, name: show(done, name and f"{name} is done", total=total),
        )
    terminal.print_worth(lines, title=study.title)
    print(f"results: {folder / 'realism.csv'}")


def make_report(
    folder: Annotated[Path, typer.Argument(help="Folder of a study")] = Path("runs/quick"),
    out: Annotated[Path | None, typer.Option(help="Folder to write into; the study's own if left out")] = None,
) -> None:
    """Make results.csv and the page again from a study's stored cells. No model is opened."""
    from robustpose.analysis.official import all_rows
    from robustpose.cli.running import say_where, write_outputs
    from robustpose.study.saved import reopen

    plan, store = reopen(folder)
    out = out or folder
    with writing_to(out, "name a folder with room that you may write to, as --out"):
        out.mkdir(parents=True, exist_ok=True)
        write_outputs(plan, store, all_rows(plan, store), out)
    say_where(out)
