"""The command line: one function a command. Errors are one line on stderr and exit code 2."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from robustpose.attacks import ATTACKS, ENSEMBLES, SPATIAL, describe
from robustpose.cli.attack import attack
from robustpose.cli.card import check
from robustpose.cli.data import check_files, render_people, show_people
from robustpose.cli.pull import pull_nets
from robustpose.cli.study import make_report, study
from robustpose.cli.train import train_net
from robustpose.cli.userstudy import analyse_user_study, make_user_study
from robustpose.data import DATASETS
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.findings import FINDINGS
from robustpose.metrics import METRICS
from robustpose.models import MODELS, TASKS, model_specs
from robustpose.models.weights import load_facts, shipped_models, shipped_weights
from robustpose.studies import STUDIES
from robustpose.threats import THREATS

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How robust is a human pose estimator? Attack it, measure what breaks, see why.",
)


def list_names(
    kind: Annotated[
        str, typer.Argument(help="models, tasks, datasets, attacks, threats, metrics, studies, findings")
    ] = "",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Models and tasks with the facts of their weights, attacks with their needs"),
    ] = False,
) -> None:
    """List what there is, by name."""
    kinds = {
        "models": model_specs(),
        "tasks": [*TASKS],
        "datasets": [*DATASETS],
        "attacks": [*ATTACKS, *ENSEMBLES, *SPATIAL],
        "threats": [*THREATS],
        "metrics": [*METRICS],
        "studies": [*STUDIES],
        "findings": [*FINDINGS],
    }
    if kind and kind not in kinds:
        raise unknown_name("kind", kind, kinds)
    if as_json:
        print(json.dumps({name: _with_facts(name, kinds[name]) for name in ([kind] if kind else kinds)}, indent=2))
        return
    for name in [kind] if kind else kinds:
        print(f"{name}: {', '.join(sorted(kinds[name]))}")


def _with_facts(kind: str, names: Sequence[str]) -> list[str] | dict[str, object]:
    """Return names; of our nets each with its row of facts, null where no weights are in the package.

    Of attacks with what they need: see docs/attacks.md.
    """
    if kind == "attacks":
        return {name: describe(name) for name in sorted(names)}
    ours = {"models": sorted({*MODELS, *shipped_models()} - {*TASKS}), "tasks": sorted(TASKS)}
    if kind not in ours:
        return sorted(names)
    shipped = shipped_models()
    return {name: asdict(load_facts(shipped_weights(name))) if name in shipped else None for name in ours[kind]}


app.command("list")(list_names)
app.command("attack")(attack)
app.command("pull")(pull_nets)
app.command("study")(study)
app.command("report")(make_report)
app.command("train")(train_net)
data_app = typer.Typer(no_args_is_help=True, help="Look at people with their truth, write them, check files.")
data_app.command("show")(show_people)
data_app.command("render")(render_people)
data_app.command("check")(check_files)
app.add_typer(data_app, name="data")
card_app = typer.Typer(no_args_is_help=True, help="Check what a card says of a net that others trained.")
card_app.command("check")(check)
app.add_typer(card_app, name="card")
user_app = typer.Typer(no_args_is_help=True, help="Ask people whether they see a perturbation.")
user_app.command("make")(make_user_study)
user_app.command("analyse")(analyse_user_study)
app.add_typer(user_app, name="userstudy")


def main() -> None:
    """Run the command line; every expected error is one line on stderr and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except RobustPoseError as error:
        code = _fail(str(error))
    except typer.TyperException as error:
        # Without arguments the help is shown already, and there is no message.
        code = _fail(error.format_message()) if error.format_message() else 2
    except OSError as error:  # a folder that cannot be made, a full disk
        code = _fail(f"{error.filename or 'file system'}: {error.strerror or error}")
    except (typer.Abort, KeyboardInterrupt):
        print("\nstopped; the same command continues", file=sys.stderr)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2
