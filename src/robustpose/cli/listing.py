"""`robustpose list`: the available models, data sets, attacks and so on, by name."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from robustpose.cli.catalogue import KINDS, known, literal, read_texts
from robustpose.errors import unknown_name

NEEDS: str = literal("robustpose.attacks.spec", "AttackSpec")["needs"]
"""What an attack needs unless its entry says otherwise."""


def list_names(
    kind: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join(KINDS)}, listed with descriptions; default: all, names only",
            autocompletion=lambda: [*KINDS],
        ),
    ] = "",
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print as JSON; models and tasks with facts about their weights, attacks with their requirements",
        ),
    ] = False,
) -> None:
    """List available models, data sets, attacks, defences, metrics, studies and findings."""
    if kind and kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    names = {each: known(each) for each in ([kind] if kind else KINDS)}
    if as_json:
        print(json.dumps({each: _with_facts(each, names[each]) for each in names}, indent=2))
    elif kind:
        lines = _attack_lines(names[kind]) if kind == "attacks" else names[kind]
        width = max(map(len, lines))
        for name, line in sorted(lines.items()):
            print(f"{name:<{width}}  {line}".rstrip())
    else:
        for each in names:
            print(f"{each}: {', '.join(sorted(names[each]))}")


def _attack_lines(names: Mapping[str, str]) -> dict[str, str]:
    """Return the line of each attack: what it needs of the model, its cost per person, what it does."""
    needs, costs = (read_texts("robustpose.attacks", "ATTACKS", each) for each in ("needs", "cost"))
    words = {name: (needs.get(name, NEEDS), costs.get(name, "")) for name in names}
    wide = [max((len(each[column]) for each in words.values()), default=0) for column in (0, 1)]
    return {name: f"{need:<{wide[0]}}  {cost:<{wide[1]}}  {names[name]}" for name, (need, cost) in words.items()}


def _with_facts(kind: str, names: Collection[str]) -> list[str] | dict[str, object]:
    """Return the names; for our models, each with the facts about its weights, null if the package has none.

    Attacks come with their requirements: see docs/attacks.md.
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
