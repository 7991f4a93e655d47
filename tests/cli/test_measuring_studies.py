"""Studies that measure without attacking, as a person runs them: twice, from blocks to the page."""

import csv
from pathlib import Path

import pytest

from tests.cli.test_errors import run
from tests.data.files import write_coco_people

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("cells/*.npz")}


def lines_of(file: Path) -> list[dict[str, str]]:
    with file.open() as lines:
        return list(csv.DictReader(lines))


def test_faults_on_photos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_coco_people(tmp_path / "photos", area=500)
    study = (
        "study",
        "faults",
        "--models",
        "shg2,deeppose",
        "--data",
        f"coco:{file}",
        "--n",
        "3",
        "--threads",
        "1",
    )
    chosen = ("--faults", "box-jitter,colour-order,precision,decoding")
    assert run(monkeypatch, *study, *chosen, "--out", "out") == 0
    shown = capsys.readouterr()
    assert "shg2, deeppose with 4 deployment faults, on 3 people of coco, scored by PCK@0.1." in shown.out
    assert "decoding (argmax, quarter) does not apply to deeppose" in shown.err
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "IoU with the right box" in page
    before = written(tmp_path)
    assert len(before) == 2 * (1 + 6 + 1 + 4) + 1
    lines = lines_of(tmp_path / "out" / "results.csv")
    assert {line["fault"] for line in lines} == {"", "box-jitter", "colour-order", "precision", "decoding"}
    assert run(monkeypatch, *study, *chosen, "--out", "out") == 0
    assert written(tmp_path) == before, "run again it computes nothing"
    assert (tmp_path / "out" / "report" / "index.html").read_text() == page
    assert run(monkeypatch, *study, "--faults", "mirrored", "--shard", "1/2", "--out", "out") == 0
    assert "shard 1/2 is done" in capsys.readouterr().out
    assert run(monkeypatch, "report", "out") == 2
    assert "out holds study faults, whose page the command that made it rebuilds" in capsys.readouterr().err
    assert run(monkeypatch, *study[:-4], "--n", "2", "--out", "out") == 2
    assert "out holds another study (n 3)" in capsys.readouterr().err


def test_jitter_on_photos_and_clips(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_coco_people(tmp_path / "photos", area=500)
    study = ("study", "jitter", "--models", "deeppose", "--data", f"coco:{file}", "--n", "2", "--threads", "1")
    monkeypatch.setattr("robustpose.studies.jitter.FRAMES", 3)
    assert run(monkeypatch, *study, "--copies", "3", "--clips", "1", "--out", "out") == 0
    shown = capsys.readouterr().out
    assert "deeppose on 3 copies of 2 people of coco, and on 1 rendered clips of 3 frames." in shown
    assert "deeppose on rendered clips of 3 frames: per frame a keypoint goes" in shown
    assert len(written(tmp_path)) == 1 + 2 * 3 + 3
    measures = {(line["change"], line["measure"]) for line in lines_of(tmp_path / "out" / "results.csv")}
    assert ("noise", "spread") in measures
    assert ("clips", "step error") in measures
    before = written(tmp_path)
    assert run(monkeypatch, *study, "--copies", "3", "--clips", "0", "--out", "out") == 0
    assert written(tmp_path) == before, "fewer clips are no new cells"
    assert "rendered clips" not in capsys.readouterr().out


def test_factors_of_rendered_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = ("study", "factors", "--models", "deeppose", "--n", "2", "--threads", "1", "--factors", "skin,crowd")
    assert run(monkeypatch, *study, "--out", "out") == 0
    assert (
        "deeppose on 2 people of synthpose:val, each rendered again with one of 2 factors"
        in capsys.readouterr().out
    )
    lines = [line for line in lines_of(tmp_path / "out" / "results.csv") if line["part"] == "all"]
    assert [(line["factor"], line["level"]) for line in lines] == [
        *(("", ""), ("skin", "light"), ("skin", "dark"), ("crowd", "alone"), ("crowd", "two"))
    ]
    for line in lines[1:]:
        assert float(line["effect"]) == pytest.approx(float(line["score"]) - float(lines[0]["score"]), abs=0.002)
    before = written(tmp_path)
    assert len(before) == 5
    assert run(monkeypatch, *study, "--out", "out") == 0
    assert written(tmp_path) == before
    # The same people are open to every other command.
    assert run(monkeypatch, "attack", "--model", "deeppose", "--data", "synthpose:val,skin=dark", "--n", "2") == 0
    assert "synthpose:val,skin=dark" in (tmp_path / "runs").rglob("results.csv").__next__().read_text()


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("factors", "--factors", "ligth"), "unknown factor 'ligth'; did you mean 'light'?"),
        (("factors", "--data", "synthpose:val,light=shade"), "study factors changes the factors itself"),
        (
            ("factors", "--data", "synthpose:val,sin=shade"),
            "unknown factor of synthpose 'sin'; did you mean 'skin'?",
        ),
        (("jitter", "--copies", "1"), "Invalid value for '--copies'"),
        (("jitter", "--clips", "1001"), "--clips must be at most 1000, the people of synthpose:val, got 1001"),
        (("jitter", "--data", "synthpose:val+synthpose:test"), "crops cannot be cut again"),
        (("jitter", "--faults", "mirrored"), "study 'jitter' does not take --faults"),
    ],
)
def test_what_the_others_refuse(
    args: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "study", *args, "--models", "deeppose") == 2
    shown = capsys.readouterr()
    assert line in shown.err
    assert shown.err.count("\n") == 1
    assert not Path("runs").exists()


def test_factors_of_photos_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_coco_people(tmp_path / "photos", area=500)
    assert run(monkeypatch, "study", "factors", "--models", "deeppose", "--data", f"coco:{file}") == 2
    assert "so --data must be synthpose:SPLIT; got coco:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("--faults", "colour-oder"), "unknown fault 'colour-oder'; did you mean 'colour-order'?"),
        (("--eps", "8"), "study 'faults' does not take --eps"),
        (("--data", "synthpose:val+synthpose:test"), "crops cannot be cut again; expected one data set of photos"),
        (("--n", "0"), "--n must be at least 1, got 0"),
        (("--metric", "oks"), "metric 'oks' is not a mean over keypoints"),
    ],
)
def test_what_the_fault_study_refuses(
    args: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "study", "faults", "--models", "deeppose", *args) == 2
    shown = capsys.readouterr()
    assert line in shown.err
    assert shown.err.count("\n") == 1
    assert not Path("runs").exists()
