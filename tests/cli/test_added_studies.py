"""Studies, findings, kinds of jobs and metrics that a user adds, through the command line: see adding.py."""

import csv
import json
from pathlib import Path

import pytest

from robustpose.data import open_dataset
from robustpose.faults import FAULTS
from robustpose.findings import FINDINGS
from robustpose.metrics import METRICS
from robustpose.objectives import correct_radius
from robustpose.studies import STUDIES
from tests.cli.adding import in_a_new_folder as in_a_new_folder
from tests.cli.adding import module_of
from tests.cli.test_errors import run
from tests.data.files import write_coco_people

pytestmark = pytest.mark.slow


STUDY = '''
"""One step of a strength that the command line sets."""

from dataclasses import dataclass, replace

from robustpose.jobs.setting import Setting
from robustpose.studies.grid import chosen, run_grid
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


SPEC = StudySpec(options=Options, make=make, run=run_grid)
'''


def test_a_study_with_options_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(STUDIES, "mine", module_of(STUDY, tmp_path).SPEC)
    assert (
        run(monkeypatch, "study", "mine", "--models", "deeppose", "--n", "2", "--strength", "3/255", "--twice")
        == 0
    )
    rows = list(
        csv.DictReader(next(tmp_path.glob("runs/mine-deeppose-n2-*/results.csv")).read_text().splitlines())
    )
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


OTHER_STUDY = '''
"""Counts the labelled keypoints of people, and attacks nobody."""

from dataclasses import dataclass

from robustpose.data import open_dataset
from robustpose.errors import RobustPoseError
from robustpose.report import terminal
from robustpose.studies.spec import StudySpec
from robustpose.study.options import option


@dataclass(frozen=True)
class Options:
    data: str = option("synthpose:val", "People to count", names="datasets")
    n: int = option(2, "Number of people", least=1)


@dataclass(frozen=True)
class Count:
    data: str
    n: int


def make(options):
    if options.n > 5:
        raise RobustPoseError(f"--n must be 5 at most, got {options.n}")
    return Count(options.data, options.n)


def run(study, folder, options):
    people = open_dataset(study.data).load(range(study.n), input_size=(32, 32))
    folder.mkdir(parents=True)
    (folder / "count.txt").write_text(str(int(people.visible.sum())))
    terminal.print_rows(["people", "keypoints"], [[str(study.n), str(int(people.visible.sum()))]])


def remarks(options):
    return ("only two people",) if options.n == 2 else ()


SPEC = StudySpec(options=Options, make=make, run=run, remarks=remarks)
'''


def test_a_study_that_is_run_in_its_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(STUDIES, "mine", module_of(OTHER_STUDY, tmp_path).SPEC)
    assert run(monkeypatch, "study", "mine", "--out", "out") == 0
    shown = capsys.readouterr()
    keypoints = int(open_dataset("synthpose:val").load(range(2), input_size=(32, 32)).visible.sum())
    assert (tmp_path / "out" / "count.txt").read_text() == str(keypoints)
    assert ["2", str(keypoints)] in [line.split() for line in shown.out.splitlines()]
    assert "only two people" in shown.err
    assert run(monkeypatch, "study", "mine", "--n", "6") == 2
    assert "--n must be 5 at most, got 6" in capsys.readouterr().err
    assert run(monkeypatch, "study", "mine", "--eps", "8/255") == 2
    assert "study 'mine' does not take --eps" in capsys.readouterr().err


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


FAULT = '''
"""Upside down: the crop flipped from top to bottom."""

import numpy as np

from robustpose.faults import FaultSpec, OnCrop


def flipped(crop, level, rng):
    return np.ascontiguousarray(crop[::-1]) if level == "top to bottom" else crop


SPEC = FaultSpec(
    OnCrop(flipped),
    summary="The crop flipped",
    phrase="the crop flipped from {level}",
    levels=("top to bottom", "not at all"),
    version=3,
)
'''


