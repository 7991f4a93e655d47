"""The Python interface, on tiny nets and people of noise: the same numbers as the command line's code gives."""

import csv
import json
from pathlib import Path

import matplotlib.image
import pytest
import torch

import robustpose as rp
from robustpose import attacks
from robustpose.data.batches import BatchPeople
from robustpose.errors import RobustPoseError
from robustpose.metrics import METRICS, relative, score
from robustpose.models import OpenedModel
from robustpose.objectives import TrainingLoss
from robustpose.study.workbench import as_table
from robustpose.threats import Linf
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch


def test_the_scores_are_those_of_the_attack_itself(heatmaps: TinyHeatmaps) -> None:
    batch = tiny_batch(6)
    found = rp.attack(heatmaps, batch, attack="igsm", eps=8 / 255, steps=3)
    clean = as_table(batch, attacks.predict(heatmaps, batch.images, ids=batch.ids).keypoints)
    made = attacks.run(
        attacks.IGSM(steps=3), heatmaps, batch, threat=Linf(eps=8 / 255), objective=TrainingLoss("last")
    )
    attacked = as_table(batch, made.output.keypoints)
    metric = METRICS["pckh"]
    assert found.score("clean") == score(clean, metric)["all"]
    assert found.score("attacked", "nose") == score(attacked, metric)["nose"]
    assert found.score() == relative(clean, attacked, metric)["all"]
    pixels = (made.images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert (found.outcome().shown.pictures.adversarial == pixels).all()


def test_it_prints_as_a_table(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(5), attack="fgsm", eps=("0.5/255", "4/255"))
    title, head, clean, *lines = str(found).splitlines()
    assert title == "LinearPose on batch, in percent, 95% intervals over n people"
    assert head.split() == ["attack", "eps", "score", "value", "n"]
    assert clean.split()[:3] == ["clean", "clean", "PCKh@0.5"]
    assert [line.split()[:2] for line in lines[:1]] == [["FGSM-U", "*"]]
    assert lines[-1].startswith("* under one 8-bit level")
    assert f"{found.score(eps=4 / 255).value:.1f} [" in str(found) or "nan" in f"{found.score().value}"


def test_it_draws_itself_and_saves(heatmaps: TinyHeatmaps, tmp_path: Path) -> None:
    found = rp.attack(heatmaps, tiny_batch(4), attack="fgsm", eps=8 / 255)
    html = found._repr_html_()
    assert html.startswith("<table><caption>TinyHeatmaps on batch")
    assert "data:image/png;base64," in html
    picture = matplotlib.image.imread(found.save(tmp_path / "new" / "a.png"))
    assert picture.std() > 0.05
    with found.save(tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["measure"] for row in rows} == {"clean", "attacked", "relative"}
    scores = json.loads(found.save(tmp_path / "a.json").read_text())
    assert len(scores) == len(rows) == len(found.rows)
    assert found.save(tmp_path / "page").name == "index.html"
    with pytest.raises(RobustPoseError, match=r"a\.docx: can be written as \.png"):
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
    with pytest.raises(RobustPoseError, match="is opened already"):
        rp.load_model(opened, card="card.toml")
    with pytest.raises(RobustPoseError, match=r"a model is a name, an nn\.Module or a function, got int"):
        rp.load_model(3)  # type: ignore[arg-type]
    with pytest.raises(RobustPoseError, match="Identity has no skeleton, input_size and head, so it needs a card"):
        rp.load_model(torch.nn.Identity())
    with pytest.raises(RobustPoseError, match=r"card: unknown key 'formatt'; did you mean 'format'"):
        rp.load_model(torch.nn.Identity(), card={"formatt": "torch"})


def test_wrong_questions(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(3), attack="fgsm")
    with pytest.raises(RobustPoseError, match="no score 'relativ' of 'all'; measures: clean, attacked, relative"):
        found.score("relativ")
    with pytest.raises(RobustPoseError, match=r"eps 0\.5 was not asked for"):
        found.score(eps=0.5)
    with pytest.raises(RobustPoseError, match="eps must be a number"):
        rp.attack(linear, tiny_batch(3), eps=())
    with pytest.raises(RobustPoseError, match=r"the batch has crops of \(8, 12\), the net takes \(128, 128\)"):
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
    assert {"attack", "load_model", "load_data", "check_card", "AttackResult"} <= {*dir(rp)}
    with pytest.raises(AttributeError, match="has no attribute 'atack'"):
        _ = rp.atack
