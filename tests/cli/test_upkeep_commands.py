"""The commands of upkeep on a real study's folder, from killed to merged."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.cli.test_errors import run

pytestmark = pytest.mark.slow

STUDY = (
    "study",
    "quick",
    "--models",
    "deeppose",
    "--n",
    "2",
    "--eps",
    "8",
    "--people-per-cell",
    "1",
    "--findings",
    "none",
)


def test_from_shards_to_one_exported_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for index in ("1", "2"):
        assert run(monkeypatch, *STUDY, "--shard", f"{index}/2", "--out", f"s{index}") == 0
    capsys.readouterr()
    assert run(monkeypatch, "status", "s1", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert 0 < status["done"] < status["total"]
    assert status["seconds_left"] > 0
    assert "--shard 1/2" in status["last_command"]
    assert run(monkeypatch, "merge", "s1", "s2", "--out", "all") == 0
    assert f"{status['total']} results copied" in capsys.readouterr().out
    assert run(monkeypatch, "status", "all") == 0
    assert f"{status['total']} of {status['total']} results are stored" in capsys.readouterr().out
    assert run(monkeypatch, "verify", "all") == 0
    assert "0 are damaged" in capsys.readouterr().out
    assert run(monkeypatch, "export", "all", "--format", "csv") == 0
    frame = pl.read_csv("all/predictions.csv")
    assert len(frame) == frame.select("attack", "eps").n_unique() * 2 * 16  # people, keypoints
    assert run(monkeypatch, "prune", "all") == 0
    assert "0 objects" in capsys.readouterr().out
    assert run(monkeypatch, *STUDY, "--out", "whole") == 0
    capsys.readouterr()
    assert run(monkeypatch, "diff", "whole", "all", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["facts"] == []
    assert {each["verdict"] for each in found["scores"]} == {"same predictions"}
    cell = min(Path("all/cells").iterdir())
    cell.write_bytes(cell.read_bytes().replace(b"sha256 ", b"sha257 "))
    assert run(monkeypatch, "verify", "all") == 1
    assert f"damaged: cells/{cell.name}" in capsys.readouterr().out
    assert run(monkeypatch, "report", "all") == 2
    assert "1 stored results are damaged" in capsys.readouterr().err
    assert run(monkeypatch, *STUDY, "--out", "all") == 0
    assert "set aside" in capsys.readouterr().err
    assert run(monkeypatch, "verify", "all") == 0


def test_a_study_in_an_object_store_equals_the_one_in_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("obstore", reason="object stores need obstore")
    from robustpose.jobs.places import open_place

    monkeypatch.chdir(tmp_path)
    url = "memory://commands/run"
    assert run(monkeypatch, *STUDY, "--out", url) == 0
    assert run(monkeypatch, *STUDY, "--out", "here") == 0
    place = open_place(url)
    for name in ("results.csv", "factors.csv", "report/index.html"):
        assert place.read(name) == Path("here", name).read_bytes()
    assert {*place.names("cells")} == {f"cells/{path.name}" for path in Path("here/cells").iterdir()}
    capsys.readouterr()
    assert run(monkeypatch, "status", url, "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["done"] == status["total"] > 0
    assert run(monkeypatch, "verify", url) == 0
    assert run(monkeypatch, "report", url) == 0
    capsys.readouterr()
    assert run(monkeypatch, "diff", "here", url, "--json") == 0
    assert {each["verdict"] for each in json.loads(capsys.readouterr().out)["scores"]} == {"same predictions"}
    assert run(monkeypatch, "study", "realism", "--out", url) == 2
    assert "give a folder as --out, not a URL" in capsys.readouterr().err
