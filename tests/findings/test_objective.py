"""The margin beside the training loss, on hand-made answers."""

from pathlib import Path

import pytest

from robustpose.findings.finding import Chart, Found, Tabular
from robustpose.findings.objective import OBJECTIVE
from robustpose.jobs.setting import Setting
from tests.findings.hand_made import Right, evidence_of, hand_plan, heatmaps, regression


def find(folder: Path, right: Right) -> Found:
    plan = hand_plan(heatmaps("shg2"), regression("deeppose"))
    return OBJECTIVE.find(evidence_of(plan, OBJECTIVE.asks(plan), folder, right))


def left(*, loss: int, margin: int) -> Right:
    def right(model: str, setting: Setting | None) -> int:
        if setting is None:
            return 40
        many = 2 if "steps" in setting.numbers and setting.numbers["steps"] == 100 else 0
        return (margin if setting.objective == "margin" else loss) - many

    return right


def test_effect_by_hand(tmp_path: Path) -> None:
    found = find(tmp_path, left(loss=24, margin=8))
    (only,) = found.verdicts
    assert only.effect is not None and only.effect.value == pytest.approx(40.0) and only.holds == "holds"
    assert "lies above 0" in only.measured and "above 0.0" not in only.measured
    chart, table = found.exhibits
    assert isinstance(chart, Chart) and isinstance(table, Tabular)
    assert [(each.name, each.dashed, each.y[0]) for each in chart.curves] == [
        ("shg2", False, 60.0),
        ("deeppose", False, 60.0),
        ("shg2, margin", True, 20.0),
        ("deeppose, margin", True, 20.0),
    ]
    assert table.columns == (
        "IGSM-U-10",
        "IGSM-U-10-margin",
        "IGSM-U-100",
        "IGSM-U-100-margin",
        "APGD-U-100-margin",
    )
    values = [getattr(cell, "value", None) for cell in table.rows[0][1]]
    assert values == pytest.approx([60.0, 20.0, 55.0, 15.0, 15.0])


def test_the_verdict_flips(tmp_path: Path) -> None:
    (only,) = find(tmp_path, left(loss=8, margin=24)).verdicts
    assert only.holds == "does not hold"


class Unheard:
    """A way of writing keypoints that no margin is defined for."""


def test_a_model_without_margins_is_left_out(tmp_path: Path) -> None:
    classes = heatmaps("simcc")
    classes.module.head = Unheard()  # type: ignore[misc, assignment]
    plan = hand_plan(heatmaps("shg2"), classes)
    found = OBJECTIVE.find(evidence_of(plan, OBJECTIVE.asks(plan), tmp_path, left(loss=24, margin=8)))
    assert any("simcc: left out" in remark for remark in found.remarks)
    alone = hand_plan(classes)
    assert not OBJECTIVE.asks(alone)
    assert not OBJECTIVE.find(evidence_of(alone, [], tmp_path, left(loss=24, margin=8))).verdicts
