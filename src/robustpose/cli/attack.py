"""`robustpose attack`: one model, one data set or photo, one attack."""

import re
import time
from pathlib import Path
from typing import Annotated

import typer

from robustpose.cli.catalogue import known, literal, read_texts
from robustpose.cli.options import (
    DataOption,
    DefenceOption,
    DetectionsOption,
    ImagesOption,
    MetricOption,
    MinBoxOption,
    MinKeypointsOption,
    SeedOption,
    SpecOption,
    completing,
    refuse_options,
)
from robustpose.errors import RobustPoseError

AUTO: str = literal("robustpose.ownphoto.box", "AUTO")

_BUDGETS = read_texts("robustpose.threats", "THREATS", "example")
_OF_DATA_SETS = {"data", "targeted", "n", "images", "min_keypoints", "min_box", "detections", "metric"}
"""Options for data sets, which an attack on one photo does not take."""


def attack(
    context: typer.Context,
    photo: Annotated[Path | None, typer.Argument(help="Attack this photo instead of --data")] = None,
    *,
    model: Annotated[
        str,
        typer.Option(
            help="shg2 | shg2:WEIGHTS | movenet-thunder | onnx:PATH | flip:shg2 ...; see `robustpose list models`",
            autocompletion=completing("models"),
        ),
    ],
    data: DataOption = "synthpose",
    defence: DefenceOption = "",
    attack: Annotated[
        str,
        typer.Option(
            help="igsm | apgd | fmn | square | autopose ...; see `robustpose list attacks`",
            autocompletion=completing("attacks"),
        ),
    ] = "igsm",
    threat: Annotated[
        str,
        typer.Option(
            help=f"Threat model: {' | '.join(known('threats'))}; the attack's first by default; see "
            "`robustpose list threats`",
            autocompletion=completing("threats"),
        ),
    ] = "",
    eps: Annotated[
        str,
        typer.Option(
            help="Budget of the threat, 8/255 by default with linf. Examples: "
            + "; ".join(f"{threat} {example}" for threat, example in _BUDGETS.items())
        ),
    ] = "",
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of an iterative attack, or gradients of autopose; default: the attack's own"),
    ] = None,
    targeted: Annotated[bool, typer.Option("--targeted", help="Attack towards a random target pose")] = False,
    objective: Annotated[
        str,
        typer.Option(
            help=f"{' | '.join(known('objectives'))}; default: the attack's own",
            autocompletion=completing("objectives"),
        ),
    ] = "",
    search: Annotated[
        str, typer.Option(help="Precision of the attack: fp32 | bf16; scores are always computed in fp32")
    ] = "fp32",
    n: Annotated[
        int | None, typer.Option("--n", help="Number of people, from the start of the data set; default: all")
    ] = None,
    seed: SeedOption = 0,
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    detections: DetectionsOption = "",
    card: SpecOption = "",
    metric: MetricOption = "",
    box: Annotated[str, typer.Option(help="Box of the person in PHOTO: x,y,w,h in pixels, or auto")] = AUTO,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: a folder in runs/ named after the attack")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")] = False,
) -> None:
    """Attack one model on a data set, or on one unlabelled photo, and report its score under attack."""
    from robustpose.analysis.alarms import watch_model
    from robustpose.analysis.scores import outcome
    from robustpose.attacks import attack_spec
    from robustpose.cli.ownphoto import attack_own_photo
    from robustpose.defences import behind
    from robustpose.jobs.job import key_of
    from robustpose.jobs.setting import Setting
    from robustpose.report import terminal
    from robustpose.studies.running import report_people_left_out, run_study, say_where
    from robustpose.study.definition import Study
    from robustpose.threats import known_threat, read_eps

    started = time.perf_counter()
    (model,) = behind(defence, (model,))
    threat = threat or attack_spec(attack).default_threat
    setting = Setting(
        attack,
        read_eps(eps, known_threat(threat)),
        threat=threat,
        steps=steps,
        targeted=targeted,
        objective=objective or attack_spec(attack).default_objective,
        search=search,
    )
    if photo is not None:
        taken = {each.name for each in context.command.params if each.name} - _OF_DATA_SETS
        refuse_options(context, taken, what=f"an attack on one photo ({photo})")
        attack_own_photo(
            photo, model=model, box=box, setting=setting, seed=seed, card=card, out=out, as_json=as_json
        )
        return
    if box != AUTO:
        raise RobustPoseError("--box is for attacks on one photo; data sets come with boxes")
    study = Study(
        name="attack",
        title=f"{setting.title} on {data.partition(':')[0]}",
        models=(model,),
        data=data,
        settings=(setting,),
        n=n,
        seed=seed,
        card=card,
        images=images,
        min_keypoints=min_keypoints,
        min_box=min_box,
        detections=detections,
        metric=metric,
    )
    boxes = f"-{Path(detections).stem}" if detections else ""
    folder = (
        out or Path("runs") / re.sub(r"[^\w.-]+", "-", f"attack-{model}-{data}{boxes}-{setting.title}").lower()
    )
    ran = run_study(study, folder)
    plan, store, rows = ran.plan, ran.store, ran.rows
    found = [outcome(plan, store, plan.models[0], each) for each in (None, setting)]
    report_people_left_out(plan, found)
    alarms = watch_model(plan, store, setting)
    for alarm in alarms:
        terminal.say(alarm.line)
    if as_json:
        keys = [key_of(cell) for cell in plan.all_cells()]
        seconds = time.perf_counter() - started
        lines = [alarm.line for alarm in alarms]
        print(
            terminal.attack_json(
                plan, clean=found[0], attacked=found[1], cells=keys, seconds=seconds, alarms=lines
            )
        )
    else:
        terminal.print_results(plan, rows)
        terminal.print_benchmark_tables(plan, clean=found[0], attacked=found[1])
        terminal.print_smallest(plan, found[1])
        terminal.print_conclusion(plan, rows)
        say_where(folder)
