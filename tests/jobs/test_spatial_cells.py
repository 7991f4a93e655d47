"""Spatial attacks in studies: stored truth that moved, keys, JSON, pages, and the Python interface."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import robustpose as rp
from robustpose.analysis.scores import all_rows, outcome
from robustpose.errors import RobustPoseError
from robustpose.jobs.job import key_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import PCK, score
from robustpose.report.html import write_report
from robustpose.report.terminal import attack_json
from robustpose.study.plan import run_cells
from tests.conftest import TinyHeatmaps, tiny_batch
from tests.study.study_fakes import NoisePeople, plan, tiny_models

SETTINGS = (
    Setting("spatial", 30.0, steps=9, threat="rotation"),
    Setting("worst_of_k", 20.0, steps=3, threat="spatial"),
)


def test_a_block_without_a_readable_photo_hides_nobody_s_motion(tmp_path: Path) -> None:
    made = plan(
        n=30, people=NoisePeople(broken=tuple(range(25, 30))), settings=SETTINGS[:1], models=tiny_models()[1:]
    )
    store = Store(tmp_path)
    run_cells(made, store)
    motions = outcome(made, store, made.models[0], SETTINGS[0]).motions
    assert motions is not None
    assert motions.shape == (25, 4)


def test_what_is_stored_is_scored_against_the_moved_truth(tmp_path: Path) -> None:
    made = plan(n=30, people=NoisePeople(broken=(2,)), settings=SETTINGS, models=tiny_models()[1:])
    store = Store(tmp_path)
    assert run_cells(made, store) == 6
    assert run_cells(made, store) == 0
    clean, attacked = (outcome(made, store, made.models[0], each) for each in (None, SETTINGS[0]))
    assert attacked.motions is not None and attacked.motions.shape == (29, 4)
    assert clean.motions is None
    turned = (attacked.motions[:, 0] != 0) & attacked.table.visible.any(axis=1)
    assert turned.any()
    assert (attacked.table.keypoints[turned] != clean.table.keypoints[turned]).any(axis=(1, 2)).all()
    stay = ~(attacked.motions != 0).any(axis=1)
    np.testing.assert_array_equal(attacked.table.keypoints[stay], clean.table.keypoints[stay])
    before, after = (PCK.hits(each.table) for each in (clean, attacked))
    assert ((after == 0).sum(axis=1) >= (before == 0).sum(axis=1)).all()
    assert attacked.forwards <= 29 * 9
    content = json.loads(attack_json(made, clean=clean, attacked=attacked, cells=(), seconds=0.0))
    assert content["attack"] == "SPATIAL-U-9"
    assert (content["threat"], content["eps"], content["objective"]) == ("rotation", "30 degrees", None)
    assert content["n"] == content["relative"]["n"] == 29
    assert content["attacked"]["value"] <= content["clean"]["value"]
    assert content["motion"]["moved"] == int(turned.sum() + (~turned & ~stay).sum())
    gone = int((clean.table.visible & ~attacked.table.visible).sum())
    assert content["motion"]["keypoints_that_left"] == gone
    assert content["attacked"]["value"] == pytest.approx(score(attacked.table, PCK)["all"].value, abs=1e-3)


def test_pages_show_the_truth_that_moved(tmp_path: Path) -> None:
    made = plan(n=6, settings=SETTINGS)
    store = Store(tmp_path / "store")
    run_cells(made, store)
    page = write_report(made, store, tmp_path / "page").read_text()
    assert "moved ground truth" in page
    assert "may rotate the image by eps degrees; the truth moves with it" in page
    rows = [row for row in all_rows(made, store) if row.measure == "relative"]
    assert {row.eps for row in rows} == {"30 degrees", "20 degrees and 0.0667 of the side"}


def test_keys_tell_threats_budgets_and_steps_apart() -> None:
    several = [
        *SETTINGS,
        replace(SETTINGS[0], eps=20.0),
        replace(SETTINGS[0], threat="spatial"),
        replace(SETTINGS[0], steps=11),
    ]
    (model,) = tiny_models()[:1]
    keys = {key_of(plan(settings=(each,)).cells(model, each)[0]) for each in several}
    assert len(keys) == len(several)
    cell = plan(settings=SETTINGS).cells(model, SETTINGS[0])[0]
    assert cell.metric == "pck"
    assert SETTINGS[0].round_to_8bit and replace(SETTINGS[0], eps=0.001).round_to_8bit


@pytest.mark.slow
def test_a_curve_from_python(tmp_path: Path) -> None:
    model = TinyHeatmaps().train()
    found = rp.attack(model, tiny_batch(8), attack="spatial", eps=(10, "40"), steps=9)
    assert model.training
    assert found.score("attacked", eps=10).value <= found.score("clean").value
    assert found.score("attacked", eps=40).n == 8
    assert "40 degrees and 0.133 of the side" in str(found)
    assert found.save(tmp_path / "figure.png").stat().st_size > 10_000
    turned = rp.attack(model, tiny_batch(4), attack="worst_of_k", threat="rotation", eps=15)
    assert "15 degrees" in str(turned)
    with pytest.raises(
        RobustPoseError, match="'spatial' supports spatial, rotation, translation, scaling, got linf"
    ):
        rp.attack(model, tiny_batch(2), attack="spatial", threat="linf")


def test_other_threats_from_python(tmp_path: Path) -> None:
    found = rp.attack(TinyHeatmaps().eval(), tiny_batch(3), attack="igsm", threat="l2", eps=("1", "2"), steps=2)
    assert found.score("relative", eps=1).n == 3
    assert "2 in L2" in str(found)
