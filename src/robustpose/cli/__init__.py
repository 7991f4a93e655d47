"""The command line: one function per command. Errors are one line on stderr and exit code 2.

Commands import heavy modules when they run, so that help, lists and completion do not import torch.
"""

import re
import signal
import sys
from typing import Annotated

import typer

from robustpose import __version__
from robustpose.cli.attack import attack
from robustpose.cli.certify import certify
from robustpose.cli.corrupt import corrupt
from robustpose.cli.data import check_files, render_people, show_people
from robustpose.cli.listing import list_names
from robustpose.cli.pull import pull_models
from robustpose.cli.spec import check, renamed
from robustpose.cli.study import StudyGroup, make_report
from robustpose.cli.train import train_model
from robustpose.cli.upkeep import diff_runs, export_run, merge_runs, prune_run, show_status, verify_run
from robustpose.cli.userstudy import analyse_user_study, make_user_study
from robustpose.errors import RobustPoseError, printable

_INTERRUPTED = 130
"""The exit code after Ctrl-C."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure the robustness of human pose estimators: attack a model, score it, see which joints fail.",
)


app.command("list")(list_names)
app.command("attack")(attack)
app.command("certify")(certify)
app.command("corrupt")(corrupt)
app.command("pull")(pull_models)
app.add_typer(
    typer.Typer(
        cls=StudyGroup,
        no_args_is_help=True,
        help="Run or resume a study; writes results.csv and the report page.",
    ),
    name="study",
)
app.command("report")(make_report)
app.command("status")(show_status)
app.command("verify")(verify_run)
app.command("merge")(merge_runs)
app.command("prune")(prune_run)
app.command("diff")(diff_runs)
app.command("export")(export_run)
app.command("train")(train_model)
data_app = typer.Typer(no_args_is_help=True, help="Show, export or check data sets.")
data_app.command("show")(show_people)
data_app.command("render")(render_people)
data_app.command("check")(check_files)
app.add_typer(data_app, name="data")
spec_app = typer.Typer(no_args_is_help=True, help="Check the model spec of a third-party model.")
spec_app.command("check")(check)
app.add_typer(spec_app, name="spec")
app.command("card", hidden=True, context_settings={"ignore_unknown_options": True})(renamed)
user_app = typer.Typer(
    no_args_is_help=True, help="Test whether people can see the perturbations: make the page, analyse the answers."
)
user_app.command("make")(make_user_study)
user_app.command("analyse")(analyse_user_study)
app.add_typer(user_app, name="userstudy")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"robustpose {__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line; every expected error is one line on stderr and exit code 2."""
    try:
        given = [re.sub("^--card(?=$|=)", "--spec", each) for each in sys.argv[1:]]  # the older name
        code = app(given, prog_name="robustpose", standalone_mode=False)
        if code == _INTERRUPTED:  # some versions of typer turn Ctrl-C into this
            raise KeyboardInterrupt
    except RobustPoseError as error:
        code = _fail(str(error))
    except typer.TyperException as error:
        # Without arguments, the help has already been printed and the message is empty.
        code = _fail(error.format_message()) if error.format_message() else 2
    except OSError as error:  # a folder that cannot be made, a full disk
        code = _fail(f"{error.filename or 'file system'}: {error.strerror or error}")
    except (typer.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would interrupt this message
        print("\nstopped; the same command continues where this one stopped", file=sys.stderr)
        code = _INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> int:
    print("error: " + printable(" ".join(message.split())), file=sys.stderr)
    return 2
