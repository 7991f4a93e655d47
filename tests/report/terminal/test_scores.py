"""Tables on stdout: budgets in the unit that their title says."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from robustpose.analysis.minimum_norm import Curve, Line
from robustpose.jobs.setting import Setting
from robustpose.report.terminal import print_results, print_smallest, scores
from tests.report.html.fakes import fake_study
from tests.report.terminal.test_conclusion import row


@pytest.mark.parametrize(
    ("setting", "unit", "written", "median"),
    [
        (Setting("fmn", 8 / 255, objective="margin"), "255ths", ["0", "4", "8"], "2"),
        (Setting("fmn", 2.0, objective="margin", threat="l2"), "L2", ["0", "1", "2"], "0.00784"),
        (Setting("fmn", 100.0, objective="margin", threat="l0"), "pixels", ["0", "50", "100"], "0.00784"),
    ],
)
def test_a_curve_is_written_in_the_unit_of_its_threat(
    setting: Setting,
    unit: str,
    written: list[str],
    median: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = (
        Line(part="all", left=(90.0, 40.0, 12.5), median=2 / 255, n=30),
        Line(part="wrist", left=(80.0, 70.0, 60.0), median=math.inf, n=4),
    )
    curve = Curve(eps=(0.0, setting.eps / 2, setting.eps), lines=lines)
    monkeypatch.setattr(scores, "smallest_curve", lambda plan, attacked: curve)
    monkeypatch.setattr(scores, "metric_of", lambda plan: SimpleNamespace(name="PCKh@0.5"))
    attacked: Any = SimpleNamespace(setting=setting)
    plan: Any = None
    print_smallest(plan, attacked)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith(f"eps in {unit}")
    head, every, wrist = (line.split() for line in shown if line.split()[:1] in (["keypoint"], ["all"], ["wrist"]))
    assert head == ["keypoint", *written, "median", "n"]
    assert every == ["all", "90.0", "40.0", "12.5", median, "30"]
    assert wrist == ["wrist", "80.0", "70.0", "60.0", ">", "eps", "4"]


def test_scores_are_written_at_budgets_in_255ths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, _ = fake_study(tmp_path, names=("maps",), settings=(Setting("fgsm", 8 / 255), Setting("fgsm", 32 / 255)))
    rows = [
        row("maps", None, 81.0, 78.0, 84.0),
        row("maps", Setting("fgsm", 8 / 255), 40.0, 37.5, 42.5),
        replace(row("maps", Setting("fgsm", 0.5 / 255), 90.0, 88.0, 92.0), rounded=False),
    ]
    print_results(plan, rows)
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == "noise, PCKh@0.5, 95% intervals over 50 people; eps in 255ths"
    table = [line.split() for line in shown if line.startswith((" clean", " FGSM"))]
    assert table == [
        ["clean", "0", "clean", "81.0", "[78.0,", "84.0]"],
        ["FGSM-U", "8", "relative", "40.0", "[37.5,", "42.5]"],
        ["FGSM-U", "0.5", "*", "relative", "90.0", "[88.0,", "92.0]"],
    ]
    assert shown[-1].startswith("* eps below one 8-bit level")
