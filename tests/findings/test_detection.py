from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.findings import Chart, Found, Tabular
from robustpose.findings.detection import DETECTION, WATCHED
from robustpose.findings.roc import FALSE_ALARMS, alarm, auc, average, roc, told
from robustpose.jobs.results import CellResult
from robustpose.metrics import Estimate
from robustpose.metrics.table import Floats
from robustpose.skeletons import MPII_16
from robustpose.study.definition import View
from tests.conftest import TRIO
from tests.findings.mpii_fakes import Answer, apart, fill, silent_plan
from tests.findings.test_plausibility import crowd, pose

PEOPLE = 48


def floats(*values: float) -> Floats:
    return np.array(values, float)


def test_auc_by_hand() -> None:
    """Of the nine pairs five are in order and two tied, among three people."""
    assert auc(alarm(floats(1, 2, 4), floats(2, 3, 4))).value == pytest.approx(
        100 * (1 + 0 + 0 + 2 + 0.5 + 2.5) / 9
    )


@pytest.mark.parametrize(
    ("attacked", "area", "turned"),
    [((5, 6, 7), 100, 100), ((1, 2, 3), 50, 50), ((0, 0.1, 0.2), 0, 100), ((2, 2, 2), 50, 50)],
)
def test_auc_of_plain_cases(attacked: tuple[float, ...], area: float, turned: float) -> None:
    found = auc(alarm(floats(1, 2, 3), floats(*attacked)))
    assert found.value == area
    assert told(found).value == turned


def test_auc_draws_are_of_redrawn_people() -> None:
    """Each draw is the AUC of the people drawn, both pictures of each."""
    generator = np.random.default_rng(0)
    clean, attacked = generator.normal(0, 1, 40), generator.normal(1, 1, 40)
    found = auc(alarm(clean, attacked))
    by_hand = []
    for _ in range(500):
        rows = generator.integers(0, 40, 40)
        by_hand.append(100 * (attacked[rows][:, None] > clean[rows]).mean())
    assert found.draws.std() == pytest.approx(np.std(by_hand), rel=0.15)
    assert found.draws.mean() == pytest.approx(float(found.value), abs=1.5)


def test_people_without_a_number_are_left_out_unless_only_one_picture_lacks_it() -> None:
    seen = alarm(floats(1, np.nan, 3, 4), floats(2, 3, np.nan, 5))
    assert (seen.clean.tolist(), seen.attacked.tolist()) == ([1, 6, 3, 4], [2, 3, 6, 5])
    assert auc(seen).value == pytest.approx(
        100 * (1 + 1.5 + 3.5 + 3) / 16
    )  # nothing to see in one of two is suspicious
    absent = alarm(floats(np.nan, 1), floats(np.nan, 2))
    assert (absent.clean.tolist(), absent.attacked.tolist()) == ([1], [2])
    nobody = auc(alarm(floats(np.nan), floats(np.nan)))
    assert np.isnan(nobody.value) and nobody.n == 0
    assert np.isnan(nobody.estimate.value)
    with pytest.raises(ValueError, match="the same people"):
        alarm(floats(1, 2), floats(1))


def test_average_by_hand() -> None:
    found = average(floats(1, np.nan, 3)).estimate
    assert (found.value, found.low, found.high, found.n) == (2, 1, 3, 2)


def test_roc_by_hand() -> None:
    """Thresholds from above: 4 finds half at no alarm, 3 alarms for half, 2 finds all, 1 alarms for all."""
    found, low, high = roc(alarm(floats(3, 1), floats(4, 2)))
    at = dict(zip(FALSE_ALARMS.tolist(), found.tolist(), strict=True))
    assert (at[0], at[48], at[50], at[100]) == (50, 50, 100, 100)
    assert (low <= found).all() and (found <= high).all()


def test_roc_of_no_information_is_the_diagonal() -> None:
    found, _, _ = roc(alarm(np.ones(5), np.ones(5)))
    assert found == pytest.approx(FALSE_ALARMS)


def test_the_area_under_the_curve_is_the_auc() -> None:
    generator = np.random.default_rng(0)
    seen = alarm(generator.normal(0, 1, 400), generator.normal(1, 1, 400))
    assert np.trapezoid(roc(seen)[0], FALSE_ALARMS) / 100 == pytest.approx(float(auc(seen).value), abs=1)


