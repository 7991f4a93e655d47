"""Transfer: cells with known answers."""

from pathlib import Path

import pytest

from robustpose.analysis.evidence import ModelAsk
from robustpose.findings.finding import Tabular
from robustpose.findings.table1 import TABLE1
from robustpose.findings.transfer import IGSM, TRANSFER
from robustpose.metrics import Estimate
from robustpose.study.definition import View
from tests.findings.filled_stores import assert_reads_all_it_asks_for, filled, judged, opened, plan_of, value


def _right(model: str, view: View) -> int:
    if view.setting is None:
        return 10
    return {"": 1, "deeppose": 9, "shg2": 5, "chained": 6}[view.source]


def test_the_matrix_and_its_verdicts(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("chained"), opened("deeppose"))
    found = TRANSFER.find(filled(TRANSFER, plan, tmp_path, _right))
    (shown,) = found.exhibits
    assert isinstance(shown, Tabular)
    assert shown.columns == ("shg2", "chained", "deeppose", "Vulner.")
    row = [each.value for each in dict(shown.rows)["shg2"] if isinstance(each, Estimate)]
    assert row == pytest.approx([10.0, 60.0, 90.0, 75.0])
    average = judged(found.verdicts, "at least 30%")
    assert value(average) == pytest.approx(100 - (60 + 90 + 50 + 90 + 50 + 60) / 6)
    assert average.holds == "holds"
    kept = judged(found.verdicts, "at least 75%")
    assert value(kept) == pytest.approx(90.0)
    assert kept.holds == "holds"
    worst = judged(found.verdicts, "worse than those of any other model")
    assert value(worst) == pytest.approx(30.0)
    assert worst.holds == "holds"


def test_verdicts_flip_with_the_cells(tmp_path: Path) -> None:
    def strong_deeppose(model: str, view: View) -> int:
        return 10 if view.setting is None else {"": 1, "deeppose": 5}.get(view.source, 10)

    plan = plan_of(opened("shg2"), opened("chained"), opened("deeppose"))
    found = TRANSFER.find(filled(TRANSFER, plan, tmp_path, strong_deeppose))
    assert {each.holds for each in found.verdicts} == {"does not hold"}


def test_a_model_is_shown_its_own_pictures_plainly_and_no_pictures_of_another_size() -> None:
    plan = plan_of(opened("shg2"), opened("shg8"), opened("deeppose", size=(32, 24)))
    asked = {(ask.model, ask.view) for ask in TRANSFER.asks(plan) if isinstance(ask, ModelAsk)}
    assert ("shg2", View(IGSM)) in asked
    assert ("shg2", View(IGSM, source="shg8")) in asked
    assert not any("deeppose" in (model, view.source) and view.source for model, view in asked)


def test_pairs_left_out_are_named(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("deeppose", size=(32, 24)))
    found = TRANSFER.find(filled(TRANSFER, plan, tmp_path, _right))
    assert not found.verdicts
    assert (
        found.remarks[0]
        == "Left out because the crops differ in size or padding: deeppose on shg2, shg2 on deeppose."
    )


def test_it_reads_all_that_it_asks_for(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("chained"), opened("deeppose"))
    assert_reads_all_it_asks_for(TRANSFER, filled(TRANSFER, plan, tmp_path, _right))


def test_one_model_is_not_enough(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"))
    assert not TRANSFER.asks(plan)
    assert TRANSFER.find(filled(TRANSFER, plan, tmp_path)).remarks == (
        "Transfer needs two models; the study has one.",
    )


def test_pictures_of_other_crops_of_the_same_size_are_left_out_too() -> None:
    wide = opened("deeppose")
    wide.module.padding = 1.5  # type: ignore[attr-defined]
    plan = plan_of(opened("shg2"), wide)
    asked = [ask for ask in TRANSFER.asks(plan) if isinstance(ask, ModelAsk) and ask.view.source]
    assert not asked
    shown = [ask for ask in TABLE1.asks(plan) if isinstance(ask, ModelAsk) and ask.view.source]
    assert shown, "a universal perturbation is of no photo, so it can be shown in any crop of its size"
