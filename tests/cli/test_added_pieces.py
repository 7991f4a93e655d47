"""Pieces that a user adds: one file outside the package and one entry of a registry, then the command line."""

import csv
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from robustpose.attacks import ATTACKS
from robustpose.data import open_dataset
from robustpose.defences import DEFENCES
from robustpose.findings import FINDINGS
from robustpose.metrics import METRICS
from robustpose.models.heads import HEADS
from robustpose.models.importers import IMPORTERS
from robustpose.objectives import OBJECTIVES
from robustpose.studies import STUDIES
from robustpose.threats import THREATS
from tests.cli.test_errors import run
from tests.data.files import write_coco_people

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def module_of(source: str, folder: Path) -> ModuleType:
    """Write a module to a folder, and import it."""
    path = folder / "mine.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("mine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    assert "eps of mine must be 64 at most, got 65" in capsys.readouterr().err
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
    assert "lattice is for head = 'heatmap', this spec says 'scaled'" in capsys.readouterr().err


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


def load(path, card=None):
    sha256 = hashlib.sha256(read_file(path)).hexdigest()
    chosen = choose_spec(card, format="mine", sha256=sha256, file=str(path))
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
    attack = ("attack", "--model", "mine:linear.npy", "--spec", "spec.toml", "--n", "2", "--steps", "2", "--json")
    assert run(monkeypatch, *attack, "--out", "first") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["model"] == "linear"
    assert run(monkeypatch, "list", "models") == 0
    assert any(
        line.split(maxsplit=1) == ["mine:FILE", "Linear layer in a file"]
        for line in capsys.readouterr().out.splitlines()
    )

    monkeypatch.setitem(IMPORTERS, "mine", module_of(IMPORTER.replace("VERSION", "2"), tmp_path).SPEC)
    assert run(monkeypatch, *attack, "--out", "first") == 0
    assert not set(json.loads(capsys.readouterr().out)["cells"]) & set(first["cells"])
    assert run(monkeypatch, "attack", "--model", "mine") == 2
    assert "mine needs to be told what to open: mine:FILE" in capsys.readouterr().err


STUDY = '''
"""One step of a strength that the command line sets."""

from dataclasses import dataclass, replace

from robustpose.jobs.setting import Setting
from robustpose.studies.grid import chosen
from robustpose.studies.quick import QUICK
from robustpose.studies.spec import StudySpec
from robustpose.study.options import GridOptions, option
from robustpose.threats import read_eps


@dataclass(frozen=True)
class Options(GridOptions):
    strength: str = option("1/255", "Budget of the one step")
    twice: bool = option(False, "Attack at twice the budget, too")


def make(options):
    eps = read_eps(options.strength, "linf")
    budgets = (eps, 2 * eps) if options.twice else (eps,)
    study = replace(QUICK, name="mine", findings=(), tasks=())
    return replace(chosen(study, options), settings=tuple(Setting("fgsm", each) for each in budgets))


SPEC = StudySpec(options=Options, make=make)
'''


def test_a_study_with_options_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(STUDIES, "mine", module_of(STUDY, tmp_path).SPEC)
    assert (
        run(monkeypatch, "study", "mine", "--models", "deeppose", "--n", "2", "--strength", "3/255", "--twice")
        == 0
    )
    rows = list(csv.DictReader((tmp_path / "runs/mine/results.csv").read_text().splitlines()))
    assert {(row["attack"], row["eps"]) for row in rows} == {
        ("clean", "0/255"),
        ("FGSM-U", "3/255"),
        ("FGSM-U", "6/255"),
    }
    capsys.readouterr()
    assert run(monkeypatch, "study", "mine", "--help") == 0
    shown = capsys.readouterr().out
    assert "--strength" in shown and "Budget of" in shown and "--models" in shown
    assert run(monkeypatch, "study", "quick", "--help") == 0
    assert "--strength" not in capsys.readouterr().out
    assert run(monkeypatch, "study", "quick", "--twice", "--strength", "1/255") == 2
    assert "study 'quick' does not take --strength, --twice" in capsys.readouterr().err
    assert run(monkeypatch, "list", "studies") == 0
    assert "mine\n" in capsys.readouterr().out


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
    made_by(Turn, ""), "Turns to both ends", "spatial", needs="decisions", threats=("rotation",), objective=None
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


FINDING = '''
"""Whether one FGSM step at 4/255 takes a tenth of the score."""

from robustpose.findings.finding import Finding, Found
from robustpose.findings.statistics import lost, mean, verdict
from robustpose.findings.sweeps import FGSM_U, all_models, asks_of

EPS = 4 / 255


def find(evidence):
    return Found(
        verdicts=(
            verdict(
                "One FGSM step at 4/255 takes a tenth of the score.",
                mean([lost(FGSM_U.robust(evidence, model, EPS)) for model in evidence.models]),
                above=10.0,
                paper="not in the paper",
                measured="mean loss, in %",
            ),
        )
    )


FOUND = Finding(title="A small step", asks=lambda plan: asks_of(all_models(plan), [FGSM_U.at(EPS)]), find=find)
'''