def answered(*, divergence: float = 0, score: float = 0, odd: bool = False) -> Answer:
    """People around a divergence of 5 and a score of 0.7; attacks shift both, and stretch shins to odd lengths."""
    spread = np.tile(np.linspace(-0.5, 0.5, PEOPLE)[:, None], (1, len(MPII_16)))

    def answer(model: str, view: View) -> CellResult:
        attacked = view.setting is not None
        table = replace(apart(PEOPLE), keypoints=crowd(PEOPLE), predicted=crowd(PEOPLE))
        if attacked and odd:
            table.predicted[PEOPLE // 2 :] = pose(left_ankle=(6, 300))  # of those who are judged
        signals = {"score": 0.7 + spread / 10 + attacked * score}
        if model != "deeppose":
            signals["divergence"] = 5 + spread + attacked * divergence
        return CellResult(table, signals=signals)

    return answer


def found(folder: Path, answer: Answer) -> Found:
    plan = silent_plan({"shg2": True, "deeppose": False}, n=PEOPLE)
    return DETECTION.find(fill(plan, DETECTION, folder, answer))


def holds(result: Found, about: str) -> set[str]:
    return {verdict.holds for verdict in result.verdicts if about in verdict.claim}


def areas(result: Found) -> dict[str, dict[str, Estimate | float | str | None]]:
    (table,) = (each for each in result.exhibits if isinstance(each, Tabular) and each.stem == "detection_auc")
    return {label: dict(zip(table.columns, values, strict=True)) for label, values in table.rows}


def test_attacks_that_change_nothing_are_not_told(tmp_path: Path) -> None:
    result = found(tmp_path, answered())
    assert len(result.verdicts) == 6
    assert holds(result, "KL") == holds(result, "plausibility") == {"holds"}
    assert {each.effect.value for each in result.verdicts if each.effect} == {50.0}


@pytest.mark.parametrize("shift", [3.0, -3.0])
def test_a_shift_of_the_divergence_tells_attacks_in_either_direction(tmp_path: Path, shift: float) -> None:
    result = found(tmp_path, answered(divergence=shift))
    assert holds(result, "KL") == {"does not hold"}
    assert holds(result, "plausibility") == {"holds"}


def test_maps_without_a_positive_cell_are_suspicious_and_counted(tmp_path: Path) -> None:
    def answer(model: str, view: View) -> CellResult:
        result = answered()(model, view)
        if view.setting is None or "divergence" not in result.signals:
            return result
        divergence = np.full_like(result.signals["divergence"], np.nan)
        return replace(result, signals={**result.signals, "divergence": divergence})

    def told_by_kl(model: str, view: View) -> CellResult:
        result = answer(model, view)
        if "divergence" in result.signals:
            result.signals["divergence"][0] = 5.0  # one person's maps are as they were
        return result

    result = found(tmp_path, told_by_kl)
    assert holds(result, "KL") == {"does not hold"}
    assert any("97.9% of the maps have no positive cell" in remark for remark in result.remarks)


def test_odd_skeletons_tell_attacks(tmp_path: Path) -> None:
    result = found(tmp_path, answered(odd=True))
    assert holds(result, "KL") == {"holds"}
    assert holds(result, "plausibility") == {"does not hold"}


def test_lower_peaks_are_more_suspicious_and_coordinate_models_have_none(tmp_path: Path) -> None:
    rows = areas(found(tmp_path, answered(score=-0.5)))
    peak, plausibility = rows["shg2"]["IGSM-T-20, peak"], rows["shg2"]["IGSM-T-20, plausibility"]
    assert isinstance(peak, Estimate) and (peak.value, peak.n) == (100.0, PEOPLE)
    assert isinstance(plausibility, Estimate) and plausibility.n == PEOPLE // 2
    assert rows["deeppose"]["IGSM-T-20, peak"] is None
    assert rows["deeppose"]["IGSM-T-20, KL"] is None
    assert rows["mean"]["IGSM-T-20, peak"] == peak


def test_a_curve_for_each_model_that_a_detector_can_watch(tmp_path: Path) -> None:
    charts = {each.stem: each for each in found(tmp_path, answered()).exhibits if isinstance(each, Chart)}
    assert len(charts) == 3 * len(WATCHED)
    assert [curve.name for curve in charts["detection_kl_igsm_t_20"].curves] == ["shg2"]
    assert [curve.name for curve in charts["detection_plausibility_fgsm_u"].curves] == ["shg2", "deeppose"]
    assert all(chart.diagonal and chart.scale == "linear" for chart in charts.values())


def without_torso(model: str, view: View) -> CellResult:
    ones = np.ones((PEOPLE, len(TRIO)))
    return CellResult(apart(PEOPLE, TRIO), signals={"score": ones})


def test_what_cannot_be_watched_is_said(tmp_path: Path) -> None:
    plan = silent_plan({"deeppose": False}, n=PEOPLE, skeleton=TRIO)
    result = DETECTION.find(fill(plan, DETECTION, tmp_path, without_torso))
    assert result.verdicts == ()
    assert any("the shape of heatmaps is not judged" in remark for remark in result.remarks)
    assert any("Plausibility is not judged" in remark for remark in result.remarks)


@pytest.mark.parametrize("lacking", range(4))
def test_every_cell_asked_for_is_needed(tmp_path: Path, lacking: int) -> None:
    plan = silent_plan({"shg2": True}, n=PEOPLE)
    assert len(DETECTION.asks(plan)) == 4
    with pytest.raises(RobustPoseError, match="has not been computed"):
        DETECTION.find(fill(plan, DETECTION, tmp_path, answered(), without=lacking))
