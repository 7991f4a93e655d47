"""`robustpose list`: what there is, by name."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Annotated

import typer

from robustpose.cli.catalogue import KINDS, known
from robustpose.errors import unknown_name


def list_names(
    kind: Annotated[
        str, typer.Argument(help=f"{', '.join(KINDS)}; each name with what it is", autocompletion=lambda: [*KINDS])
    ] = "",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Models and tasks with the facts of their weights, attacks with their needs"),
    ] = False,
) -> None:
    """List what there is, by name."""
    if kind and kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    names = {each: known(each) for each in ([kind] if kind else KINDS)}
    if as_json:
        print(json.dumps({each: _with_facts(each, names[each]) for each in names}, indent=2))
    elif kind:
        width = max(map(len, names[kind]))
        for name, line in sorted(names[kind].items()):
            print(f"{name:<{width}}  {line}".rstrip())
    else:
        for each in names:
            print(f"{each}: {', '.join(sorted(names[each]))}")


def _with_facts(kind: str, names: Collection[str]) -> list[str] | dict[str, object]:
    """Return names; of our models each with its row of facts, null where no weights are in the package.

    Of attacks with what they need: see docs/attacks.md.
    """
    if kind == "attacks":
        from robustpose.attacks import ATTACKS

        return {name: ATTACKS[name].facts() for name in sorted(names)}
    if kind not in ("models", "tasks"):
        return sorted(names)
    from robustpose.models import MODELS, TASKS
    from robustpose.models.weights import load_facts, shipped_models, shipped_weights

    shipped = shipped_models()
    ours = sorted({*MODELS, *shipped} - {*TASKS} if kind == "models" else TASKS)
    return {name: asdict(load_facts(shipped_weights(name))) if name in shipped else None for name in ours}