def test_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(FINDINGS, "small_step", module_of(FINDING, tmp_path).FOUND)
    study = ("study", "quick", "--models", "deeppose", "--n", "2", "--eps", "8", "--out", "out", "--findings")
    assert run(monkeypatch, *study, "small_step") == 0
    capsys.readouterr()
    verdicts = (tmp_path / "out" / "report" / "findings" / "verdicts.csv").read_text()
    assert "small_step,One FGSM step at 4/255 takes a tenth of the score.,undecided," in verdicts
    assert "A small step" in (tmp_path / "out" / "report" / "findings.html").read_text()
    assert run(monkeypatch, "list", "findings") == 0
    assert "small_step" in capsys.readouterr().out
    assert run(monkeypatch, *study, "small_stap") == 2
    assert "unknown finding 'small_stap'; did you mean 'small_step'?" in capsys.readouterr().err


JOB = '''
"""How bright the images are: a kind of job that knows nothing of attacks, and a finding that asks for it."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from robustpose.findings.finding import Finding, Found

CALLS = []


@dataclass(frozen=True)
class Brightness:
    mean: float

    def __len__(self):
        return 1

    def to_arrays(self):
        return {"unit": "share of white"}, {"mean": np.array([self.mean])}

    @classmethod
    def from_arrays(cls, about, arrays):
        return cls(float(arrays["mean"][0]))


@dataclass(frozen=True)
class BrightnessJob:
    data_fingerprint: str
    start: int
    stop: int
    keep_images: ClassVar[int] = 0
    result: ClassVar[type] = Brightness
    title = "brightness"
    passes = 1

    def fields(self):
        return {"kind": "brightness", **asdict(self)}

    def versions(self):
        return {"brightness": 1}

    def sources(self):
        return ()

    def trajectory(self):
        return None

    def compute(self, together, bench, sources):
        CALLS.append(self)
        people = bench.datasets[self.data_fingerprint].load(range(self.start, self.stop), input_size=(32, 32))
        return [(self, Brightness(float(people.images.mean())), None)]


@dataclass(frozen=True)
class BrightnessAsk:
    def jobs(self, plan):
        return [BrightnessJob(plan.dataset.fingerprint, 0, plan.n)]


def find(evidence):
    (job,) = BrightnessAsk().jobs(evidence.plan)
    return Found(remarks=(f"The mean brightness is {evidence.store.read(job).mean:.4f}.",))


FOUND = Finding(title="Brightness", asks=lambda plan: [BrightnessAsk()], find=find)
'''


def test_a_kind_of_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = module_of(JOB, tmp_path)
    monkeypatch.setitem(FINDINGS, "brightness", mine.FOUND)
    study = ("study", "quick", "--models", "deeppose", "--n", "2", "--eps", "8", "--findings", "brightness")
    assert run(monkeypatch, *study, "--out", "out") == 0
    mean = float(open_dataset("synthpose:val").load(range(2), input_size=(32, 32)).images.mean())
    assert f"The mean brightness is {mean:.4f}." in (tmp_path / "out" / "report" / "findings.html").read_text()
    assert run(monkeypatch, *study, "--out", "out") == 0
    assert len(mine.CALLS) == 1, "what is stored is not computed again"
    capsys.readouterr()


METRIC = '''
"""PCK per photo: each photo counts once, however many people are in it."""

from dataclasses import dataclass

import numpy as np

from robustpose.metrics import Pck

NEAR = Pck(unit="box_side", threshold=0.5)


@dataclass(frozen=True)
class PerPhoto:
    name: str = "per photo"
    redraws: str = "photos"

    def defined(self, table):
        return table.photo is not None and len(set(table.photo.tolist())) > 1

    def __call__(self, table):
        hits = NEAR.hits(table)
        photos = [np.nanmean(hits[table.photo == name]) for name in dict.fromkeys(table.photo.tolist())]
        return {"all": 100.0 * np.mean(photos), "number": float(len(photos))}
'''


def test_a_metric_that_redraws_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(METRICS, "per_photo", module_of(METRIC, tmp_path).PerPhoto())
    file = write_coco_people(tmp_path, area=2000.0)
    data = ("--model", "deeppose", "--data", f"coco:{file}", "--attack", "fgsm", "--out", "out")
    assert run(monkeypatch, "attack", *data) == 0
    assert "per photo, 95% intervals over photos" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    (clean,) = (row for row in rows if (row["metric"], row["measure"]) == ("per photo", "clean"))
    assert 0 < float(clean["low"]) < float(clean["value"]) < float(clean["high"]) < 100
    assert (clean["part"], clean["n"]) == ("all", "10")
    # However photos are drawn, two remain two; people redrawn instead would at times be of one photo only.
    numbers = [row for row in rows if row["metric"] == "per photo number" and row["measure"] != "relative"]
    assert [row["measure"] for row in numbers] == ["clean", "attacked"]
    assert {(row["low"], row["value"], row["high"]) for row in numbers} == {("2.000", "2.000", "2.000")}
    assert run(monkeypatch, "attack", *data, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["per photo"]["all"]["clean"]["value"] == float(clean["value"])
    assert found["oks"]["AP"]["clean"]["n"] == 10  # the others are there, too
    assert run(monkeypatch, "list", "metrics") == 0
    assert "per_photo" in capsys.readouterr().out
    # One photo has no interval over photos, so the metric says that it is not defined there.
    assert run(monkeypatch, "attack", *data[:4], "--attack", "fgsm", "--n", "1", "--out", "one") == 0
    assert "per photo" not in (tmp_path / "one" / "results.csv").read_text()
    assert run(monkeypatch, "attack", *data, "--metric", "per_photo") == 2
    assert "'per_photo' is no mean over keypoints" in capsys.readouterr().err
