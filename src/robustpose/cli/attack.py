"""`robustpose attack`: one model, one data set or photo, one attack."""

from pathlib import Path
from typing import Annotated

import typer

from robustpose.cli.catalogue import known, literal, read_texts
from robustpose.cli.options import (
    DataOption,
    DefenceOption,
    DetectionsOption,
    DeviceOption,
    ImagesOption,
    MetricOption,
    MinBoxOption,
    MinKeypointsOption,
    SeedOption,
    SpecOption,
    completing,
    refuse_options,
)
from robustpose.errors import RobustPoseError, refuse_url

AUTO: str = literal("robustpose.ownphoto.box", "AUTO")
QUICK_STEPS: int = literal("robustpose.cli.asking", "QUICK_STEPS")

_BUDGETS = read_texts("robustpose.threats", "THREATS", "example")
_OF_DATA_SETS = {
    *(
        "data",
        "n",
        "images",
        "min_keypoints",
        "min_box",
        "detections",
        "metric",
        "fail_under",
        "force",
    ),
}
"""Options for data sets, which an attack on photos does not take."""


def attack(
    context: typer.Context,
    photo: Annotated[
        Path | None, typer.Argument(help="Attack this photo, or all of this folder, instead of --data")
    ] = None,
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
            help="autopose | igsm | apgd | fmn | square ...; see `robustpose list attacks`; default: the "
            "strongest under the threat, autopose with linf",
            autocompletion=completing("attacks"),
        ),
    ] = "",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help=f"A quick, weaker attack: {QUICK_STEPS} gradients of APGD on the soft margin"
        ),
    ] = False,
    threat: Annotated[
        str,
        typer.Option(
            help=f"Threat model: {' | '.join(known('threats'))}; default: linf, or the attack's first; see "
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
    device: DeviceOption = "cpu",
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    detections: DetectionsOption = "",
    spec: SpecOption = "",
    metric: MetricOption = "",
    box: Annotated[
        str,
        typer.Option(
            help="Boxes of the people in PHOTO: x,y,w,h in pixels, of one person; auto, found by the model; a "
            "COCO file of people or detections; or callable:MODULE:FUNCTION, a detector"
        ),
    ] = AUTO,
    box_jitter: Annotated[
        float,
        typer.Option(
            help="Attack the mean over boxes that move and change size by up to this fraction: .1; photos only"
        ),
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: a folder in runs/ named after the attack")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over the tables and pages of another study in --out")
    ] = False,
    fail_under: Annotated[
        float | None,
        typer.Option(
            help="Exit code 1 if the whole 95% interval of the relative score lies below this percentage, or if "
            "an alarm withholds the score. For continuous integration",
            min=0,
            max=100,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")] = False,
) -> None:
    """Attack one model on a data set, or on unlabelled photos, and report its score under attack."""
    from robustpose.cli.asking import setting_of
    from robustpose.defences import behind
    from robustpose.study.definition import Study

    if photo is not None:
        refuse_url("photo", str(photo))
    (model,) = behind(defence, (model,))
    setting = setting_of(
        attack,
        quick=quick,
        threat=threat,
        eps=eps,
        steps=steps,
        targeted=targeted,
        objective=objective,
        search=search,
    )
    if photo is not None:
        from robustpose.cli.ownphoto import attack_own_photos
        from robustpose.cli.photo_facts import Asked

        taken = {each.name for each in context.command.params if each.name} - _OF_DATA_SETS
        refuse_options(context, taken, what=f"an attack on photos ({photo})")
        asked = Asked(model, setting, box=box, jitter=box_jitter, seed=seed, spec=spec)
        attack_own_photos(photo, asked, out=out, device=device, as_json=as_json)
        return
    if box != AUTO or box_jitter:
        option = "--box" if box != AUTO else "--box-jitter"
        raise RobustPoseError(f"{option} is for attacks on photos; data sets come with boxes")
    from robustpose.cli.one_attack import attack_people
    from robustpose.given import known_device
    from robustpose.studies.running import How

    study = Study(
        name="attack",
        title=f"{setting.title} on {data.partition(':')[0]}",
        models=(model,),
        data=data,
        settings=(setting,),
        n=n,
        seed=seed,
        spec=spec,
        images=images,
        min_keypoints=min_keypoints,
        min_box=min_box,
        detections=detections,
        metric=metric,
    )
    how = How(device=known_device(device), force=force)
    attack_people(study, out=out, quick=quick, how=how, fail_under=fail_under, as_json=as_json)
