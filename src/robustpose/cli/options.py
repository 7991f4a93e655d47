"""Options shared by several commands."""

from collections.abc import Callable, Collection
from dataclasses import Field, fields
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

from robustpose.cli.catalogue import known
from robustpose.errors import RobustPoseError
from robustpose.study.options import GridOptions


def completing(kind: str, *, several: bool = False) -> Callable[[str], list[tuple[str, str]]]:
    """Make a shell completion of a kind's names, up to the colon; comma-separated names if `several`."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        written = {
            name.partition(":")[0] + (":" if ":" in name else ""): line for name, line in known(kind).items()
        }
        return [
            (f"{before}{comma}{name}", line) for name, line in sorted(written.items()) if name.startswith(last)
        ]

    return complete


def as_option(field: Field[Any]) -> OptionInfo:
    """Make a command-line option from a field of an options dataclass: see study/options.py."""
    about, name = field.metadata, field.name.replace("_", "-")
    written = f"--{name}/--no-{name}" if field.type in (bool, "bool") else f"--{name}"
    complete = completing(about["names"], several=about["several"]) if about["names"] else None
    made: OptionInfo = typer.Option(
        written, help=about["help"], min=about["min"], max=about["max"], autocompletion=complete
    )
    return made


_FIELDS = {field.name: field for field in fields(GridOptions)}

DataOption = Annotated[str, as_option(_FIELDS["data"])]
ImagesOption = Annotated[str, as_option(_FIELDS["images"])]
SpecOption = Annotated[str, as_option(_FIELDS["spec"])]
MinKeypointsOption = Annotated[int, as_option(_FIELDS["min_keypoints"])]
MinBoxOption = Annotated[float, as_option(_FIELDS["min_box"])]
DefenceOption = Annotated[str, as_option(_FIELDS["defence"])]
DetectionsOption = Annotated[str, as_option(_FIELDS["detections"])]
SeedOption = Annotated[int, as_option(_FIELDS["seed"])]
DeviceOption = Annotated[str, typer.Option(help="Where the model computes: cpu | cuda | cuda:1 | mps")]
MetricOption = Annotated[str, as_option(_FIELDS["metric"])]


def refuse_options(context: typer.Context, taken: Collection[str], *, what: str) -> None:
    """Raise RobustPoseError if the command line gives options other than `taken`; the message names them.

    Otherwise an ignored option would seem to have had an effect.
    """
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
