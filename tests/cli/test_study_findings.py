"""`robustpose study` with findings: what is decided, on what, in shares, and again without computing anything."""

import csv
import json
from pathlib import Path

import pytest

from robustpose.findings import FINDINGS
from robustpose.studies.paper import PAPER
from tests.cli.test_errors import run

pytestmark = pytest.mark.slow

SMALL = ("study", "paper", "--models", "deeppose", "--n", "3", "--eps", "8", "--findings", "fig2a", "--out", "p")


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cells(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").glob("*.npz")}


def test_the_paper_study_makes_every_finding() -> None:
    assert set(PAPER.findings) == set(FINDINGS) - {"adaptive_defences"}  # of the study of defences


def test_run_again_it_computes_nothing_and_says_where_results_come_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, *SMALL, "--training", "none", "--tasks", "none", "--threads", "1") == 0
    assert "The paper's claims" in capsys.readouterr().out
    folder = tmp_path / "p"
    before, provenance = cells(folder), json.loads((folder / "provenance.json").read_text())
    (only,) = provenance["runs"]
    assert only["command"].startswith("robustpose study paper --models deeppose")
    assert (only["computed"], only["device"], only["threads"], only["engine"]) == (len(before), "cpu", 1, "local")
    assert provenance["cells"]["number"] == len(before)
    assert {row["eps"] for row in csv.DictReader((folder / "results.csv").read_text().splitlines())} == {
        "0/255",
        "8/255",
    }
    page = (folder / "report/findings.html").read_bytes()
    assert run(monkeypatch, *SMALL, "--training", "none", "--tasks", "none", "--threads", "1") == 0
    assert cells(folder) == before
    assert json.loads((folder / "provenance.json").read_text()) == provenance
    assert (folder / "report/findings.html").read_bytes() == page


def test_shards_compute_what_the_whole_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, *SMALL, "--shard", "2/2") == 0
    assert "shard 2/2 is done" in capsys.readouterr().out
    folder = tmp_path / "p"
    assert not (folder / "results.csv").exists()
    assert run(monkeypatch, *SMALL, "--shard", "1/2") == 0
    before = cells(folder)
    assert run(monkeypatch, *SMALL) == 0
    assert cells(folder) == before
    assert (folder / "results.csv").exists()
    assert {path.name for path in folder.glob("provenance*.json")} == {
        "provenance.json",
        "provenance-1-of-2.json",
        "provenance-2-of-2.json",
    }


def test_other_people_are_learned_on_only_where_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "data", "render", "synthpose", "--out", "people", "--n", "2", "--size", "128") == 0
    small = ("study", "paper", "--models", "deeppose", "--eps", "8", "--findings", "table1,steps", "--out", "p")
    walk = ("--steps-walk", "1", "--tasks", "none")
    assert run(monkeypatch, *small, *walk, "--data", "mpii:people/annotations.json") == 0
    shown = capsys.readouterr()
    assert "no universal perturbations are learned" in shown.err
    assert json.loads((tmp_path / "p/study.json").read_text())["training"] == ""
