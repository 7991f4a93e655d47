"""Attacks, threats, objectives and defences that a user adds, through the command line: see adding.py."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.attacks import ATTACKS
from robustpose.defences import DEFENCES
from robustpose.objectives import OBJECTIVES
from robustpose.threats import THREATS
from tests.cli.adding import in_a_new_folder as in_a_new_folder
from tests.cli.adding import module_of
from tests.cli.test_errors import run

pytestmark = pytest.mark.slow


THREAT = '''
"""Columns: eps whole columns of pixels may change, the first ones."""

from dataclasses import dataclass

import torch

from robustpose.threats import ThreatSpec
from robustpose.threats.spec import check_budget


@dataclass(frozen=True)
class Columns:
    eps: float
    name = "mine"
    holds_8bit = True

    def __post_init__(self):
        check_budget(self.eps, "mine", largest=64)

    def inside(self, images, eps):
        reach = torch.as_tensor(self.eps if eps is None else eps).reshape(-1, 1, 1, 1)
        return torch.arange(images.shape[3]) < reach

    def project(self, images, adv, /, *, eps=None):
        return torch.where(self.inside(images, eps), adv.clamp(0, 1), images)

    def step(self, grad, images, /):
        move = torch.where(grad > 0, 1 - images, -images) * (grad != 0)
        return torch.where(self.inside(images, None), move / self.eps, 0.0)

    def sample(self, images, /, generator=None):
        return self.project(images, torch.rand(images.shape, generator=generator))

    def size(self, images, adv, /):
        differs = (adv != images).flatten(1, 2).any(dim=1)
        return (differs * torch.arange(1, images.shape[3] + 1)).amax(dim=1).to(images.dtype)

    def round_to_8bit(self, images, adv, /):
        return (adv * 255).round() / 255


SPEC = ThreatSpec(make=Columns, rule="may repaint eps columns on the left", example="3", unit="columns", version=4)
'''


def test_a_threat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(THREATS, "mine", module_of(THREAT, tmp_path).SPEC)
    attack = ("attack", "--model", "deeppose", "--attack", "pgd", "--threat", "mine", "--n", "2", "--steps", "3")
    assert run(monkeypatch, *attack, "--eps", "3", "--out", "out") == 0
    assert "3 columns" in capsys.readouterr().out
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "The attacker may repaint eps columns on the left." in page
    assert "eps 3 columns" in page
    assert run(monkeypatch, "list", "threats") == 0
    assert "mine         may repaint eps columns on the left" in capsys.readouterr().out

    assert run(monkeypatch, *attack, "--eps", "65") == 2
    assert "eps of mine must be at most 64, got 65" in capsys.readouterr().err
    square = (
        "attack",
        "--model",
        "deeppose",
        "--attack",
        "square",
        "--threat",
        "mine",
        "--n",
        "2",
        "--steps",
        "9",
    )
    assert run(monkeypatch, *square, "--eps", "3", "--out", "square") == 2
    assert "square" in capsys.readouterr().err
    monkeypatch.setitem(THREATS, "mine", replace(THREATS["mine"], norm=math.inf))
    assert run(monkeypatch, *square, "--eps", "3", "--out", "square") == 0
    assert "9 queries" in (tmp_path / "square" / "report" / "index.html").read_text()
    assert run(monkeypatch, *attack) == 2
    assert "threat mine needs eps, such as 3" in capsys.readouterr().err


OBJECTIVE = '''
"""Leftwards: the sum of the keypoints' x, to be lowered."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Leftwards:
    version: ClassVar[int] = 3
    needs_radius: ClassVar[bool] = False
    phrase: ClassVar[str] = "how far left the keypoints lie"

    def bind(self, model, aim, /, *, targeted):
        return lambda adv, rows: -model(adv).keypoints[..., 0].sum(dim=1)
'''


def test_an_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(OBJECTIVES, "leftwards", module_of(OBJECTIVE, tmp_path).Leftwards())
    attack = ("attack", "--model", "deeppose", "--attack", "pgd", "--n", "2", "--steps", "3", "--out", "out")
    assert run(monkeypatch, *attack, "--objective", "leftwards") == 0
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "3 steps away from the true pose, by how far left the keypoints lie" in page
    assert run(monkeypatch, *attack, "--objective", "leftward") == 2
    assert "unknown objective 'leftward'; did you mean 'leftwards'" in capsys.readouterr().err


ATTACKS_OF_EACH_KIND = '''
"""An attack on gradients, one on decisions, an ensemble of both and a spatial one."""

from dataclasses import dataclass

import torch

from robustpose.attacks import AttackSpec, Move
from robustpose.attacks.gradient import input_gradient
from robustpose.objectives import Keypoints, TrainingLoss


@dataclass(frozen=True)
class Climb:
    steps: int = 2

    def perturb(self, loss, images, threat, generator, /):
        adv = images
        for _ in range(self.steps):
            adv = threat.project(images, adv + threat.eps * threat.step(input_gradient(loss, adv), images))
        return adv


