"""`robustpose spec check`: what it prints, and how it ends."""

import sys
from pathlib import Path

import pytest

from robustpose.cli import main

MODEL = """
import torch
from torch import nn

class Corner(nn.Module):
    def forward(self, x):
        return x[:, :1, ::4, ::4].expand(-1, 16, -1, -1) * 0 + torch.arange(1024.0).reshape(32, 32)

def corner(): return Corner()

class Good(nn.Module):
    def __init__(self):
        super().__init__()
        from robustpose.models import open_model
        self.inner = open_model("shg2").module

    def forward(self, x):
        return self.inner(x).stages[-1]

def good(): return Good()
"""
SPEC_TOML = """
name = "corner"
format = "torch"
skeleton = "mpii_16"
input_size = [128, 128]
channels = "RGB"
head = "heatmap"
heatmap_size = [32, 32]
sigma = 1.0
"""


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *, clean: str, model: str = "corner") -> int:
    (folder / "corner_net.py").write_text(MODEL)
    (folder / "spec.toml").write_text(SPEC_TOML + clean)
    monkeypatch.chdir(folder)
    command = [
        "spec",
        "check",
        f"torch:corner_net.py:{model}",
        "--spec",
        "spec.toml",
        "--data",
        "synthpose",
        "--n",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", ["robustpose", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_model_far_under_its_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that always says the lower right corner, under a spec that says it is good."""
    assert run(tmp_path, monkeypatch, clean='clean = "PCKh@0.5 87.1 on val"\n') == 1
    printed = capsys.readouterr().out
    assert "corner on synthpose:val, PCKh@0.5, 95% intervals over 2 people" in printed
    assert "the spec gives PCKh@0.5 87.1: the measured score is far below it" in printed
    assert "alarm: no predicted keypoint of 2 people is right on the clean images" in printed
    for read in ("as the spec says", "left and right swapped", "colours as BGR", "cells from edge to edge"):
        assert read in printed


def test_nothing_found_ends_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch, clean="", model="good") == 0
    assert "no mistake found" in capsys.readouterr().out


def test_a_model_that_finds_nobody_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch, clean="") == 1
    printed = capsys.readouterr().out
    assert "docs/alarms.md#no-keypoint-right" in printed
    assert "no mistake found" not in printed


def test_the_older_names_work_or_say_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["card"], ["card", "check", "onnx:pose.onnx", "--card", "pose.toml"]):
        monkeypatch.setattr(sys, "argv", ["robustpose", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert capsys.readouterr().err == "error: robustpose card is now robustpose spec\n"
    for words in (["--card", str(tmp_path / "gone.toml")], [f"--card={tmp_path / 'gone.toml'}"]):
        monkeypatch.setattr(sys, "argv", ["robustpose", "spec", "check", "torch:corner_net.py:corner", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
    assert "--card" not in capsys.readouterr().err
