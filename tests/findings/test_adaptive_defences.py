"""Defences under adaptive attacks: cells with known answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.findings.adaptive_defences import ADAPTIVE_DEFENCES, worse_of
from robustpose.findings.finding import Tabular
from robustpose.jobs.setting import Setting
from robustpose.metrics import PCKH, Estimate, Table
from robustpose.study.definition import View
from robustpose.study.plan import Plan
from tests.conftest import TRIO
from tests.findings.filled_stores import filled, judged, opened, plan_of, value

IGSM = Setting("igsm", 8 / 255)


def plan(*names: str) -> Plan:
    made = plan_of(*(opened(name) for name in names), n=48)
    return replace(made, study=replace(made.study, settings=(IGSM,)))


def answers(model: str, view: View) -> int:
    """Of ten joints: the plain model has 2 under attack; median3 has 6 unaware and 5 aware, box3 1 aware."""
    if view.setting is None:
        return 10 if ":" not in model else 9
    if view.change:
        return 6
    return {"median3:shg2": 5, "box3:shg2": 1}.get(model, 2)


def test_judged_by_the_attacker_who_knows(tmp_path: Path) -> None:
    found = ADAPTIVE_DEFENCES.find(
        filled(ADAPTIVE_DEFENCES, plan("shg2", "median3:shg2", "box3:shg2"), tmp_path, answers)
    )
    helps, hurts = found.verdicts
    assert (helps.holds, hurts.holds) == ("holds", "does not hold")
    assert helps.claim == "median3 raises the score of shg2 under IGSM-U-10 at 8/255 when the attacker knows it."
    assert value(helps) == pytest.approx(30.0)
    assert value(hurts) == pytest.approx(-10.0)
    (table,) = found.exhibits
    assert isinstance(table, Tabular)
    assert [label for label, _ in table.rows] == ["no defence", "median3", "box3"]
    cells = dict(table.rows)["median3"]
    numbers = [cell.value for cell in cells if isinstance(cell, Estimate)]
    assert numbers == pytest.approx([90.0, 60.0, 50.0, 30.0])
    assert cells[-1] == "helps" and dict(table.rows)["box3"][-1] == "hurts under an adaptive attack"


def test_images_made_without_the_defence_count_where_they_do_more(tmp_path: Path) -> None:
    """A defence must not look good because the attack through it is weaker than one that ignores it."""

    def masked(model: str, view: View) -> int:
        if view.setting is None:
            return 10
        return 3 if view.change else 9 if ":" in model else 2

    found = ADAPTIVE_DEFENCES.find(filled(ADAPTIVE_DEFENCES, plan("shg2", "median3:shg2"), tmp_path, masked))
    assert value(judged(found.verdicts, "median3")) == pytest.approx(10.0)


def test_the_worse_of_two_by_hand() -> None:
    truth = np.zeros((3, 3, 2))

    def table(wrong: list[int]) -> Table:
        predicted = truth.copy()
        for person, count in enumerate(wrong):
            predicted[person, :count] = 100.0
        return Table(
            ids=("a", "b", "c"),
            skeleton=TRIO,
            predicted=predicted,
            keypoints=truth,
            visible=np.ones((3, 3), bool),
            head_size=np.ones(3),
            box_side=np.ones(3),
        )

    assert np.nansum(PCKH.hits(worse_of(table([0, 2, 1]), table([1, 1, 1]), PCKH)), axis=1).tolist() == [2, 1, 2]


def test_approximated_gradients_are_said(tmp_path: Path) -> None:
    found = ADAPTIVE_DEFENCES.find(
        filled(ADAPTIVE_DEFENCES, plan("shg2", "jpeg75:shg2", "noise8:shg2"), tmp_path, answers)
    )
    assert "Attacked with the gradient of the identity (BPDA): jpeg75." in found.remarks
    assert "Attacked on average over several draws (EOT): noise8 (2 draws)." in found.remarks


def test_without_a_defended_model_nothing_is_asked(tmp_path: Path) -> None:
    assert ADAPTIVE_DEFENCES.asks(plan("shg2", "deeppose")) == []
    found = ADAPTIVE_DEFENCES.find(filled(ADAPTIVE_DEFENCES, plan("shg2"), tmp_path, answers))
    assert found.remarks == ("The study has no model both with and without a defence.",)
