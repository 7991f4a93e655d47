from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.findings import Found, Tabular
from robustpose.findings.joints import NOWHERE, TWIN, by_part, parts_of, places
from robustpose.findings.table2 import CLAIMS, TABLE2
from robustpose.jobs.results import CellResult
from robustpose.metrics import ALL, PCKH, Estimate, Table
from robustpose.skeletons import MPII_16
from robustpose.study.definition import View
from tests.conftest import TRIO
from tests.findings.mpii_fakes import Answer, apart, fill, moved, sides, silent_plan

PEOPLE = 24
LIMBS = ("ankle", "knee", "hip", "shoulder", "elbow", "wrist")
FAR = 1000.0
"""Moves a prediction onto its target, and away from every joint."""


def placed(joint: str, at: str | tuple[float, float], *, table: Table | None = None) -> dict[str, float]:
    """Say where a joint's prediction lies when it is put onto another joint or a place."""
    table = table or apart(1)
    predicted = table.predicted.copy()
    row = MPII_16.index(joint)
    predicted[0, row] = table.keypoints[0, MPII_16.index(at)] if isinstance(at, str) else at
    found = places(replace(table, predicted=predicted), PCKH)
    return {place: float(share[0, row]) for place, share in found.items() if share[0, row] != 0}


def test_parts_are_in_the_papers_words_and_order() -> None:
    assert list(parts_of(apart(1))) == ["ankle", "knee", "hip", "neck", "head", "shoulder", "elbow", "wrist"]


def test_who_has_one_joint_of_a_part_right_has_something_right() -> None:
    hits = np.zeros((3, len(MPII_16)))
    hits[0, MPII_16.index("left_wrist")] = 1
    hits[1, [MPII_16.index(f"{side}_knee") for side in ("left", "right")]] = 1
    hits[2, [MPII_16.index(f"{side}_wrist") for side in ("left", "right")]] = np.nan
    found = by_part(hits, apart(3))
    assert {name: found[name].right for name in ("wrist", "knee", "ankle", ALL)} == {
        "wrist": 1,
        "knee": 1,
        "ankle": 0,
        ALL: 2,
    }
    assert (found["wrist"].n, found["knee"].n) == (2, 3)


@pytest.mark.parametrize(
    ("joint", "at", "place"),
    [
        ("left_wrist", "left_wrist", "wrist"),
        ("left_wrist", "right_wrist", TWIN),
        ("left_wrist", "right_elbow", "elbow"),
        ("head_top", "upper_neck", "neck"),
        ("right_ankle", (50.0, 50.0), NOWHERE),
        ("right_ankle", (float("nan"), 0.0), NOWHERE),
        ("right_ankle", "pelvis", NOWHERE),  # which the metric does not count
    ],
)
def test_a_prediction_lies_in_one_place(joint: str, at: str | tuple[float, float], place: str) -> None:
    assert placed(joint, at) == {place: 1.0}


def test_own_place_goes_before_a_nearer_joint_and_the_nearest_other_joint_before_the_next() -> None:
    table = apart(1)
    keypoints = table.keypoints.copy()
    knee, ankle, hip = (MPII_16.index(f"right_{part}") for part in ("knee", "ankle", "hip"))
    keypoints[0, [knee, ankle, hip]] = [[0, 0], [4, 0], [7, 0]]
    close = replace(table, keypoints=keypoints)
    assert placed("right_knee", (4.5, 0.0), table=close) == {"knee": 1.0}
    assert placed("right_wrist", (5.0, 0.0), table=close) == {"ankle": 1.0}
    assert placed("right_wrist", (6.0, 0.0), table=close) == {"hip": 1.0}


def test_joints_without_a_label_are_neither_asked_for_nor_found() -> None:
    table = apart(1)
    visible = table.visible.copy()
    visible[0, MPII_16.index("right_elbow")] = False
    hidden = replace(table, visible=visible)
    assert placed("left_wrist", "right_elbow", table=hidden) == {NOWHERE: 1.0}
    assert np.isnan(list(placed("right_elbow", "right_elbow", table=hidden).values())).all()


def test_the_places_of_a_joint_are_all_there_is() -> None:
    generator = np.random.default_rng(0)
    table = apart(40)
    shuffled = replace(table, predicted=generator.permuted(table.predicted, axis=1))
    total = sum(places(shuffled, PCKH).values())
    counted = np.asarray(MPII_16.counted)
    assert (np.asarray(total)[:, counted] == 1).all()
    assert np.isnan(np.asarray(total)[:, ~counted]).all()


def found(folder: Path, answer: Answer, *models: str) -> Found:
    plan = silent_plan(dict.fromkeys(models or ("shg2",), True), n=PEOPLE)
    return TABLE2.find(fill(plan, TABLE2, folder, answer))


def broken(untargeted: list[str], untouched_by_target: list[str]) -> Answer:
    """IGSM-U-10 breaks some joints; IGSM-T-20 moves all but some to their targets."""

    def answer(model: str, view: View) -> CellResult:
        table = apart(PEOPLE)
        if view.setting is None:
            return CellResult(replace(table, target=None, target_visible=None))
        if view.setting.targeted:
            reached = [name for name in MPII_16.keypoints if name not in untouched_by_target]
            return CellResult(moved(table, reached, by=FAR))
        return CellResult(moved(replace(table, target=None, target_visible=None), untargeted, by=FAR))

    return answer


def holds(result: Found) -> dict[str, str]:
    return {verdict.claim: verdict.holds for verdict in result.verdicts}


