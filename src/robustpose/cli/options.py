"""Options that several commands share."""

from collections.abc import Callable, Collection
from typing import Annotated

import typer

from robustpose.cli.catalogue import known
from robustpose.errors import RobustPoseError


def completing(kind: str, *, several: bool = False) -> Callable[[str], list[tuple[str, str]]]:
    """Make a shell completion of a kind's names, up to their colon; of several, where told, between commas."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        written = {
            name.partition(":")[0] + (":" if ":" in name else ""): line for name, line in known(kind).items()
        }
        return [
            (f"{before}{comma}{name}", line) for name, line in sorted(written.items()) if name.startswith(last)
        ]

    return complete


ModelsOption = Annotated[
    str,
    typer.Option(
        "--models",
        help="Nets, comma-separated: shg2,movenet-thunder,tfjs:PATH",
        autocompletion=completing("models", several=True),
    ),
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        autocompletion=completing("datasets"),
        help="synthpose | synthpose:test | NAME:PATH of coco, mpii, lsp, lspet, crowdpose, ochuman; "
        "NAME:PATH[1-100] takes some of its people, A+B joins two",
    ),
]
ImagesOption = Annotated[
    str, typer.Option("--images", help="Photo folder, where it is not beside the annotations")
]
CardOption = Annotated[
    str, typer.Option("--card", help="Card of a net that others trained and that is not among the known ones")
]
MinKeypointsOption = Annotated[
    int, typer.Option("--min-keypoints", help="People in photos: labelled at least, face left out", min=0)
]
MinBoxOption = Annotated[
    float, typer.Option("--min-box", help="People in photos: box side in pixels at least", min=0)
]
DetectionsOption = Annotated[
    str, typer.Option("--detections", help="A detector's boxes instead of the true ones: COCO's results JSON")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of every random draw", min=0)]
MetricOption = Annotated[
    str,
    typer.Option(
        "--metric",
        autocompletion=completing("metrics"),
        help="pckh | pck | ks; by default what suits data and nets, see docs/scores.md",
    ),
]


def refuse_options(context: typer.Context, taken: Collection[str] | None, *, what: str) -> None:
    """Refuse what the command line gives beside the parameters `taken`, by name; None takes all.

    RobustPoseError names the options: one that is not read must not seem to have been.
    """
    if taken is None:
        return
    asked = [
        each.opts[0]
        for each in context.command.params
        if each.name and each.name not in taken and _is_given(context, each.name)
    ]
    if asked:
        raise RobustPoseError(f"{what} does not take {', '.join(asked)}")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
