"""Simple defences: cells with known answers."""

from pathlib import Path

import pytest

from robustpose.defences import DEFENCES
from robustpose.findings.defences import SIMPLE_DEFENCES, SMOOTHING
from robustpose.findings.finding import Tabular
from robustpose.jobs.transfer import MIRRORED
from robustpose.metrics import Estimate
from robustpose.study.definition import View
from tests.findings.filled_stores import assert_reads_all_it_asks_for, filled, judged, opened, plan_of, value


def _as_reported(model: str, view: View) -> int:
    if view.setting is None and view.universal is None:
        return 9 if view.change else 10
    if view.change == MIRRORED:
        return 8 if view.setting else 1
    return 4 if view.change else 1


def _otherwise(model: str, view: View) -> int:
    if view.setting is None and view.universal is None:
        return 10
    if view.change == MIRRORED:
        return 5
    return 1 if view.change else 2


def test_verdicts_of_known_cells(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("deeppose"), n=48)  # of whom 92.6% and more are like these, if all are
    found = SIMPLE_DEFENCES.find(filled(SIMPLE_DEFENCES, plan, tmp_path, _as_reported))
    assert [each.holds for each in found.verdicts] == ["holds"] * 4
    assert value(judged(found.verdicts, "at least 70%")) == pytest.approx(80.0)
    assert value(judged(found.verdicts, "of its unmirrored loss")) == pytest.approx(100.0)
    assert value(judged(found.verdicts, "IGSM-U-10 at 8/255: models")) == pytest.approx(30.0)
    assert value(judged(found.verdicts, "Universal at 16/255: models")) == pytest.approx(30.0)


def test_verdicts_flip_with_the_cells(tmp_path: Path) -> None:
    found = SIMPLE_DEFENCES.find(filled(SIMPLE_DEFENCES, plan_of(opened("shg2")), tmp_path, _otherwise))
    assert [each.holds for each in found.verdicts] == ["does not hold"] * 4
    assert value(judged(found.verdicts, "of its unmirrored loss")) == pytest.approx(100.0 * 50 / 80)


def test_a_perturbation_that_does_nothing_is_not_as_strong_mirrored(tmp_path: Path) -> None:
    found = SIMPLE_DEFENCES.find(
        filled(SIMPLE_DEFENCES, plan_of(opened("shg2")), tmp_path, lambda model, view: 10)
    )
    assert judged(found.verdicts, "of its unmirrored loss").holds == "undecided"


def test_a_table_a_model_with_the_price_on_clean_pictures(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2:My Model"), opened("deeppose"))
    found = SIMPLE_DEFENCES.find(filled(SIMPLE_DEFENCES, plan, tmp_path, _as_reported))
    assert [each.stem for each in found.exhibits] == ["defences_shg2_my_model", "defences_deeppose"]
    shown = found.exhibits[0]
    assert isinstance(shown, Tabular)
    values = {
        label: tuple(each.value if isinstance(each, Estimate) else each for each in cells)
        for label, cells in shown.rows
    }
    assert values["none"] == pytest.approx((100.0, 10.0, "5 to 10", 10.0, "9.9"))
    assert values["perturbation mirrored"] == (None, 80.0, "70 to 75", 10.0, "as strong")
    assert values["median, 5x5"] == (90.0, 40.0, "helps", 40.0, "helps")
    assert len(values) == 2 + len(SMOOTHING)


def test_every_defence_is_a_known_one() -> None:
    assert set(SMOOTHING) <= set(DEFENCES)
    assert MIRRORED not in DEFENCES  # it needs the clean image, so it is a probe


def test_it_says_that_the_attacker_does_not_know(tmp_path: Path) -> None:
    found = SIMPLE_DEFENCES.find(filled(SIMPLE_DEFENCES, plan_of(opened("shg2")), tmp_path, _as_reported))
    assert "upper bounds" in found.remarks[0]


@pytest.mark.slow
def test_it_reads_all_that_it_asks_for(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), opened("deeppose"))
    assert_reads_all_it_asks_for(SIMPLE_DEFENCES, filled(SIMPLE_DEFENCES, plan, tmp_path, _as_reported))


def test_without_a_training_set_only_image_specific_ones_are_judged(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), training=0)
    found = SIMPLE_DEFENCES.find(filled(SIMPLE_DEFENCES, plan, tmp_path, _as_reported))
    assert len(found.verdicts) == 2
    assert "no training set" in found.remarks[-1]