def test_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(FAULTS, "upside-down", module_of(FAULT, tmp_path).SPEC)
    file = write_coco_people(tmp_path, area=500.0)
    study = ("study", "faults", "--models", "deeppose", "--data", f"coco:{file}", "--n", "2", "--out", "out")
    assert run(monkeypatch, *study, "--faults", "upside-down") == 0
    shown = capsys.readouterr()
    assert "upside-down top to bottom" in shown.out
    assert "no prediction of deeppose changed with upside-down not at all" in shown.err
    lines = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert [line["cost"] for line in lines if (line["level"], line["part"]) == ("not at all", "all")] == ["0.000"]
    assert run(monkeypatch, "list", "faults") == 0
    assert "upside-down    The crop flipped" in capsys.readouterr().out


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
    assert "'per_photo' is not a mean over keypoints" in capsys.readouterr().err


MAIN_METRIC = '''
"""PCK within a fixed number of pixels."""

from dataclasses import dataclass, replace

import numpy as np

from robustpose.metrics.hits import hits_within, percent_of_hits, scores_of_hits


@dataclass(frozen=True)
class WithinPixels:
    pixels: float
    aimed: bool = False
    redraws = "people"
    summary = "Keypoints within some pixels"

    @property
    def name(self):
        return f"{'target ' if self.aimed else ''}within {self.pixels:g} px"

    @property
    def rule(self):
        return f"a keypoint is correct if it lies within {self.pixels:g} input pixels of the ground truth"

    def lacks(self, people, /):
        return ""

    def defined(self, table, /):
        return True

    def radius(self, skeleton, /, *, head_size, box_side, area, crops):
        return np.full((len(head_size), len(skeleton)), self.pixels)

    def hits(self, table, /):
        return hits_within(self, table, targets=self.aimed)

    def __call__(self, table, /):
        return percent_of_hits(self.hits(table), table.skeleton)

    def scores(self, table, /, *, seed=0):
        return scores_of_hits(self.hits(table), table.skeleton, seed=seed)

    def against_target(self):
        return replace(self, aimed=True)

    def within(self, share, /):
        return replace(self, pixels=share * self.pixels)


METRIC = WithinPixels(PIXELS)
'''


def test_a_main_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Studies are scored by it, attacks on the margin use its radius, and targets are drawn by it."""
    attack = ("attack", "--model", "deeppose", "--attack", "pgd", "--n", "3", "--steps", "3", "--json")
    found = {}
    for pixels in (8, 500):
        metric = module_of(MAIN_METRIC.replace("PIXELS", str(pixels)), tmp_path).METRIC
        monkeypatch.setitem(METRICS, "mine", metric)
        out = ("--metric", "mine", "--out", f"out{pixels}")
        assert run(monkeypatch, *attack, "--objective", "margin", *out) == 0
        found[pixels] = json.loads(capsys.readouterr().out)
        page = (tmp_path / f"out{pixels}" / "report" / "index.html").read_text()
        assert f"within {pixels} px: a keypoint is correct if it lies within {pixels} input pixels" in page
    assert {each["metric"] for each in found.values()} == {"within 8 px", "within 500 px"}
    assert found[8]["attacked"]["value"] < found[8]["clean"]["value"] < 100
    # In images of 128 pixels nothing is 500 pixels off.
    assert found[500]["attacked"]["value"] == found[500]["clean"]["value"] == 100
    metric = module_of(MAIN_METRIC.replace("PIXELS", "8"), tmp_path).METRIC
    people = open_dataset("synthpose:val").load(range(2), input_size=(128, 128))
    assert bool((correct_radius(people, metric) == 8).all())
    monkeypatch.setitem(METRICS, "mine", metric)
    assert run(monkeypatch, *attack, "--targeted", "--metric", "mine", "--out", "targeted") == 0
    aimed = json.loads(capsys.readouterr().out)
    assert aimed["target"]["value"] > 0
    rows = list(csv.DictReader((tmp_path / "targeted" / "results.csv").read_text().splitlines()))
    assert "target within 8 px" in {row["metric"] for row in rows}
    study = ("study", "quick", "--models", "deeppose", "--n", "2", "--eps", "8", "--out", "study")
    assert run(monkeypatch, *study, "--metric", "mine", "--findings", "table2", "--tasks", "none") == 0
    assert "within 8 px" in (tmp_path / "study" / "results.csv").read_text()
