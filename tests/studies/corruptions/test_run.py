"""The corruptions study from the command line."""

import csv
from pathlib import Path

import pytest

from tests.cli.adding import in_a_new_folder as in_a_new_folder
from tests.cli.test_errors import run
from tests.data.files import real_file

MODELS = ("shg2", "deeppose")
STUDY = ("study", "corruptions", "--models", "shg2,deeppose", "--n", "3")
SMALL = ("--corruptions", "fog,pixelate,occluder", "--severities", "1,4", "--limits", "jpeg")


def lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_whole_study_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (*STUDY, *SMALL, "--attacks", "fgsm", "--attacked", "2", "--people-per-cell", "2", "--out", "out")
    assert run(monkeypatch, *command) == 0
    shown = capsys.readouterr().out
    assert "Corruption and attack" in shown and "Limits at a relative score of 90%" in shown
    folder = tmp_path / "out"
    scores = lines(folder / "corruptions.csv")
    whole = [row for row in scores if (row["part"], row["measure"]) == ("all", "corrupted")]
    assert len(whole) == 2 * 3 * 2
    summary = {
        (row["model"], row["by"], row["group"], row["measure"]): float(row["value"] or "nan")
        for row in lines(folder / "summary.csv")
    }
    for model in MODELS:
        mean = sum(float(row["value"]) for row in whole if row["model"] == model) / 6
        assert summary[model, "all", "all", "mPC"] == pytest.approx(mean, abs=1e-3)
        clean = summary[model, "all", "all", "clean"]
        assert summary[model, "all", "all", "rPC"] == pytest.approx(100 * mean / clean, abs=1e-3)
    limits = [(row["model"], row["axis"], row["share"]) for row in lines(folder / "limits.csv")]
    assert limits == [(model, "jpeg", share) for model in MODELS for share in ("90.0000", "50.0000")]
    beside = {row["measure"] for row in lines(folder / "beside.csv")}
    assert beside == {"clean", "mPC", "rPC", "relative FGSM-U at 2/255"}
    page = (folder / "report/index.html").read_text()
    assert page.count('<figure class="plot card">') == 1 + 3
    assert (folder / "report/contact.jpg").exists()
    before = files(folder)
    assert run(monkeypatch, *command) == 0
    assert files(folder) == before, "nothing is computed again, and the outputs are the same bytes"
    assert '"computed"' in (folder / "provenance.json").read_text()


@pytest.mark.slow
def test_photos_as_advmix_saved_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, images = real_file("mpii_part/valid.json"), real_file("mpii_part/valid.json").parent / "images"
    command = (
        *STUDY,
        "--corruptions",
        "gaussian_noise",
        "--severities",
        "1",
        "--limits",
        "none",
        "--attacked",
        "0",
    )
    photos = ("--data", f"mpii:{data}", "--images", str(images))
    scores = {}
    for protocol in ("crop", "photo", "advmix"):
        assert run(monkeypatch, *command, *photos, "--protocol", protocol, "--out", protocol) == 0
        scores[protocol] = (tmp_path / protocol / "corruptions.csv").read_bytes()
        shown = capsys.readouterr().out
        assert ("saved as JPEG at quality 75 as AdvMix did" in shown) == (protocol == "advmix")
        assert "HRNet-W32" in shown, "the published rows of MPII stand beside ours"
    assert len(set(scores.values())) == 3


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--protocol", "advmix"], "--protocol advmix corrupts whole photos, and synthpose:val has none"),
        (["--protocol", "advmx"], "unknown protocol 'advmx'; did you mean 'advmix'?"),
        (["--corruptions", "zoomblur"], "unknown corruption 'zoomblur'; did you mean 'zoom_blur'?"),
        (["--severities", "0,6"], "severity must be an integer from 1 to 5, got 0"),
        (["--severities", "x"], "--severities must be numbers from 1 to 5"),
        (["--limits", "ligt"], "unknown axis 'ligt'; did you mean 'light'?"),
        (["--attacks", "igms"], "unknown attack 'igms'; did you mean 'igsm'?"),
        (["--eps", "1,2"], "--eps must be one budget"),
        (["--n", "0"], "--n must be at least 1, got 0"),
    ],
)
def test_wrong_options(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    line: str,
    tmp_path: Path,
) -> None:
    assert run(monkeypatch, "study", "corruptions", "--models", "deeppose", *options) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {line}") and shown.count("\n") == 1
    assert not (tmp_path / "runs").exists()
