"""`robustpose spec`: check a model spec against people with labels."""

from pathlib import Path
from typing import Annotated

import typer

from robustpose.cli.options import (
    DataOption,
    DeviceOption,
    ImagesOption,
    MinBoxOption,
    MinKeypointsOption,
    SpecOption,
    completing,
)
from robustpose.errors import RobustPoseError


def check(
    model: Annotated[
        str,
        typer.Argument(
            help="onnx:PATH | torch:MODULE:FACTORY | ...; see `robustpose list models`",
            autocompletion=completing("models"),
        ),
    ],
    data: DataOption = "synthpose",
    spec: SpecOption = "",
    n: Annotated[int, typer.Option("--n", help="Number of people, from the start of the data set", min=2)] = 50,
    images: ImagesOption = "",
    min_keypoints: MinKeypointsOption = 0,
    min_box: MinBoxOption = 0,
    device: DeviceOption = "cpu",
) -> None:
    """Test a model spec for common mistakes, on labelled people. Exit code 1 if a correction is found."""
    from robustpose.data import open_dataset
    from robustpose.defences import open_defended
    from robustpose.jobs.workbench import input_size_of, padding_of
    from robustpose.models.placed import placed
    from robustpose.report import terminal
    from robustpose.selfcheck import check_spec
    from robustpose.studies.running import render_ahead

    opened = open_defended(model, spec=Path(spec) if spec else None)
    dataset = open_dataset(
        data, images=Path(images) if images else None, min_keypoints=min_keypoints, min_box=min_box
    )
    people = min(n, len(dataset))
    render_ahead(dataset, people, input_size=input_size_of(opened.module), padding=padding_of(opened.module))
    with placed(opened.module, device), terminal.steps_bar("check", total=12) as show:
        found = check_spec(
            opened, dataset, n=people, on_progress=lambda done, what: show(done, what, total=max(12, done))
        )
    terminal.print_check(found, model=opened.name, data=dataset.name)
    if not found.fine:
        raise typer.Exit(1)


def renamed(words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Raise RobustPoseError with the current name of the command."""
    raise RobustPoseError("robustpose card is now robustpose spec")
