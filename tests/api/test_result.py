"""What a result gives beside its table: images, predictions, numbers for loggers and data frames."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import robustpose as rp
from robustpose import attacks
from robustpose.errors import RobustPoseError
from robustpose.objectives import TrainingLoss
from robustpose.study.saved import load_study, save_study
from robustpose.threats import Linf
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch

N = 30
"""More than one block of stored people."""


def test_all_adversarial_images_and_predictions(heatmaps: TinyHeatmaps) -> None:
    batch = tiny_batch(N)
    found = rp.attack(heatmaps, batch, attack="igsm", eps=("2/255", "8/255"), steps=2)
    made = attacks.run(attacks.IGSM(steps=2), heatmaps, batch, threat=Linf(8 / 255), objective=TrainingLoss())
    assert torch.equal(found.adversarial, made.images)
    assert torch.equal(found.clean, batch.images)
    assert torch.equal(found.perturbation, made.images - batch.images)
    assert torch.equal(found.keypoints, made.output.keypoints)
    assert found.ids == batch.ids
    assert found.adversarial is found.adversarial, "read once"
    small = found.images(eps="2/255") - found.clean
    assert math.isclose(float(small.abs().max()), 2 / 255, abs_tol=1e-6)


def test_fewer_images_may_be_stored(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(N), attack="fgsm", keep_images=27)
    with pytest.raises(RobustPoseError, match="images of 27 of 30 people are stored"):
        found.images()
    with pytest.raises(RobustPoseError, match="images of 0 of 3 people are stored"):
        _ = rp.attack(linear, tiny_batch(3), attack="fgsm", keep_images=0).clean


def test_images_below_one_level_are_refused(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(3), attack="fgsm", eps="0.5/255")
    with pytest.raises(RobustPoseError, match=r"images of 0\.5/255 are not stored"):
        _ = found.adversarial
    assert torch.equal(found.clean, tiny_batch(3).images)


def test_numbers_for_loggers_and_data_frames() -> None:
    found = rp.attack("shg2", "synthpose", attack="fgsm", eps="2/255", n=3)
    metrics = found.metrics()
    assert metrics["clean PCKh@0.5"] == found.score("clean").value
    assert metrics["attacked PCKh@0.5"] == found.score("attacked").value
    assert metrics["relative PCKh@0.5"] == found.score().value
    assert all(type(value) is float for value in metrics.values())
    frame = found.to_polars()
    assert len(frame) == len(found.rows)
    chosen = frame.filter((pl.col("measure") == "relative") & (pl.col("part") == "all"))
    assert chosen["value"][0] == found.score().value
    assert "shg2 on synthpose:val, FGSM-U at 2/255, n=3" in repr(found)
    assert f"'clean PCKh@0.5': {round(found.score('clean').value, 1)}" in repr(found)
    both = rp.attack("shg2", "synthpose", attack="fgsm", eps=("2/255", "4/255"), n=2).metrics()
    assert {"clean PCKh@0.5", "attacked PCKh@0.5 at 2/255", "attacked PCKh@0.5 at 4/255"} <= both.keys()


def test_scores_that_are_no_robustness_are_not_given_to_loggers(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(5), attack="fgsm")
    assert found.doubts.models, "the test is only a test where the model is useless"
    assert not [name for name in found.metrics() if name.startswith("relative")]


def test_attack_objects_are_attacks_with_their_numbers(heatmaps: TinyHeatmaps) -> None:
    batch = tiny_batch(4)
    named = rp.attack(heatmaps, batch, attack="pgd", steps=3)
    same = rp.attack(heatmaps, batch, attack=rp.PGD(steps=3))
    assert named.plan.study.settings == same.plan.study.settings
    other = rp.attack(heatmaps, batch, attack=rp.PGD(steps=3, restarts=2, momentum=0.5))
    (setting,) = other.plan.study.settings
    assert setting.label == "PGD-U-3-restarts2-momentum0.5"
    assert setting.gradients == 6
    made = attacks.run(
        rp.PGD(steps=3, restarts=2, momentum=0.5), heatmaps, batch, threat=Linf(8 / 255), objective=TrainingLoss()
    )
    assert torch.equal(other.adversarial, made.images)
    assert other.plan.all_cells()[-1] != named.plan.all_cells()[-1]
    for attack, name in (
        (attacks.Autopose(gradients=30), "autopose"),
        (attacks.FMN(steps=9, each=True), "fmn_each"),
        (attacks.ATTACKS["ti"].make(targeted=False), "ti"),
        (attacks.ATTACKS["igsm"].make(targeted=False), "igsm"),
    ):
        assert rp.attack(heatmaps, tiny_batch(2), attack=attack).plan.study.settings[0].attack == name


def test_a_saved_study_has_the_numbers_of_an_attack_object(heatmaps: TinyHeatmaps, tmp_path: Path) -> None:
    study = rp.attack(heatmaps, tiny_batch(2), attack=rp.PGD(steps=2, momentum=1.0)).plan.study
    save_study(study, tmp_path)
    assert load_study(tmp_path) == study


def test_eps_may_be_a_tensor_of_one_number(linear: LinearPose) -> None:
    found = rp.attack(linear, tiny_batch(2), attack="fgsm", eps=torch.tensor(4 / 255))
    assert found.plan.study.settings[0].budget == "4/255"
    many = rp.attack(linear, tiny_batch(2), attack="fgsm", eps=np.array([2 / 255, 4 / 255]))  # type: ignore[arg-type]
    assert [each.budget for each in many.plan.study.settings] == ["2/255", "4/255"]
