"""Models on an accelerator: attacked where they are or where `device` says, and back where they were."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import robustpose as rp
from robustpose.cli import main
from robustpose.errors import RobustPoseError
from robustpose.given import device_of, known_device
from robustpose.models.placed import placed
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch

ACCELERATORS = [
    *(["cuda"] if torch.cuda.is_available() else []),
    *(["mps"] if torch.backends.mps.is_available() else []),
]
needs_one = pytest.mark.skipif(not ACCELERATORS, reason="torch finds no accelerator here")
on_each = pytest.mark.parametrize("device", ACCELERATORS or ["none"])


class Moves(nn.Module):
    """A module that records where it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.places: list[str] = []

    def to(self, *args: Any, **how: Any) -> "Moves":
        self.places.append(str(args[0]))
        return self


def test_a_model_is_moved_and_moved_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Moves()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with placed(model, "cuda:1") as where:
        assert where == torch.device("cuda:1")
        assert model.places == ["cuda:1"]
    assert model.places == ["cuda:1", "cpu"]
    with pytest.raises(KeyError), placed(model, "cuda"):
        raise KeyError
    assert model.places == ["cuda:1", "cpu", "cuda", "cpu"], "also after an error"
    with placed(model, "cpu"), placed(model, None) as where:
        assert where == torch.device("cpu")
    with placed(len, "cuda") as where:
        assert where == torch.device("cpu"), "a function is given images on the CPU"
    assert len(model.places) == 4


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gpu", "unknown device 'gpu'; known: cpu, cuda, mps"),
        ("cuda:x", "device must be written as cuda or cuda:0, got 'cuda:x'"),
        ("cuda:2", "device 'cuda:2' cannot be used: torch finds 2 of cuda here, counted from 0"),
        ("mps", "device 'mps' cannot be used: torch finds none here; use cpu"),
    ],
)
def test_devices_that_cannot_be_used(name: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RobustPoseError) as caught:
        known_device(name)
    assert str(caught.value) == line
    assert known_device("cuda:1") == "cuda:1"


@pytest.mark.parametrize("command", [["attack", "--model", "shg2"], ["spec", "check", "shg2"], ["study", "quick"]])
def test_the_command_line_says_it_in_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["robustpose", *command, "--device", "cuda:77", "--n", "2"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "error: device 'cuda:77' cannot be used: torch finds " in capsys.readouterr().err


@needs_one
@on_each
def test_perturb_works_where_the_model_is(device: str) -> None:
    batch = tiny_batch(3)
    expected = rp.perturb(LinearPose().eval(), batch.images, batch.keypoints, batch.visible, attack="fgsm")
    adv = rp.perturb(LinearPose().eval().to(device), batch.images, batch.keypoints, batch.visible, attack="fgsm")
    assert adv.device.type == "cpu"
    assert (adv - expected).abs().max() < 1e-6
    there = batch.to(device)
    adv = rp.perturb(LinearPose().eval().to(device), there.images, batch.keypoints, batch.visible, attack="fgsm")
    assert adv.device.type == device
    for attack in ("pgd", "apgd", "square", "fmn", "autopose"):
        adv = rp.perturb(TinyHeatmaps().eval().to(device), batch.images, batch.keypoints, attack=attack, steps=10)
        assert (adv - batch.images).abs().max() <= 8 / 255 + 1e-6
    adv = rp.perturb(nn.Conv2d(3, 3, 1).to(device), batch.images, batch.keypoints, spec={"sigma": 1.0}, steps=2)
    assert (adv - batch.images).abs().max() <= 8 / 255 + 1e-6
    losses: dict[str, Any] = {"loss": lambda output, *_: output.square(), "spec": {"mean": 0.5}}
    rp.perturb(nn.Conv2d(3, 3, 1).to(device), batch.images, batch.keypoints, steps=2, **losses)


@needs_one
@on_each
def test_attack_moves_the_model_and_moves_it_back(device: str) -> None:
    model, batch = LinearPose().eval(), tiny_batch(6)
    expected = rp.attack(model, batch, attack="fgsm", eps="16/255")
    found = rp.attack(model, batch, attack="fgsm", eps="16/255", device=device)
    assert device_of(model).type == "cpu"
    assert found.score("attacked").value == pytest.approx(expected.score("attacked").value, abs=20)
    assert (found.keypoints - expected.keypoints).abs().max() < 0.1
    assert rp.attack(model.to(device), batch, attack="autopose", steps=20).score("clean") == expected.score(
        "clean"
    )
    spec = {"sigma": 1.0}
    rp.attack(nn.Conv2d(3, 3, 1).to(device), batch, spec=spec, attack="igsm", steps=2)
    assert rp.attack(TinyHeatmaps().half().to(device), batch, attack="igsm", steps=2).adversarial.shape == (
        6,
        3,
        8,
        12,
    )
    assert rp.check_spec(nn.Conv2d(3, 3, 1), batch, spec=spec, n=6, device=device).people == 6


@needs_one
@on_each
def test_the_command_line_attacks_there(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(0).integers(0, 256, (160, 120, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    for command in (
        ["attack", "--model", "shg2", "--quick", "--n", "2"],
        ["attack", "photo.png", "--model", "shg2", "--attack", "igsm", "--steps", "2"],
    ):
        monkeypatch.setattr("sys.argv", ["robustpose", *command, "--device", device])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None)


def test_a_model_without_tensors_is_on_the_cpu() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    assert device_of(Nothing()) == torch.device("cpu")
    assert device_of(len) == torch.device("cpu")
