"""The Python interface, on tiny models and people of noise: the same numbers as the command line's code gives."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import torch

import robustpose as rp
from robustpose import attacks
from robustpose.data.batches import BatchPeople
from robustpose.errors import RobustPoseError
from robustpose.jobs.workbench import as_table
from robustpose.metrics import PCKH, relative, score
from robustpose.models import OpenedModel
from robustpose.objectives import TrainingLoss
from robustpose.threats import Linf
from robustpose.types import Batch
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch


def test_the_scores_are_those_of_the_attack_itself(heatmaps: TinyHeatmaps) -> None:
    batch = tiny_batch(6)
    found = rp.attack(heatmaps, batch, attack="igsm", eps=8 / 255, steps=3)
    clean = as_table(batch, attacks.predict(heatmaps, batch.images, ids=batch.ids).keypoints)
    made = attacks.run(
        attacks.IGSM(steps=3), heatmaps, batch, threat=Linf(eps=8 / 255), objective=TrainingLoss("last")
    )
    attacked = as_table(batch, made.output.keypoints)
    metric = PCKH
    assert found.score("clean") == score(clean, metric)["all"]
    assert found.score("attacked", "nose") == score(attacked, metric)["nose"]
    assert found.score() == relative(clean, attacked, metric)["all"]
    pixels = (made.images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert (found.outcome().shown.pictures.adversarial == pixels).all()


def test_it_prints_as_a_table(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(5), attack="fgsm", eps=("0.5/255", "4/255"))
    weak, title, head, clean, *lines = str(found).splitlines()
    assert weak.startswith("FGSM-U at 4/255 is weaker than autopose, so the relative scores are upper bounds")
    assert title == "LinearPose on batch, in percent, 95% intervals over n people"
    assert head.split() == ["attack", "eps", "score", "value", "n"]
    assert clean.split()[:3] == ["clean", "clean", "PCKh@0.5"]
    assert [line.split()[:2] for line in lines[:1]] == [["FGSM-U", "*"]]
    assert lines[-1].startswith("* eps below one 8-bit level")
    assert "docs/alarms.md#chance-level" in str(found)  # an untrained model, so no relative score
    assert "relative" not in "".join(lines[:-3])


@pytest.mark.slow
def test_it_draws_itself_and_saves(heatmaps: TinyHeatmaps, tmp_path: Path) -> None:
    found = rp.attack(heatmaps, tiny_batch(4), attack="fgsm", eps=8 / 255)
    html = found._repr_html_()
    assert html.startswith("<p>FGSM-U at 8/255 is weaker than autopose")
    assert "<table><caption>TinyHeatmaps on batch" in html
    assert "data:image/png;base64," in html
    picture = matplotlib.image.imread(found.save(tmp_path / "new" / "a.png"))
    assert picture.std() > 0.05
    with found.save(tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["measure"] for row in rows} == {"clean", "attacked", "relative"}
    scores = json.loads(found.save(tmp_path / "a.json").read_text())
    assert len(scores) == len(rows) == len(found.rows)
    assert found.save(tmp_path / "page").name == "index.html"
    with pytest.raises(RobustPoseError, match=r"a\.docx: the suffix must be one of \.png"):
        found.save(tmp_path / "a.docx")


def test_the_model_comes_back_as_it_was(heatmaps: TinyHeatmaps) -> None:
    heatmaps.train()
    weights = {name: value.clone() for name, value in heatmaps.state_dict().items()}
    state = torch.get_rng_state()
    rp.attack(heatmaps, tiny_batch(3), attack="fgsm")
    assert all(module.training for module in heatmaps.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in heatmaps.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in heatmaps.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_folder_that_is_kept_is_gone_on_with(linear: LinearPose, tmp_path: Path) -> None:
    first = rp.attack(linear, tiny_batch(3), attack="fgsm", out=tmp_path / "kept")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept" / "cells").iterdir()}
    again = rp.attack(linear, tiny_batch(3), attack="fgsm", out=tmp_path / "kept")
    assert repr(again.rows) == repr(first.rows)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept" / "cells").iterdir()} == files


def test_load_model_takes_what_people_have(linear: LinearPose) -> None:
    opened = rp.load_model(linear)
    assert isinstance(opened, OpenedModel)
    assert rp.load_model(opened) is opened
    assert rp.load_model("shg2").name == "shg2"
    with pytest.raises(RobustPoseError, match="is already open"):
        rp.load_model(opened, spec="spec.toml")
    with pytest.raises(RobustPoseError, match=r"a model must be a name, an nn\.Module or a function, got int"):
        rp.load_model(3)  # type: ignore[arg-type]
    with pytest.raises(RobustPoseError, match="Identity has no skeleton, input_size and head, so it needs a spec"):
        rp.load_model(torch.nn.Identity())
    with pytest.raises(RobustPoseError, match=r"spec: unknown key 'formatt'; did you mean 'format'"):
        rp.load_model(torch.nn.Identity(), card={"formatt": "torch"})


def test_wrong_questions(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(3), attack="fgsm")
    with pytest.raises(RobustPoseError, match="no score 'relativ' for 'all'; measures: clean, attacked, relative"):
        found.score("relativ")
    with pytest.raises(RobustPoseError, match=r"no results for eps 0\.5"):
        found.score(eps=0.5)
    with pytest.raises(RobustPoseError, match="eps must be one or more numbers"):
        rp.attack(linear, tiny_batch(3), eps=())
    with pytest.raises(RobustPoseError, match=r"the batch has crops of \(8, 12\), the model takes \(128, 128\)"):
        rp.load_data(tiny_batch(3)).load([0], input_size=(128, 128))


def test_a_batch_is_people(linear: LinearPose) -> None:
    batch = tiny_batch(4)
    people = rp.load_data(batch)
    assert isinstance(people, BatchPeople)
    two = people.load([2, 0], input_size=(8, 12))
    assert two.ids == ("p2", "p0")
    assert torch.equal(two.images, batch.images[[2, 0]])
    assert people.fingerprint == BatchPeople(tiny_batch(4)).fingerprint != BatchPeople(tiny_batch(5)).fingerprint


def test_names_of_the_package() -> None:
    assert {"attack", "load_model", "load_data", "check_card", "check_spec", "corrupt", "AttackResult"} <= {
        *dir(rp)
    }
    with pytest.raises(AttributeError, match="has no attribute 'atack'"):
        _ = rp.atack


@pytest.mark.parametrize(
    ("name", "label"), [("square", "SQUARE-U-3-margin"), ("rays", "RAYS-U-3-keypoints"), ("fmn", "FMN-U-3-margin")]
)
def test_an_attack_raises_its_own_objective_unless_told(heatmaps: TinyHeatmaps, name: str, label: str) -> None:
    found = rp.attack(heatmaps, tiny_batch(3), attack=name, steps=3)
    assert found.plan.study.settings[0].label == label
    assert found.plan.study.settings[0].eps == 8 / 255


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"attack": "fgsm", "threat": "l2"}, "threat l2 needs eps, such as 2 or 0.5"),
        ({"attack": "spatial"}, "threat spatial needs eps, such as 30 (degrees)"),
        ({"eps": 0}, "eps must be above 0, got 0"),
        ({"eps": "0/255"}, "eps must be above 0, got 0"),
        ({"n": 0}, "n must be an integer of at least 1, got 0"),
        ({"n": 2.0}, "n must be an integer of at least 1, got 2.0"),
        ({"steps": 2.5}, "steps must be an integer of at least 1, got 2.5"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"threat": "l3"}, "unknown threat 'l3'; did you mean"),
        ({"eps": ()}, "eps must be one or more numbers, got none"),
    ],
)
def test_what_cannot_be_asked_is_one_line(linear: LinearPose, asked: dict[str, Any], line: str) -> None:
    with pytest.raises(RobustPoseError, match=re.escape(line)):
        rp.attack(linear, tiny_batch(2), **asked)


def test_budgets_in_any_spelling(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(4), attack="fgsm", eps=("2/255", 8 / 255, "8/255", np.float32(0.5)))  # type: ignore[arg-type]
    assert [setting.eps for setting in found.plan.study.settings] == [2 / 255, 8 / 255, 0.5]
    assert found.score(eps="8/255") == found.score(eps=8 / 255)
    numbers: dict[str, Any] = {"n": np.int64(2), "eps": np.float64(0.03), "steps": np.int32(20)}
    assert rp.attack(linear, tiny_batch(4), **numbers).score("clean").n == 2


def test_of_several_budgets_the_last_is_meant_unless_told(linear: LinearPose) -> None:
    budgets = (64 / 255, 1 / 255, 16 / 255)  # neither the order of size nor the first
    found = rp.attack(linear, tiny_batch(12), attack="fgsm", eps=budgets)
    sizes = [float(np.abs(_added(found, eps)).max()) for eps in (*budgets, None)]
    assert sizes == [64, 1, 16, 16]
    values = [found.score("attacked", eps=eps) for eps in budgets]
    assert values[0].value < values[-1].value, "the test is only a test where budgets differ"
    assert found.score("attacked") == values[-1]
    assert found.outcome(clean=True).setting is None


def _added(found: rp.AttackResult, eps: float | None) -> np.ndarray[Any, Any]:
    pictures = found.outcome(eps=eps).shown.pictures
    clean = found.outcome(clean=True).shown.pictures.clean
    added: np.ndarray[Any, Any] = pictures.adversarial.astype(int) - clean.astype(int)
    return added


def test_a_person_twice_in_a_batch_is_refused(batch: Batch) -> None:
    """Results are paired by id: the first would be paired with the second."""
    twice = replace(batch, ids=("p0", "p1", "p1", "p3"))
    with pytest.raises(RobustPoseError, match="person p1 is there twice"):
        rp.attack(LinearPose().eval(), twice, attack="fgsm")