@dataclass(frozen=True)
class Guess:
    steps: int = 3

    def perturb(self, loss, images, threat, generator, /):
        rows, best, most = torch.arange(len(images)), images, torch.full((len(images),), -1)
        for _ in range(self.steps):
            signs = (torch.rand(images.shape, generator=generator) - 0.5).sign()
            adv = threat.project(images, images + threat.eps * signs)
            lost = ((loss.parts(adv, rows) > 0) & loss.counted).sum(dim=1)
            best = torch.where((lost > most)[:, None, None, None], adv, best)
            most = torch.maximum(lost, most)
        return best


@dataclass(frozen=True)
class Both:
    gradients: int = 8

    def moves(self, head, /):
        climb = Move("climb", lambda gradients: Climb(gradients), TrainingLoss(), share=0.75)
        return climb, Move("guess", lambda gradients: Guess(gradients), Keypoints(), share=0.25)


@dataclass(frozen=True)
class Turn:
    beyond: str = "edge"

    def motions(self, loss, people, threat, generator, /):
        for share in (0.0, 1.0, -1.0):
            yield torch.tensor([share, 0.0, 0.0, 0.0], dtype=torch.float64).mul(threat.reach).expand(people, -1)


def made_by(kind, name):
    return lambda *, targeted, steps=None: kind() if steps is None else kind(**{name: steps})


GRADIENT = AttackSpec(made_by(Climb, "steps"), summary="Climbs my way")
DECISION = AttackSpec(
    made_by(Guess, "steps"), "Guesses my way", needs="decisions", objective="keypoints", needs_parts=True
)
ENSEMBLE = AttackSpec(made_by(Both, "gradients"), "Climbs and guesses", kind="ensemble", objective=None, version=2)
SPATIAL = AttackSpec(
    made_by(Turn, ""),
    "Turns to both ends",
    kind="spatial",
    needs="decisions",
    threats=("rotation",),
    objective=None,
)
'''


@pytest.mark.parametrize(
    ("kind", "eps", "label", "objective", "passes", "sentence"),
    [
        ("GRADIENT", "8/255", "MINE-U-2", "training_loss", (4, 4), "2 steps away from the true pose, by"),
        ("DECISION", "8/255", "MINE-U-3-keypoints", "keypoints", (6, 0), "3 queries away from the true pose, by"),
        ("ENSEMBLE", "8/255", "MINE-U", None, (14, 12), "climbs and guesses"),
        ("SPATIAL", "30", "MINE-U", None, (6, 0), "turns to both ends"),
    ],
)
def test_an_attack_of_each_kind(
    kind: str,
    eps: str,
    label: str,
    objective: str | None,
    passes: tuple[int, int],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = getattr(module_of(ATTACKS_OF_EACH_KIND, tmp_path), kind)
    monkeypatch.setitem(ATTACKS, "mine", spec)
    attack = ("attack", "--model", "deeppose", "--attack", "mine", "--n", "2", "--eps", eps)
    assert run(monkeypatch, *attack, "--json", "--out", "out") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["attack"], found["objective"]) == (label, objective)
    assert (found["forwards"], found["backwards"]) == passes
    assert found["attacked"]["value"] < found["clean"]["value"]
    assert ("motion" in found) == (kind == "SPATIAL")
    assert sentence in (tmp_path / "out" / "report" / "index.html").read_text()
    assert run(monkeypatch, "list", "attacks") == 0
    assert spec.summary in capsys.readouterr().out
    assert run(monkeypatch, "list", "attacks", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["attacks"]["mine"]
    assert (listed["needs"], listed["version"], listed["summary"]) == (spec.needs, spec.version, spec.summary)


DEFENCE = '''
"""Posterise: four levels a channel, straight through for the gradient."""

from robustpose.defences.defended import DefenceSpec
from robustpose.defences.smoothing import smoothed


def four_levels(images):
    return images + ((images * 3).round() / 3 - images).detach()


SPEC = DefenceSpec(smoothed(four_levels), summary="Four levels a channel", version=2)
'''


def test_a_defence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(DEFENCES, "posterise", module_of(DEFENCE, tmp_path).SPEC)
    attack = ("attack", "--attack", "pgd", "--n", "2", "--steps", "3", "--json")
    assert run(monkeypatch, *attack, "--model", "deeppose", "--out", "plain") == 0
    plain = json.loads(capsys.readouterr().out)
    assert run(monkeypatch, *attack, "--model", "deeppose", "--defence", "posterise", "--out", "out") == 0
    defended = json.loads(capsys.readouterr().out)
    assert defended["model"] == "posterise:deeppose"
    assert run(monkeypatch, *attack, "--model", "posterise:deeppose", "--out", "out") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["cells"] == defended["cells"]
    assert not set(again["cells"]) & set(plain["cells"])
    assert run(monkeypatch, "list", "defences") == 0
    assert "posterise" in capsys.readouterr().out
    assert run(monkeypatch, *attack, "--model", "deeppose", "--defence", "posterize") == 2
    assert "unknown defence 'posterize'; did you mean 'posterise'?" in capsys.readouterr().err
    assert run(monkeypatch, *attack, "--model", "posterize:deeppose") == 2
    assert "unknown defence 'posterize'; did you mean 'posterise'?" in capsys.readouterr().err
