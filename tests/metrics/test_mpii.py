"""MPII's official table, typed by hand."""

import math

import numpy as np
import pytest

from robustpose.metrics import METRICS, Estimate, score
from robustpose.metrics.hits import percentages, totals
from robustpose.metrics.mpii import AUC
from robustpose.metrics.pck import Pck
from robustpose.metrics.table import Table
from robustpose.skeletons import MPII_16

from .test_pck import at_the_truth, off


def mpii_table(table: Table) -> dict[str, Estimate]:
    return score(table, METRICS["mpii"])


def values(table: Table) -> dict[str, float]:
    return {name: estimate.value for name, estimate in mpii_table(table).items()}


def test_a_perfect_model() -> None:
    got = values(at_the_truth(4))
    names = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1", "AUC")
    assert tuple(got) == names
    assert list(got.values()) == pytest.approx([100.0] * 10)


def test_four_people_by_hand() -> None:
    table = at_the_truth(4)  # heads of 10 pixels
    table.visible[3, MPII_16.index("left_wrist")] = False
    off(table, 0, "head_top", (0.0, 5.0))  # 0.5: correct, at the last threshold only
    off(table, 1, "head_top", (0.0, 5.1))  # wrong
    off(table, 0, "upper_neck", (9.0, 0.0))  # wrong; counts in Mean and in no part
    off(table, 0, "pelvis", (9.0, 0.0))  # does not count
    off(table, 0, "right_wrist", (1.0, 0.0))  # 0.1: correct at 0.1, too
    off(table, 1, "right_wrist", (1.001, 0.0))  # correct at 0.5, wrong at 0.1
    off(table, 2, "left_wrist", (99.0, 0.0))  # wrong
    got = values(table)
    assert got["Head"] == pytest.approx(75.0)
    assert got["Wrist"] == pytest.approx((100 + 100 * 2 / 3) / 2)
    assert (got["Shoulder"], got["Elbow"], got["Hip"], got["Knee"], got["Ankle"]) == (100,) * 5
    # 14 joints of 4 people, one of them not labelled: 55; 3 are wrong at 0.5 and 5 at 0.1.
    assert got["Mean"] == pytest.approx(100 * 52 / 55)
    assert got["Mean@0.1"] == pytest.approx(100 * 50 / 55)
    # 50 are correct from threshold 0; 0.5 from the last, which weighs a half; 0.1 from 40.5 of 50 steps on, 0.1001
    # from 39.5.
    assert got["AUC"] == pytest.approx(100 * (49 + 0.01 + 0.81 + 0.79) / 55)


def test_the_area_is_that_of_the_curve_of_pckh() -> None:
    table = at_the_truth(30)
    table.predicted[:] += np.random.default_rng(1).normal(0, 2.5, table.predicted.shape)
    thresholds = np.linspace(0, 0.5, 51)
    curve = [
        float(percentages(*totals(Pck("head_size", float(each)).hits(table)), MPII_16)["all"])
        for each in thresholds
    ]
    assert values(table)["AUC"] == pytest.approx(float(np.trapezoid(curve, thresholds)) / 0.5)
    assert AUC.name == "PCKh AUC"


def test_what_nobody_has_labelled_is_undefined() -> None:
    table = at_the_truth(2)
    table.visible[:, [MPII_16.index("left_hip"), MPII_16.index("right_hip")]] = False
    assert math.isnan(values(table)["Hip"])
    assert values(table)["Mean"] == 100


def test_people_without_a_head_size_do_not_count() -> None:
    table = at_the_truth(3)
    table.head_size[0] = np.nan
    off(table, 0, "left_knee", (99.0, 0.0))
    off(table, 1, "left_knee", (99.0, 0.0))
    assert values(table)["Knee"] == pytest.approx(75.0)
    assert mpii_table(table)["Mean"].n == 2
