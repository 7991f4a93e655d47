"""`robustpose data`: show people with their labels, export them to a folder, check downloaded files."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustpose.cli.options import ImagesOption, completing
from robustpose.errors import RobustPoseError

if TYPE_CHECKING:
    from robustpose.types import PoseDataset


def show_people(
    data: Annotated[
        str,
        typer.Argument(
            help="synthpose | NAME:PATH, with NAME one of coco, mpii, lsp, lspet, crowdpose, ochuman",
            autocompletion=completing("datasets"),
        ),
    ],
    out: Annotated[Path, typer.Option(help="Image file to write")] = Path("sheet.png"),
    n: Annotated[int, typer.Option("--n", help="Number of people", min=1)] = 40,
    size: Annotated[int, typer.Option(help="Side of a crop, in pixels", min=32)] = 192,
    images: ImagesOption = "",
) -> None:
    """Draw a contact sheet of crops with their labelled keypoints."""
    from robustpose.data import open_dataset
    from robustpose.report.html import write_sheet
    from robustpose.studies.running import report_unreadable

    dataset = open_dataset(data, images=Path(images) if images else None)
    batch = dataset.load(range(min(n, len(dataset))), input_size=(size, size))
    report_unreadable(batch.unreadable, min(n, len(dataset)))
    if len(batch) == 0:
        raise RobustPoseError(f"none of the photos could be read; the first: {batch.unreadable[0]}")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(batch, out)
    print(out)


def render_people(
    data: Annotated[
        str,
        typer.Argument(help="synthpose | synthpose:test | any data set", autocompletion=completing("datasets")),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write images/ and annotations.json to")],
    split: Annotated[
        str, typer.Option(help="Split of synthpose: train, val or test; the same as synthpose:SPLIT")
    ] = "",
    n: Annotated[int, typer.Option("--n", help="Number of people", min=1)] = 100,
    size: Annotated[int, typer.Option(help="Side of a crop, in pixels", min=32)] = 256,
    processes: Annotated[
        int, typer.Option(help="Number of rendering processes; default: one per processor", min=0)
    ] = 0,
    images: ImagesOption = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was rendered, the speed and a hash, as JSON")
    ] = False,
) -> None:
    """Export crops as PNG, with labels in MPII's JSON format: open them as mpii:OUT/annotations.json."""
    from robustpose.data import open_dataset
    from robustpose.data.export import export_rendered
    from robustpose.data.rendered import RenderedPeople
    from robustpose.report import terminal

    dataset = open_dataset(_with_split(data, split), images=Path(images) if images else None)
    if not isinstance(dataset, RenderedPeople):
        if as_json:
            raise RobustPoseError(f"--json is for rendered people; {dataset.name} is not rendered")
        if n > len(dataset):
            print(f"{dataset.name} has only {len(dataset)} people; writing all of them", file=sys.stderr)
        _write_photos(dataset, out, n=min(n, len(dataset)), size=size)
        return
    if n > len(dataset):
        raise RobustPoseError(f"{dataset.name} has {len(dataset)} people; got --n {n}")
    with terminal.steps_bar("render", total=n) as show:
        rendering = export_rendered(
            dataset,
            out,
            n=n,
            size=size,
            processes=processes or os.cpu_count() or 1,
            on_progress=lambda done, _: show(done, ""),
        )
    if as_json:
        facts = {"data": dataset.name, **asdict(rendering), "annotations": str(out / "annotations.json")}
        print(json.dumps(facts, indent=2))
    else:
        print(out / "annotations.json")


def check_files(
    data: Annotated[
        str,
        typer.Argument(
            help="NAME:PATH, with NAME one of coco, mpii, lsp, lspet, crowdpose, ochuman; a file or a folder",
            autocompletion=completing("datasets"),
        ),
    ],
    images: ImagesOption = "",
    fast: Annotated[
        bool, typer.Option("--fast", help="Only check that the photos exist, without opening them")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")] = False,
) -> None:
    """Check a downloaded data set: missing or broken files, source, licence. Exit code 1 if a check fails."""
    from robustpose.data.check import check_data, files_to_check
    from robustpose.report import terminal

    name, files = files_to_check(data)
    with terminal.steps_bar("photos", total=1) as show:
        checked = check_data(
            name,
            files,
            images=Path(images) if images else None,
            open_photos=not fast,
            on_photo=lambda done, total: show(done, "", total=total),
        )
    if as_json:
        print(json.dumps([{**asdict(each), "whole": each.whole} for each in checked], indent=2))
    else:
        for each in checked:
            terminal.print_checked(each)
    if not all(each.whole for each in checked):
        raise typer.Exit(1)


def _with_split(data: str, split: str) -> str:
    if not split:
        return data
    if ":" in data or data != "synthpose":
        raise RobustPoseError(f"--split is for synthpose only; got --split {split} with {data!r}")
    return f"{data}:{split}"


def _write_photos(dataset: "PoseDataset", out: Path, *, n: int, size: int) -> None:
    from robustpose.data.export import export_people
    from robustpose.report import terminal
    from robustpose.studies.running import report_unreadable

    with terminal.steps_bar("crop", total=n) as show:
        unreadable = export_people(dataset, out, n=n, size=size, on_progress=lambda done: show(done, ""))
    report_unreadable(unreadable, n)
    print(out / "annotations.json")