def test_what_the_paper_reports_holds_where_the_data_say_so(tmp_path: Path) -> None:
    result = found(tmp_path, broken(sides(*LIMBS), [*sides("wrist"), "head_top"]))
    assert holds(result)[CLAIMS[1].average] == holds(result)[CLAIMS[1].every] == "holds"
    assert holds(result)[CLAIMS[2].average] == holds(result)[CLAIMS[2].every] == "holds"
    effects = {verdict.claim: verdict.effect for verdict in result.verdicts}
    effect = effects[CLAIMS[1].average]
    assert effect is not None and (effect.value, effect.high, effect.n) == (100.0, 100.0, PEOPLE)
    assert effect.low == pytest.approx(100 * 24 / 27.8415, abs=0.001)


def test_a_verdict_says_which_side_is_subtracted(tmp_path: Path) -> None:
    result = found(tmp_path, broken(sides(*LIMBS), [*sides("wrist"), "head_top"]))
    measured = {verdict.claim: verdict.measured for verdict in result.verdicts}
    hips, necks, wrists = (measured[claim.average] for claim in CLAIMS)
    assert "of the others minus mean of hip," in hips
    assert "of neck and head minus mean of the others," in necks
    assert "of the others minus mean of wrist and head," in wrists
    assert "lowest joints here: " in measured[CLAIMS[0].every] and "highest" in measured[CLAIMS[1].every]


def test_it_does_not_hold_where_the_data_are_turned_round(tmp_path: Path) -> None:
    result = found(tmp_path, broken(["upper_neck", "head_top"], sides("knee", "ankle")))
    assert holds(result) == {claim: "does not hold" for each in CLAIMS for claim in (each.average, each.every)}


def test_hips_can_be_worse_than_the_average_without_being_the_worst(tmp_path: Path) -> None:
    def answer(model: str, view: View) -> CellResult:
        result = broken(sides("elbow"), [])(model, view)
        if view.setting is None or view.setting.targeted:
            return result
        return CellResult(moved(result.table, ["left_hip"], by=FAR))  # half of the hips

    verdicts = {verdict.claim: verdict for verdict in found(tmp_path, answer).verdicts}
    average, every = verdicts[CLAIMS[0].average], verdicts[CLAIMS[0].every]
    assert average.holds == "holds"
    assert average.effect is not None and average.effect.value == pytest.approx(600 / 7 - 50)
    assert every.holds == "does not hold"
    assert every.effect is not None and every.effect.value == -50
    assert "elbow 0.0%" in every.measured


def tabular(result: Found, stem: str) -> dict[str, dict[str, object]]:
    (table,) = (each for each in result.exhibits if isinstance(each, Tabular) and each.stem == stem)
    return {label: dict(zip(table.columns, values, strict=True)) for label, values in table.rows}


def test_the_paper_stands_below_each_model(tmp_path: Path) -> None:
    result = found(tmp_path, broken(sides("hip"), []), "shg2", "attention_hg", "mine")
    rows = tabular(result, "table2_untargeted")
    assert list(rows) == [
        *("shg2", "2-SHG, paper", "attention_hg", "Attn, paper", "mine", "mean", "mean, paper"),
    ]
    assert rows["shg2"]["hip"] == Estimate(0.0, 0.0, 0.0, PEOPLE)
    assert rows["2-SHG, paper"]["hip"] == 2.82
    assert rows["mean"]["knee"] == Estimate(100.0, 100.0, 100.0, PEOPLE)
    assert tabular(result, "table2_targeted")["mean, paper"]["wrist"] == 51.47


def test_where_attacked_predictions_go(tmp_path: Path) -> None:
    def answer(model: str, view: View) -> CellResult:
        result = broken([], [])(model, view)
        if view.setting is None or view.setting.targeted:
            return result
        wrist, elbow, knee = (MPII_16.index(f"right_{part}") for part in ("wrist", "elbow", "knee"))
        predicted = result.table.predicted.copy()
        predicted[:12, wrist] = result.table.keypoints[:12, elbow]
        predicted[12:, wrist] = result.table.keypoints[12:, knee]
        return CellResult(replace(result.table, predicted=predicted))

    result = found(tmp_path, answer)
    rows = tabular(result, "table2_places_shg2")
    shares = {
        place: each.value
        for place, each in rows["wrist, IGSM-U-10"].items()
        if isinstance(each, Estimate) and each.value != 0
    }
    assert shares == {"wrist": 50.0, "elbow": 25.0, "knee": 25.0}  # the left wrist stays
    summary = tabular(result, "table2_places")
    another = summary["shg2, IGSM-U-10"]["another joint"]
    assert isinstance(another, Estimate) and another.value == pytest.approx(100 / 14)
    assert summary["shg2, chance"] == summary["shg2, IGSM-U-10"]  # everybody stands alike


def test_a_skeleton_without_the_joints_is_not_judged(tmp_path: Path) -> None:
    plan = silent_plan({"shg2": True}, n=PEOPLE, skeleton=TRIO)
    result = TABLE2.find(fill(plan, TABLE2, tmp_path, lambda model, view: CellResult(apart(PEOPLE, TRIO))))
    assert result.verdicts == ()
    assert sum(remark.startswith("Not judged") for remark in result.remarks) == len(CLAIMS)


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_every_cell_asked_for_is_needed(tmp_path: Path, lacking: int) -> None:
    plan = silent_plan({"shg2": True}, n=PEOPLE)
    assert len(TABLE2.asks(plan)) == 3
    with pytest.raises(RobustPoseError, match="has not been computed"):
        TABLE2.find(fill(plan, TABLE2, tmp_path, broken([], []), without=lacking))
