"""`robustpose certify` as a user runs it."""

import json
from pathlib import Path

import polars as pl
import pytest

from robustpose.cli import main
from robustpose.jobs import certificate


def run(*args: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["robustpose", "certify", *args])
        with pytest.raises(SystemExit) as stopped:
            main()
    return int(stopped.value.code or 0)


@pytest.mark.slow
def test_certified_scores_fall_with_the_radius_and_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    args = ("--model", "resreg", "--n", "3", "--n-samples", "100", "--sigma", "0.05", "--out", "found")
    assert run(*args) == 0
    said = capsys.readouterr().out
    assert "synthpose:val, sigma 0.05, 100 noisy copies, alpha 0.001" in said
    rows = pl.read_csv("found/certificates.csv")
    whole = rows.filter((pl.col("part") == "all") & (pl.col("metric") == "PCKh@0.5"))
    assert whole["measure"].to_list() == ["clean", "smoothed", *["certified"] * 5]
    certified = whole.filter(pl.col("measure") == "certified")
    assert certified["value"].is_sorted(descending=True)
    assert certified["value"][0] <= whole["value"][1]
    assert whole.filter(pl.col("radius") > 0)["rms"][0] == pytest.approx(255 * certified["radius"][1] / 49152**0.5)
    assert (Path("found") / "figures" / "certified-pckh-0-5.svg").read_text().startswith("<svg")

    monkeypatch.setattr(certificate, "sampled_keypoints", None)  # a second run computes nothing
    assert run(*args, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert [row["value"] for row in again if row["part"] == "all" and row["metric"] == "PCKh@0.5"] == whole[
        "value"
    ].to_list()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--threat", "linf"), "--threat linf: median smoothing certifies l2 only"),
        (("--sigma", "0"), "sigma must be > 0, in [0, 1] units, got 0"),
        (
            ("--radii", "0.1,9"),
            "radius 9 needs more than 1000 samples: at sigma 0.25 and alpha 0.001 they certify",
        ),
        (("--radii", "far"), "--radii must be numbers such as 0.125,0.25, got 'far'"),
        (("--n-samples", "1"), "too few samples to certify any radius; raise --n-samples"),
    ],
)
def test_bad_input_is_one_line(args: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "resreg", "--n", "2", *args) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and not said.out
