"""LSP's PCK@0.2 and strict PCP, typed by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from robustpose.metrics import METRICS, Estimate, score
from robustpose.metrics.table import Table
from robustpose.skeletons import COCO_17, MPII_16

from .test_pck import off

PLACES = {
    "head_top": (50, 0),
    "upper_neck": (50, 20),
    "left_shoulder": (70, 30),
    "right_shoulder": (40, 30),
    "left_elbow": (70, 50),
    "right_elbow": (40, 50),
    "left_wrist": (70, 70),
    "right_wrist": (40, 70),
    "left_hip": (70, 70),
    "right_hip": (40, 70),
    "left_knee": (70, 90),
    "right_knee": (40, 90),
    "left_ankle": (70, 110),
    "right_ankle": (40, 110),
}
"""Limbs are 20 long, the torso is 40, and from left shoulder to right hip it is 50: joints have 10 pixels."""


def standing(n: int, *, data: str = "lsp[1001-1500]") -> Table:
    """n people, all predictions perfect; LSP has no pelvis and no thorax."""
    keypoints = np.zeros((n, 16, 2))
    visible = np.zeros((n, 16), bool)
    for name, place in PLACES.items():
        keypoints[:, MPII_16.index(name)], visible[:, MPII_16.index(name)] = place, True
    return Table(
        ids=tuple(f"lsp:im{i}" for i in range(n)),
        skeleton=MPII_16,
        predicted=keypoints.copy(),
        keypoints=keypoints,
        visible=visible,
        head_size=np.full(n, 15.0),
        box_side=np.full(n, 110.0),
        data=data,
    )


def scored(table: Table) -> dict[str, Estimate]:
    return score(table, METRICS["lsp"])


def test_a_perfect_model() -> None:
    got = scored(standing(3))
    assert list(got) == [
        *("PCK@0.2", "PCK@0.2 Head", "PCK@0.2 Shoulder", "PCK@0.2 Elbow", "PCK@0.2 Wrist", "PCK@0.2 Hip"),
        *("PCK@0.2 Knee", "PCK@0.2 Ankle", "PCP", "PCP Torso", "PCP Head", "PCP Upper arms", "PCP Forearms"),
        *("PCP Upper legs", "PCP Lower legs"),
    ]
    assert {each.value for each in got.values()} == {100.0}
    assert {each.n for each in got.values()} == {3}


def test_two_people_by_hand() -> None:
    table = standing(2)
    off(table, 0, "left_wrist", (6.0, 8.0))  # 10: correct by PCK, and by PCP with half of 20
    off(table, 1, "left_wrist", (6.0, 8.01))  # just over: wrong, and so is that forearm
    off(table, 0, "right_knee", (0.0, 30.0))  # wrong: the upper and the lower leg are lost with it
    off(
        table, 0, "left_shoulder", (0.0, 30.0)
    )  # wrong; the middle of the shoulders is off by 15 of the allowed 20
    table.visible[1, MPII_16.index("right_ankle")] = False
    off(table, 1, "right_ankle", (99.0, 0.0))  # not labelled: neither it nor its lower leg counts
    got = {name: each.value for name, each in scored(table).items()}
    assert got["PCK@0.2"] == pytest.approx(100 * 24 / 27)
    assert got["PCK@0.2 Wrist"] == got["PCK@0.2 Knee"] == got["PCK@0.2 Shoulder"] == pytest.approx(75.0)
    assert got["PCK@0.2 Ankle"] == got["PCK@0.2 Head"] == 100.0
    assert got["PCP Torso"] == got["PCP Head"] == 100.0
    assert got["PCP Upper arms"] == got["PCP Forearms"] == got["PCP Upper legs"] == pytest.approx(75.0)
    assert got["PCP Lower legs"] == pytest.approx(100 * 2 / 3)
    assert got["PCP"] == pytest.approx(100 * 15 / 19)


def test_redraws_are_those_of_tables() -> None:
    table = standing(4)
    off(table, 0, "left_wrist", (50.0, 0.0))
    off(table, 2, "head_top", (50.0, 0.0))
    draws = METRICS["lsp"].scores(table).draws  # type: ignore[attr-defined]
    weights = np.random.default_rng(0).multinomial(4, np.full(4, 0.25), size=1000)
    for number in (0, 7, 999):
        redrawn = table.take(np.repeat(np.arange(4), weights[number]).tolist())
        direct = METRICS["lsp"](redrawn)
        assert {name: values[number] for name, values in draws.items()} == pytest.approx(direct)


def test_where_it_is_defined_and_what_is_not() -> None:
    metric = METRICS["lsp"]
    assert metric.defined(standing(1, data="lspet"))
    assert not metric.defined(standing(1, data="mpii"))
    assert not metric.defined(replace(standing(1), skeleton=COCO_17))
    flat = standing(1)
    flat.keypoints[0] = flat.keypoints[0, 0]
    assert math.isnan(metric(flat)["PCK@0.2"])
    assert math.isnan(metric(flat)["PCP"])
