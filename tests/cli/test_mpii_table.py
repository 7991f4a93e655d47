"""MPII's official table where MPII's people have head sizes, and nowhere else."""

import json
from pathlib import Path

import pytest

from robustpose.cli import main

from ..data.files import mpii_person, noise, write_json, write_photo

pytestmark = pytest.mark.slow


def attack(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.setattr("sys.argv", ["robustpose", "attack", "--model", "deeppose", "--attack", "fgsm", *args])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0


def test_the_official_table_stands_beside_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "images" / "a.png", noise())
    people = [mpii_person(head_size=30.0), mpii_person(head_size=90.0)]
    data = f"mpii:{write_json(tmp_path / 'valid.json', people)}"
    attack(monkeypatch, "--data", data, "--json")
    result = json.loads(capsys.readouterr().out)
    assert set(result["mpii"]) == {"clean", "attacked"}
    for when in ("clean", "attacked"):
        table = result["mpii"][when]
        assert table["Mean"]["value"] == result[when]["value"]
        assert table["Mean"]["n"] == 2
        assert table["Ankle"]["value"] is not None
        assert table["Head"]["value"] is None  # nobody's is labelled
    assert result["mpii"]["clean"]["Ankle"]["value"] == result["per_joint"]["ankle"]["clean"]["value"]
    attack(monkeypatch, "--data", data)
    assert "MPII's PCKh" in capsys.readouterr().out


def test_other_data_have_no_such_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "images" / "a.png", noise())
    data = f"mpii:{write_json(tmp_path / 'valid.json', [mpii_person()])}"  # no head sizes
    attack(monkeypatch, "--data", data, "--json")
    assert "mpii" not in json.loads(capsys.readouterr().out)
