"""`report FOLDER`: the same page from stored results alone; nothing that the folder names is run."""

import json
from pathlib import Path

import pytest

from tests.cli.test_errors import run

MODEL = """
import torch
from torch import nn

from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16
from robustpose.types import (PoseOutput)


class Model(nn.Module):
    skeleton, input_size, head = MPII_16, (32, 32), HeatmapHead(input_size=(32, 32), heatmap_size=(8, 8))

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.maps = nn.Conv2d(3, 16, 4, stride=4)

    def forward(self, images):
        maps = self.maps(images)
        keypoints, scores = self.head.decode(maps)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(maps,))


def make():
    return Model().eval()
"""
RUNS = "from pathlib import Path\nPath('ran').touch()\n"
OUTPUTS = ("results.csv", "factors.csv", "report/index.html", "report/findings.html")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A finished study of a model of the user's own, whose file now holds other code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MODEL)
    narrow = ("--n", "2", "--eps", "8/255", "--tasks", "none", "--training", "none", "--findings", "table2")
    assert run(monkeypatch, "study", "quick", "--models", "torch:mine.py:make", *narrow, "--out", "made") == 0
    (tmp_path / "mine.py").write_text(RUNS + MODEL)
    return tmp_path / "made"


@pytest.mark.slow
@pytest.mark.parametrize("described", [True, False], ids=["described", "older"])
def test_a_report_runs_no_code_that_its_folder_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, described: bool
) -> None:
    if not described:  # as older versions wrote it
        held = json.loads((folder / "study.json").read_text())
        del held["described"]
        (folder / "study.json").write_text(json.dumps(held))
    before = contents(folder)
    assert run(monkeypatch, "report", str(folder), "--out", "page") == 0
    assert not Path("ran").exists()
    assert contents(folder) == before, "the study's folder may be read-only"
    assert {name: Path("page", name).read_bytes() for name in OUTPUTS} == {name: before[name] for name in OUTPUTS}
    assert run(monkeypatch, "report", str(folder)) == 0
    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["torch:other.py:make", "flip:torch:mine.py:make", "callable:mine.py:make"])
def test_an_older_folder_with_another_model_in_it_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spec: str
) -> None:
    held = json.loads((folder / "study.json").read_text())
    del held["described"]
    (folder / "study.json").write_text(json.dumps(held | {"models": ["torch:mine.py:make", spec]}))
    assert run(monkeypatch, "report", str(folder)) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not Path("ran").exists()


def test_a_description_that_cannot_be_read_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = json.loads((folder / "study.json").read_text())
    described: tuple[object, ...] = ([], {"models": 3}, {"models": [{"name": "mine"}], "tasks": []})
    for wrong in described:
        (folder / "study.json").write_text(json.dumps(held | {"described": wrong}))
        assert run(monkeypatch, "report", str(folder)) == 2
        assert "the description of its models is damaged" in capsys.readouterr().err
    assert not Path("ran").exists()
