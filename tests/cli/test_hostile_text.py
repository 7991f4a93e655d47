"""Names and ids of others: nothing in them is obeyed by a terminal or a spreadsheet."""

import csv
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.analysis.scores import all_rows, write_results
from robustpose.errors import RobustPoseError, printable
from robustpose.jobs.store import Store
from robustpose.report.terminal.progress import PlainConsole
from robustpose.study.plan import run_cells
from tests.cli.test_errors import run
from tests.study.study_fakes import SETTINGS, plan, tiny_models

ESCAPES = "\x1b[2J\x1b]0;title\x07 \x9b31m \u202e \ud800 [red]:link:[/red]"


def test_a_name_with_escapes_and_markup_is_shown_and_not_obeyed() -> None:
    from rich.table import Table

    shown = io.StringIO()
    console = PlainConsole(file=shown, width=200, force_terminal=True)
    console.print(ESCAPES)
    table = Table()
    table.add_column(ESCAPES)
    table.add_row(ESCAPES)
    console.print(table)
    said = shown.getvalue()
    for forbidden in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e", "\ud800", "\U0001f517"):
        assert forbidden not in said
    assert re.sub(r"\x1b\[[\d;]*m", "", said).count("[red]:link:[/red]") == 3


def test_an_error_shows_no_escapes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "attack", "--model", ESCAPES.replace("\ud800", "")) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert printable(said) == said
    assert "[red]" in said


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx"])
def test_a_formula_in_a_name_is_text_in_results_csv(name: str, tmp_path: Path) -> None:
    linear, heatmaps = tiny_models()
    tiny = plan(n=3, settings=SETTINGS[:1], models=(replace(linear, name=name), heatmaps))
    store = Store(tmp_path / "store")
    run_cells(tiny, store)
    write_results(all_rows(tiny, store), tmp_path / "results.csv")
    names = {row["model"] for row in csv.DictReader((tmp_path / "results.csv").read_text().splitlines())}
    assert names == {f"'{name}", "heatmaps"}


@pytest.mark.parametrize(
    "args",
    [["study", "quick"], ["attack", "--model", "shg2"], ["train", "shg2"]],
)
def test_a_seed_of_twenty_two_digits_is_one_line(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *args, "--seed", str(10**21)) == 2
    assert "'--seed'" in capsys.readouterr().err


def test_a_seed_of_twenty_two_digits_is_refused_from_python() -> None:
    import robustpose as rp

    with pytest.raises(RobustPoseError, match="seed must be at most"):
        rp.attack("shg2", seed=10**21)


TWICE = """
import os, signal, sys
from robustpose import cli
class Twice:
    def __init__(self, stream): self.stream = stream
    def write(self, text):
        os.kill(os.getpid(), signal.SIGINT)  # again, while the first is answered
        return self.stream.write(text)
    def __getattr__(self, name): return getattr(self.stream, name)
def stopped(*args, **more):
    raise KeyboardInterrupt
cli.app = stopped
sys.stderr = Twice(sys.stderr)
cli.main()
"""


def test_a_second_ctrl_c_is_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert done.stderr == "\nstopped; the same command continues where this one stopped\n"
