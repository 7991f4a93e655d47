"""`robustpose study NAME`, a command built from each study's options, and `robustpose report`."""

import inspect
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from robustpose.cli.catalogue import annotated, argument, known
from robustpose.cli.naming import study_folder
from robustpose.cli.options import as_option, refuse_options
from robustpose.errors import RobustPoseError, unknown_name, writing_to

OutOption = Annotated[
    str,
    typer.Option(help="Folder or URL (s3://BUCKET/RUN) for the results; default: runs/NAME and the options given"),
]


class StudyCommand(TyperCommand):
    """A study by name; its command is built when called, because building it imports the options."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Pass the arguments to the command with the study's options."""
        assert self.name is not None
        return _command(self.name).make_context(info_name, args, parent=parent, **extra)


class StudyGroup(TyperGroup):
    """The studies of STUDIES as commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the studies."""
        return [*known("studies")]

    def get_command(self, ctx: Any, cmd_name: str) -> StudyCommand | None:
        """Return a study's command."""
        said = known("studies").get(cmd_name)
        return None if said is None else StudyCommand(cmd_name, help=said)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept the study's name in any position: `study --n 5 quick` is `study quick --n 5`."""
        named = [each for each in args if each in known("studies")]
        if args and args[0].startswith("-") and named:
            args.remove(named[0])
            args.insert(0, named[0])
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the study; RobustPoseError for an unknown name."""
        if args[0] not in known("studies") and not ctx.resilient_parsing:
            raise unknown_name("study", args[0], known("studies"))
        return super().resolve_command(ctx, args)


def _command(name: str) -> TyperCommand:
    """Make a study's command: its own options, and hidden ones of other studies, which it refuses by name."""
    own = _options_of(name)
    others = {
        each: kind for other in known("studies") if other != name for each, kind in _fields_of(other).items()
    }

    def run(context: typer.Context, **given: Any) -> None:
        refuse_options(context, {"out", *(each.name for each in fields(own))}, what=f"study {name!r}")
        from robustpose.jobs.places import folder_of, is_url, publish
        from robustpose.report import terminal
        from robustpose.studies import STUDIES
        from robustpose.study.options import RunOptions

        options = own(**{each.name: given[each.name] for each in fields(own)})
        spec = STUDIES[name]
        study = spec.make(options)
        for line in spec.remarks(options):
            terminal.say(line)
        if is_url(given["out"]) and not isinstance(options, RunOptions):
            raise RobustPoseError(f"study {name} writes files of its own; give a folder as --out, not a URL")
        folder = folder_of(given["out"]) if given["out"] else study_folder(name, options)
        spec.run(study, folder, options)
        publish(folder)

    hints = get_type_hints(own)
    parameters = {
        "context": _parameter("context", typer.Context),
        **{
            each.name: _parameter(each.name, Annotated[hints[each.name], as_option(each)], each.default)
            for each in fields(own)
        },
        "out": _parameter("out", OutOption, ""),
    }
    for each, kind in others.items():
        parameters.setdefault(each, _hidden(each, kind))
    run.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters.values()}
    one = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    one.command(name, help=f"{known('studies')[name]}.")(run)
    made = typer.main.get_command(one)
    assert isinstance(made, TyperCommand)
    return made


def _hidden(name: str, kind: str) -> inspect.Parameter:
    """Make a hidden parameter that accepts any value, so that the command can refuse it by name."""
    about = typer.Option(f"--{name.replace('_', '-')}", hidden=True)
    if kind == "bool":
        return _parameter(name, Annotated[bool, about], False)
    return _parameter(name, Annotated[str, about], "")


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _options_of(name: str) -> type[Any]:
    """Return the dataclass of a study's options, without importing STUDIES if possible."""
    written = argument("robustpose.studies", "STUDIES", name, "options")
    if written is not None:
        module, options = written
        found: type[Any] = getattr(import_module(module), options)
        return found
    from robustpose.studies import STUDIES

    return STUDIES[name].options


def _fields_of(name: str) -> dict[str, str]:
    """Return the names of a study's options with their types as text, without importing the study if possible.

    An options class beside its study is read from the source; those of study/options.py import nothing heavy.
    """
    written = argument("robustpose.studies", "STUDIES", name, "options")
    if written is not None and not written[0].startswith("robustpose.study."):
        return annotated(*written)
    return {each.name: getattr(each.type, "__name__", str(each.type)) for each in fields(_options_of(name))}


def make_report(
    folder: Annotated[str, typer.Argument(help="Folder or URL of a study")] = "runs/quick",
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the study's folder")] = None,
) -> None:
    """Rebuild results.csv and the report page from a study's stored results, without running any model."""
    from robustpose import findings
    from robustpose.analysis.scores import all_rows
    from robustpose.jobs.places import folder_of, publish
    from robustpose.studies import STUDIES
    from robustpose.studies.running import say_where, write_outputs
    from robustpose.study.options import MeasuringOptions
    from robustpose.study.saved import check_cells, reopen

    held = folder_of(folder)
    plan, store = reopen(held)
    name = plan.study.name
    if name in STUDIES and issubclass(STUDIES[name].options, MeasuringOptions):
        raise RobustPoseError(
            f"{folder} holds study {name}, whose page the command that made it rebuilds, computing nothing anew"
        )
    check_cells(store, [*plan.all_cells(), *findings.asked(plan)])
    out = out or held
    with writing_to(out, "name a writable folder with free space, as --out"):
        out.mkdir(parents=True, exist_ok=True)
        write_outputs(plan, store, all_rows(plan, store), out)
    if out == held:
        publish(held)
    say_where(out)
