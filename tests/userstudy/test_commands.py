"""`robustpose userstudy` as a person runs it, from a study to numbers."""

import csv
import json
from pathlib import Path

import pytest

from robustpose.jobs.run import LocalEngine, run_all
from robustpose.jobs.store import Store
from robustpose.study.plan import Plan, workbench
from robustpose.study.saved import load_study, open_store, save_study
from tests.cli.test_errors import run
from tests.study.study_fakes import SETTINGS, plan
from tests.userstudy.observers import answers, made_up_trials, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished study of tiny models, which the command opens in place of real ones."""
    made = plan(n=3, settings=SETTINGS[:2])
    run_all(list(made.all_cells()), workbench(made), Store(tmp_path / "study"), engine=LocalEngine())
    save_study(made.study, tmp_path / "study")

    def opened(study: Path) -> tuple[Plan, Store]:
        assert load_study(study) == made.study
        return made, open_store(study)

    monkeypatch.setattr("robustpose.study.saved.reopen", opened)
    monkeypatch.chdir(tmp_path)
    return tmp_path


MAKE = ("userstudy", "make", "study", "--net", "linear", "--attack", "IGSM-U-3", "--out", "page")


def test_from_a_study_to_a_threshold(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *MAKE, "--trials", "9") == 0
    shown = capsys.readouterr().out
    assert "page/index.html" in shown
    key = json.loads((folder / "page/trials.json").read_text())
    assert key["study"] in shown
    assert (key["net"], key["attack"], len(key["trials"])) == ("linear", "IGSM-U-3", 15)
    sees = {"attack": 1 / 255, "noise": 30 / 255}
    files = [
        write(folder, answers(key["trials"], number, thresholds=sees, study=key["study"], looks=number < 6))
        for number in range(7)
    ]
    names = [str(file) for file in files]
    assert run(monkeypatch, "userstudy", "analyse", *names, "--page", "page", "--out", "table.csv") == 0
    text = capsys.readouterr().out
    assert (
        "6 participants, 1 excluded (fewer than 80% of the catch trials correct, or fewer than 3 answered)" in text
    )
    assert "attack: 75% correct is exceeded already at 8/255" in text
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert [(row["kind"], row["eps"], row["trials"]) for row in rows] == [
        ("attack", "8/255", "36"),
        ("noise", "8/255", "18"),
    ]
    assert run(monkeypatch, "userstudy", "analyse", *names, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["study"], found["participants"], len(found["left_out"])) == (key["study"], 6, 1)
    assert found["rates"][0]["right"] == pytest.approx(float(rows[0]["right"]), abs=1e-3)
    assert found["thresholds"][0]["value"] is None
    assert found["says"][0].startswith("attack: 75% correct is exceeded already at 8/255")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("--net", "liner"), "unknown model of the study 'liner'; did you mean 'linear'?"),
        (("--attack", "IGSM-U-4"), "'IGSM-U-4'; did you mean 'IGSM-U-3'?"),
        (("--trials", "1"), "raise --trials"),
        (("--trials", "many"), "Invalid value for '--trials'"),
        (("--scale", "0"), "--scale must be between 1 and 20, got 0"),
    ],
)
def test_make_says_what_is_wrong_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, ...],
    line: str,
) -> None:
    assert run(monkeypatch, *MAKE, *change) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert line in shown.err
    assert not (folder / "page").exists()


def test_a_folder_without_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "userstudy", "make", str(tmp_path), "--out", str(tmp_path / "page")) == 2
    assert "contains no study" in capsys.readouterr().err


def test_analyse_says_what_is_wrong_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sees = {"attack": 4 / 255, "noise": 4 / 255}
    good = write(tmp_path, answers(made_up_trials(each=1), 0, thresholds=sees))
    other = write(tmp_path, answers(made_up_trials(each=1), 1, thresholds=sees, study="s2"))
    for args, line in (
        ([str(tmp_path / "no.json")], "no.json: no such file"),
        ([str(good), str(other)], "analyse one study at a time"),
        ([str(good), "--out", str(tmp_path / "nowhere/table.csv")], "cannot write table.csv"),
        ([], "Missing argument"),
    ):
        assert run(monkeypatch, "userstudy", "analyse", *args) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
        assert line in shown.err
