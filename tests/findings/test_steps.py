"""Steps to collapse on hand-made answers."""

from pathlib import Path

import numpy as np
import pytest

from robustpose.analysis.evidence import TaskAsk
from robustpose.findings.finding import Chart, Found, Tabular
from robustpose.findings.statistics import Sample
from robustpose.findings.steps import RULE, STEPS, first_below, first_passages
from robustpose.jobs.setting import Setting
from tests.findings.hand_made import Right, evidence_of, hand_plan, heatmaps, regression
from tests.study.study_fakes import TASKS


def find(folder: Path, right: Right, *, labelled: bool = True) -> Found:
    plan = hand_plan(heatmaps("shg2"), regression("deeppose"), tasks=TASKS, labelled=labelled)
    return STEPS.find(evidence_of(plan, STEPS.asks(plan), folder, right))


def falling(model: str, setting: Setting | None) -> int:
    """shg2: 40, 24, 12, 2 of 40; deeppose 20 ever; action 36, 24, 1, 0; parts never under half."""
    if setting is None:
        return 40
    after = {1: 0, 5: 1, 10: 2, 20: 3}[int(setting.numbers["steps"])]
    lefts = {"shg2": (40, 24, 12, 2), "deeppose": (20,) * 4, "action": (36, 24, 1, 0), "parts": (30,) * 4}
    return lefts[model][after]


def test_rule_of_the_paper() -> None:
    assert RULE == 10


def test_first_passages_by_hand() -> None:
    left = np.array([[60.0, 60.0, 40.0], [40.0, 55.0, 70.0], [60.0, 52.0, 30.0]])
    assert list(first_passages(left, [1, 5, 20], below=50.0)) == [5.0, np.inf, 1.0]


def test_an_interval_may_reach_past_the_trajectory() -> None:
    draws = np.full(100, 20.0)
    draws[:10] = 5.0
    samples = (Sample(np.asarray(50.0), np.full(100, 50.0), 40), Sample(np.asarray(9.0), draws, 40))
    assert first_below(samples, [1, 5], below=10.0) == "5 [5, more than 5], n = 40"


def test_table_and_verdicts(tmp_path: Path) -> None:
    found = find(tmp_path, falling)
    chart, table = found.exhibits
    assert isinstance(chart, Chart) and isinstance(table, Tabular)
    curves = {each.name: each for each in chart.curves}
    assert curves["shg2"].x == (1.0, 5.0, 10.0, 20.0)
    assert curves["shg2"].y == (100.0, 60.0, 30.0, 5.0)
    assert curves["action"].slot == 2 and curves["parts"].slot == 3
    assert curves["2-SHG, paper"].y == (15.1, 7.0)
    rows = dict(table.rows)
    assert str(rows["shg2"][0]).startswith("10 [") and str(rows["shg2"][1]).startswith("20 [")
    assert str(rows["parts"][1]).startswith("more than 20 [")
    classification, pose = found.verdicts
    assert classification.holds == "holds" and classification.effect is not None
    assert classification.effect.value == pytest.approx(2.5)
    assert pose.holds == "holds" and pose.effect is not None and pose.effect.value == pytest.approx(40.0)


def test_verdicts_flip(tmp_path: Path) -> None:
    def right(model: str, setting: Setting | None) -> int:
        if setting is None:
            return 40
        return 30 if model == "action" else 1

    assert [each.holds for each in find(tmp_path, right).verdicts] == ["does not hold", "does not hold"]


def test_data_without_labels_leave_the_other_tasks_out(tmp_path: Path) -> None:
    plan = hand_plan(heatmaps("shg2"), tasks=TASKS)
    assert not any(isinstance(ask, TaskAsk) for ask in STEPS.asks(plan))
    found = find(tmp_path, falling, labelled=False)
    assert len(found.verdicts) == 1 and any("Classification: not judged" in remark for remark in found.remarks)
