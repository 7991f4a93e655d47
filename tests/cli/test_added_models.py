"""Heads and importers that a user adds, through the command line: see adding.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from robustpose.models.heads import HEADS
from robustpose.models.importers import IMPORTERS
from tests.cli.adding import in_a_new_folder as in_a_new_folder
from tests.cli.adding import module_of
from tests.cli.test_errors import run

pytestmark = pytest.mark.slow


HEAD = '''
"""Scaled coordinates: in pixels, times a factor that the spec file says."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from robustpose.models.heads import HeadFormat
from robustpose.models.heads.margins import distances
from robustpose.models.keys import POSITIVE


@dataclass(frozen=True)
class ScaledHead:
    factor: float
    kind: ClassVar[str] = "scaled"
    loss_name: ClassVar[str] = "the distance of its scaled coordinates"
    decodes_scores: ClassVar[bool] = False
    places_compete: ClassVar[bool] = False

    def encode(self, keypoints, /):
        return keypoints * self.factor

    def decode(self, raw, /):
        return raw / self.factor, raw.new_ones(raw.shape[:2])

    def loss(self, raw, target, visible, /):
        return torch.where(visible[..., None], raw - target, 0.0).square().mean(dim=(1, 2))

    def margins(self, keypoints, radius, /, *, softness=0.0):
        return lambda raw, rows: distances(raw / self.factor, keypoints[rows], radius[rows])

    def signals(self, raw, keypoints, /):
        return {"length": raw.norm(dim=2)}


def check(spec, place, shape):
    spec.check_rows(place, shape[1], "rows")


SCALED = HeadFormat(
    keys={"factor": POSITIVE},
    required=("factor",),
    make=lambda spec: ScaledHead(**spec.keys),
    stages=lambda spec, outputs: outputs,
    check=check,
)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 32), nn.Unflatten(1, (16, 2)))

    def forward(self, x):
        return 10 * self.body(x)
'''


SPEC = """
name = "tiny"
format = "torch"
skeleton = "mpii_16"
input_size = [32, 32]
channels = "RGB"
head = "scaled"
factor = 10
"""


def test_a_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(HEADS, "scaled", module_of(HEAD, tmp_path).SCALED)
    (tmp_path / "spec.toml").write_text(SPEC)
    attack = ("attack", "--model", "torch:mine.py:Tiny", "--spec", "spec.toml", "--attack", "pgd", "--n", "2")
    assert run(monkeypatch, *attack, "--steps", "2", "--objective", "soft_margin", "--out", "out") == 0
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "the attacks use the distance of its scaled coordinates for tiny instead." in page
    with np.load(next((tmp_path / "out" / "cells").glob("*.npz"))) as stored:
        assert "length" in " ".join(stored.files)
    (tmp_path / "spec.toml").write_text(SPEC.replace("factor = 10", ""))
    assert run(monkeypatch, *attack) == 2
    assert "spec.toml: lacks factor (a number > 0)" in capsys.readouterr().err
    (tmp_path / "spec.toml").write_text(SPEC + "lattice = 'ends'")
    assert run(monkeypatch, *attack) == 2
    assert "lattice is for head = 'heatmap' or 'simcc', this spec says 'scaled'" in capsys.readouterr().err


IMPORTER = '''
"""Mine: the weights of one linear layer as a .npy file; a model spec of format "mine" says the rest."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from robustpose.models.importers.opening import read_file
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.opening import choose_spec, fingerprint_of
from robustpose.models.importers.spec import ImporterSpec, file_opener


class Graph(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(weight))

    def forward(self, x):
        return ((x.flatten(1) @ self.weight).unflatten(1, (16, 2)),)


def load(path, spec=None):
    sha256 = hashlib.sha256(read_file(path)).hexdigest()
    chosen = choose_spec(spec, format="mine", sha256=sha256, file=str(path))
    return ImportedPose(Graph(np.load(path)), chosen, fingerprint=fingerprint_of(chosen, sha256=sha256)).eval()


SPEC = ImporterSpec(
    open=file_opener(load), place="mine:FILE", summary="Linear layer in a file", version=VERSION, one_output=True
)
'''


LINEAR = """
name = "linear"
format = "mine"
skeleton = "mpii_16"
input_size = [32, 32]
channels = "RGB"
head = "coordinates"
unit = "0..1"
columns = ["x", "y"]
"""


def test_an_importer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(IMPORTERS, "mine", module_of(IMPORTER.replace("VERSION", "1"), tmp_path).SPEC)
    rng = np.random.default_rng(0)
    np.save("linear.npy", rng.normal(0, 0.01, size=(3 * 32 * 32, 32)).astype(np.float32))
    (tmp_path / "spec.toml").write_text(LINEAR)
    model = ("--model", "mine:linear.npy", "--spec", "spec.toml")
    attack = ("attack", "--attack", "igsm", *model, "--n", "2", "--steps", "2", "--json")
    assert run(monkeypatch, *attack, "--out", "first") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["model"] == "linear"
    assert run(monkeypatch, "list", "models") == 0
    assert any(
        line.split(maxsplit=1) == ["mine:FILE", "Linear layer in a file"]
        for line in capsys.readouterr().out.splitlines()
    )

    monkeypatch.setitem(IMPORTERS, "mine", module_of(IMPORTER.replace("VERSION", "2"), tmp_path).SPEC)
    assert run(monkeypatch, *attack, "--out", "second") == 0
    assert not set(json.loads(capsys.readouterr().out)["cells"]) & set(first["cells"])
    assert run(monkeypatch, "attack", "--model", "mine") == 2
    assert "mine needs a model to open: mine:FILE" in capsys.readouterr().err
