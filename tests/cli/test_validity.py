"""`robustpose study validity` as a person runs it: on shipped models, two people a side."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.studies.validity.agreement import Pair
from robustpose.studies.validity.run import print_agreement
from tests.cli.test_errors import run
from tests.data.files import write_coco_people
from tests.studies.validity.fakes import computed, sides

pytestmark = pytest.mark.slow

MODELS = "deeppose,resreg"


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("cells/*.npz")}


def test_sides_that_the_real_study_computed_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_coco_people(tmp_path / "photos", area=500)
    common = ("--models", MODELS, "--n", "2", "--eps", "8", "--threads", "1")
    real = ("study", "real", *common, "--metric", "pck")
    assert run(monkeypatch, *real, "--data", "synthpose:val", "--out", "v/rendered") == 0
    assert run(monkeypatch, *real, "--data", f"coco:{file}", "--min-keypoints", "2", "--out", "v/photos") == 0
    before = written(tmp_path)
    assert len(before) == 2 * 2 * 4  # sides, models, clean and three attacks
    capsys.readouterr()
    validity = ("study", "validity", *common, "--data", f"coco:{file}", "--min-keypoints", "2", "--out", "v")
    assert run(monkeypatch, *validity) == 0
    shown = capsys.readouterr().out
    assert "2 models on synthpose:val (2 people) and coco (2 people), PCK@0.1 over 12 keypoints" in shown
    assert "APGD-U-30-margin 8" in shown
    assert written(tmp_path) == before  # nothing was computed anew
    with (tmp_path / "v" / "validity.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {row["data"] for row in rows} == {"synthpose:val", "coco"}
    assert {row["metric"] for row in rows} == {"PCK@0.1"}
    with (tmp_path / "v" / "photos" / "results.csv").open() as lines:
        alone = {tuple(row.values()) for row in csv.DictReader(lines)}
    ours = {tuple(row.values()) for row in rows if row["data"] == "coco"}
    assert ours <= alone  # both are over the joints of the limbs; on rendered people alone there is a head, too
    assert (tmp_path / "v" / "report" / "index.html").is_file()
    assert run(monkeypatch, *validity, "--shard", "1/2") == 0
    assert "this shard is done" in capsys.readouterr().out


def test_the_metric_must_suit_the_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_coco_people(tmp_path / "photos", area=500)
    args = ("study", "real", "--models", MODELS, "--data", f"coco:{file}", "--metric", "pckh", "--n", "2")
    assert run(monkeypatch, *args) == 2
    assert "--metric pckh: coco has no head sizes" in capsys.readouterr().err


def test_what_misleads_is_named_and_what_is_undefined_is_a_dash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = computed(sides(), tmp_path)
    pairs = tuple(Pair(in_photos=f"net-{i}", in_rendered=f"net-{i + 1}") for i in range(14))
    nan = replace(found.lines[0].found.tau, value=math.nan, low=math.nan, high=math.nan)
    lines = tuple(
        replace(
            line,
            found=replace(line.found, tau=nan, one_order=nan, misleading=pairs if line.setting is None else ()),
        )
        for line in found.lines
    )
    print_agreement(replace(found, lines=lines), title="Title")
    shown = capsys.readouterr().out
    assert "misleading: net-0 is better than net-1 in photos, worse on rendered people: clean" in shown
    assert shown.count("misleading:") == 12
    assert "and 2 more pairs: see agreement.csv" in shown
    assert "nan" not in shown
    table = [
        line.split() for line in shown.splitlines() if line.strip().startswith(("clean", "attacked", "relative"))
    ]
    assert [line[0] for line in table] == ["clean", "attacked", "attacked", "relative", "relative"]
    clean = found.line("clean", None).found
    assert table[0][1:] == [
        "-",
        "-",
        str(clean.rendered),
        str(clean.photos),
        str(clean.both),
        str(clean.both - 14),
    ]
