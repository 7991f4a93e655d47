"""The command line: one function a command. Errors are one line on stderr and exit code 2.

Commands import what computes when they run, so that help, lists and completion do not wait for torch.
"""

import re
import sys

import typer

from robustpose.cli.attack import attack
from robustpose.cli.data import check_files, render_people, show_people
from robustpose.cli.listing import list_names
from robustpose.cli.pull import pull_models
from robustpose.cli.spec import check, renamed
from robustpose.cli.study import StudyGroup, make_report
from robustpose.cli.train import train_model
from robustpose.cli.userstudy import analyse_user_study, make_user_study
from robustpose.errors import RobustPoseError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How robust is a human pose estimator? Attack it, measure what breaks, see why.",
)


app.command("list")(list_names)
app.command("attack")(attack)
app.command("pull")(pull_models)
app.add_typer(
    typer.Typer(
        cls=StudyGroup,
        no_args_is_help=True,
        help="Run a study, or continue it: its cells, results.csv and the report page.",
    ),
    name="study",
)
app.command("report")(make_report)
app.command("train")(train_model)
data_app = typer.Typer(no_args_is_help=True, help="Look at people with their truth, write them, check files.")
data_app.command("show")(show_people)
data_app.command("render")(render_people)
data_app.command("check")(check_files)
app.add_typer(data_app, name="data")
spec_app = typer.Typer(no_args_is_help=True, help="Check what a model spec says of a model that others trained.")
spec_app.command("check")(check)
app.add_typer(spec_app, name="spec")
app.command("card", hidden=True, context_settings={"ignore_unknown_options": True})(renamed)
user_app = typer.Typer(no_args_is_help=True, help="Ask people whether they see a perturbation.")
user_app.command("make")(make_user_study)
user_app.command("analyse")(analyse_user_study)
app.add_typer(user_app, name="userstudy")


def main() -> None:
    """Run the command line; every expected error is one line on stderr and exit code 2."""
    try:
        given = [re.sub("^--card(?=$|=)", "--spec", each) for each in sys.argv[1:]]  # its name before
        code = app(given, prog_name="robustpose", standalone_mode=False)
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
