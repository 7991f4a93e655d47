"""`robustpose attack` as a whole: what it says before, where results go, when it fails."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import robustpose
from robustpose.attacks import ATTACKS
from tests.cli.test_errors import run

FEW = ("attack", "--model", "deeppose", "--n", "3", "--eps", "2/255")


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_the_default_is_autopose_and_its_cost_comes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *FEW, "--steps", "20") == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("AUTOPOSE-U at 2/255: 3 people, at most 20 gradients each, at most ")
    assert "AUTOPOSE-U at 2/255 ran with 20 gradients per person, fewer than its own number" in shown.out
    assert run(monkeypatch, *FEW, "--steps", "20") == 0
    assert "at most" not in capsys.readouterr().err, "everything is stored, so nothing is computed"


def test_a_quick_attack_names_the_stronger_one_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *FEW, "--quick") == 0
    sentences = capsys.readouterr().out.partition("relative")[2].splitlines()
    first = next(line for line in sentences if "weaker" in line)
    assert first.endswith("robustpose attack --model deeppose --attack autopose --eps 2/255 --n 3")
    page = next(Path("runs").glob("*/report/index.html")).read_text()
    assert page.index("is weaker than autopose") < page.index('<p class="lede">')
    assert "strongest attack" not in page.partition("What this does not show")[0].lower()


@pytest.mark.slow
def test_the_gate_of_a_build(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, *FEW, "--quick", "--fail-under", "0", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    above = str(found["relative"]["high"] + 1)
    assert run(monkeypatch, *FEW, "--quick", "--fail-under", above, "--json") == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["relative"] == found["relative"], "the result is printed all the same"
    assert f"--fail-under {float(above):g}" in shown.err


@pytest.mark.slow
def test_another_study_in_a_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *FEW, "--quick", "--out", "here") == 0
    table = Path("here/results.csv").read_bytes()
    capsys.readouterr()
    assert run(monkeypatch, *FEW[:-1], "4/255", "--quick", "--out", "here") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: here holds another study (settings APGD-U-20-soft_margin at 2/255)")
    assert "--force" in line
    assert Path("here/results.csv").read_bytes() == table
    assert run(monkeypatch, *FEW[:-1], "4/255", "--quick", "--out", "here", "--force") == 0
    assert Path("here/results.csv").read_bytes() != table


def test_steps_that_cannot_use_the_budget_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("attack", "--model", "deeppose", "--n", "2", "--attack", "pgd")
    assert run(monkeypatch, *args, "--steps", "4") == 0
    assert "4 steps use at most 50% of the budget 8/255; --steps 8 or more can use all of it" in (
        capsys.readouterr().err
    )
    assert run(monkeypatch, *args, "--steps", "8") == 0
    assert "of the budget" not in capsys.readouterr().err


@pytest.mark.slow
def test_more_people_than_there_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "data", "render", "synthpose", "--n", "2", "--size", "128", "--out", "few") == 0
    args = ("attack", "--model", "deeppose", "--data", "mpii:few/annotations.json", "--attack", "fgsm", "--n", "9")
    assert run(monkeypatch, *args) == 0
    assert "--n 9: mpii has only 2 people, and all of them take part" in capsys.readouterr().err


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"robustpose {robustpose.__version__}\n"


@pytest.mark.parametrize("name", ATTACKS)
def test_the_listed_cost_is_that_of_the_attack(name: str) -> None:
    spec = ATTACKS[name]
    numbers = spec.numbers()
    most = int(numbers.get("gradients", numbers.get("steps", 1))) * int(numbers.get("draws", 1))
    unit = "gradient" if spec.needs == "gradients" else "query"
    many = unit if most == 1 else {"gradient": "gradients", "query": "queries"}[unit]
    assert spec.cost.removeprefix("at most ").removesuffix(" per keypoint") == f"{most} {many}"
    assert spec.cost.endswith("per keypoint") == bool(numbers.get("each"))


def test_attacks_are_listed_with_what_they_need_and_cost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "list", "attacks") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() == {*ATTACKS}
    for name, spec in ATTACKS.items():
        assert f"{spec.needs} " in lines[name] and f"{spec.cost} " in lines[name]
        assert lines[name].endswith(spec.summary)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 1.5, 4.0])
def test_ctrl_c_is_one_line_at_any_moment(seconds: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "robustpose", "attack", "--model", "shg2", "--n", "50", "--out", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run_:
        time.sleep(seconds)
        run_.send_signal(signal.SIGINT)
        _, err = run_.communicate(timeout=120)
    assert "Traceback" not in err
    assert run_.returncode in (130, -signal.SIGINT)  # the latter before Python has started
