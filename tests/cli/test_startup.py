"""Help, lists and completion come before torch is imported, and name what the registries hold."""

import os
import resource
import subprocess
import sys

import pytest

from robustpose.attacks import ATTACKS
from robustpose.cli import catalogue
from robustpose.corruptions import CORRUPTIONS
from robustpose.data import DATASETS
from robustpose.data.synthpose.factors import FACTORS
from robustpose.defences import DEFENCES
from robustpose.faults import FAULTS
from robustpose.findings import FINDINGS
from robustpose.metrics import METRICS
from robustpose.models import TASKS, model_specs
from robustpose.objectives import OBJECTIVES
from robustpose.studies import STUDIES
from robustpose.threats import THREATS
from robustpose.train import ADVERSARIAL_TRAINING, Recipe
from robustpose.userstudy import Design
from tests.cli.test_errors import run

COMMANDS = (
    *("attack", "pull", "study", "study validity", "report", "train", "data show", "data render", "data check"),
    *("spec check", "userstudy make", "userstudy analyse"),
)
HEAVY = {"torch", "numpy", "polars", "matplotlib", "robustpose.models", "robustpose.jobs"}
CODE = """
import sys
from robustpose.cli import main
for line in sys.argv[1:]:
    sys.argv = ["robustpose", *line.split()]
    try:
        main()
    except SystemExit as stopped:
        assert not stopped.code, line
print("\\n", *sys.modules, file=sys.stderr)
"""


def start(*lines: str, **environment: str) -> tuple[str, set[str], float]:
    """Run commands in a process of its own: what they print, which modules they import, their CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", CODE, *lines], capture_output=True, text=True, env={**os.environ, **environment}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, set(done.stderr.splitlines()[-1].split()), seconds


@pytest.mark.parametrize("line", ["--help", "list", "list attacks", "attack --help", "study quick --help"])
def test_help_and_lists_take_little_time(line: str) -> None:
    shown, modules, seconds = start(line)
    assert shown
    assert modules & HEAVY == set()
    assert seconds < 1.0


def test_the_help_of_no_command_imports_what_computes() -> None:
    shown, modules, _ = start(*(f"{command} --help" for command in COMMANDS))
    assert shown.count("Usage") == len(COMMANDS)
    assert modules & HEAVY == set()


def completion(line: str) -> dict[str, str]:
    """What bash tells a command of which a line is being typed."""
    words = f"robustpose {line}"
    return {
        "_ROBUSTPOSE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }


def test_the_shell_completes_names_before_torch_is_imported() -> None:
    shown, modules, seconds = start("", **completion("attack --model sh"))
    assert {"shg2", "shg2@photos", "shg8"} <= {*shown.split()}
    assert all(name.startswith("sh") for name in shown.split())
    assert modules & HEAVY == set()
    assert seconds < 1.0


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("attack --model tf", ["tfjs:", "tflite:"]),
        ("attack --attack autop", ["autopose"]),
        ("attack --data c", ["coco", "crowdpose"]),
        ("attack --objective tr", ["training_loss", "training_loss_all"]),
        ("study quick --models shg2,resr", ["shg2,resreg", "shg2,resreg@photos"]),
        ("study quick --findings fig2a,table", ["fig2a,table1", "fig2a,table2"]),
        ("study q", ["quick"]),
        ("attack --defence med", ["median3", "median5"]),
        ("attack --model med", ["median3:", "median5:"]),
        ("list stu", ["studies"]),
        ("train act", ["action"]),
        ("pull movenet-t", ["movenet-thunder"]),
    ],
)
def test_the_shell_completes_names(
    line: str, names: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in completion(line).items():
        monkeypatch.setenv(name, value)
    assert run(monkeypatch) == 0
    assert capsys.readouterr().out.split() == names


def test_names_read_from_the_source_are_those_of_the_registries() -> None:
    held = {
        "models": (*model_specs(), *(f"{name}:MODEL" for name in DEFENCES)),
        "tasks": TASKS,
        "datasets": DATASETS,
        "attacks": ATTACKS,
        "corruptions": CORRUPTIONS,
        "threats": THREATS,
        "defences": DEFENCES,
        "adversarial_training": ADVERSARIAL_TRAINING,
        "faults": FAULTS,
        "factors": FACTORS,
        "objectives": OBJECTIVES,
        "metrics": METRICS,
        "studies": STUDIES,
        "findings": FINDINGS,
    }
    assert {kind: set(catalogue.known(kind)) for kind in catalogue.KINDS} == {
        kind: set(names) for kind, names in held.items()
    }
    for kind in catalogue.KINDS:
        for name, line in catalogue.known(kind).items():
            assert line, f"{name} of {kind} says nothing of itself"
            assert "\n" not in line


def test_defaults_read_from_the_source_are_those_of_the_classes() -> None:
    recipe = catalogue.literal("robustpose.train.recipe", "Recipe")
    assert recipe == {name: getattr(Recipe, name) for name in recipe}
    assert {"people", "samples", "batch", "lr", "half_body"} <= set(recipe)
    assert catalogue.literal("robustpose.userstudy.trials", "Design") == vars(Design())


def test_what_is_added_to_a_registry_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine() -> None:
        """Do it my way.

        And more.
        """

    monkeypatch.setitem(DATASETS, "mine", mine)
    assert catalogue.known("datasets")["mine"] == "Do it my way"
