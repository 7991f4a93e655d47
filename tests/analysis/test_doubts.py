"""Scores that are no robustness are withheld in tables, page and JSON, and stay in results.csv."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from robustpose.analysis.doubts import doubts_of
from robustpose.analysis.scores import all_rows, outcome
from robustpose.jobs.results import CellResult
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import Table
from robustpose.report.html import write_report
from robustpose.report.terminal.as_json import attack_json
from robustpose.report.terminal.conclusion import conclusion
from robustpose.skeletons import MPII_16
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, open_plan

IGSM = Setting("igsm", 8 / 255)


def table(people: range, *, right: int) -> Table:
    """People in different places; of the first `right` every keypoint is found."""
    n, k = len(people), len(MPII_16)
    keypoints = np.random.default_rng(people.start).uniform(0, 1000, size=(n, k, 2))
    wrong = np.array([0.0 if row < right else 5000.0 for row in people])
    return Table(
        ids=tuple(map(str, people)),
        skeleton=MPII_16,
        predicted=keypoints + wrong[:, None, None],
        keypoints=keypoints,
        visible=np.ones((n, k), bool),
        head_size=np.full(n, 10.0),
        box_side=np.full(n, 100.0),
        score=np.ones(n),
        area=np.full(n, np.nan),
        crops=np.zeros((n, 2, 3)),
        photo=np.array([str(row) for row in people]),
    )


def typed(folder: Path, *, clean: int, attacked: int, n: int = 30) -> tuple[Plan, Store]:
    study = Study(
        name="attack", title="", models=("deeppose",), data="synthpose", settings=(IGSM,), n=n, keep_images=0
    )
    plan, store = open_plan(study), Store(folder)
    for setting, right in ((None, clean), (IGSM, attacked)):
        for cell in plan.cells(plan.models[0], setting):
            store.put(cell, CellResult(table=table(range(cell.start, cell.stop), right=right)))
    return plan, store


def relative_in_json(plan: Plan, store: Store) -> object:
    clean, attacked = (outcome(plan, store, plan.models[0], each) for each in (None, IGSM))
    doubts = doubts_of(plan, store)
    text = attack_json(plan, clean=clean, attacked=attacked, cells=[], seconds=0.0, doubts=doubts)
    found = json.loads(text)
    assert found["withheld"] is bool(doubts.watched)
    return found["relative"]["value"]


def test_a_sound_model_under_a_sound_attack(tmp_path: Path) -> None:
    plan, store = typed(tmp_path, clean=30, attacked=12)
    doubts = doubts_of(plan, store)
    assert doubts.watched == []
    rows = all_rows(plan, store)
    assert doubts.withheld(rows) == rows
    assert relative_in_json(plan, store) == 40.0


def test_an_attack_that_did_nothing_is_no_robustness(tmp_path: Path) -> None:
    plan, store = typed(tmp_path, clean=21, attacked=21)
    doubts, rows = doubts_of(plan, store), all_rows(plan, store)
    assert [each.alarm.name for each in doubts.watched] == ["nothing-moved"]
    (kept,) = [row for row in rows if (row.measure, row.part) == ("relative", "all")]
    (held,) = [row for row in doubts.withheld(rows) if (row.measure, row.part) == ("relative", "all")]
    assert kept.value == 100.0 and math.isnan(held.value) and held.n == kept.n
    assert relative_in_json(plan, store) is None
    said = conclusion(plan.study, rows, doubts)
    assert said == [
        "The attack failed, so its score does not measure robustness (IGSM-U-10 at 8/255: the attack changed no "
        "predicted keypoint of 30 people)."
    ]
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert "the attack changed no predicted keypoint of 30 people" in page
    assert "100.0</span>" not in page


def test_a_model_that_finds_nobody_has_no_relative_score(tmp_path: Path) -> None:
    plan, store = typed(tmp_path, clean=0, attacked=0)
    doubts = doubts_of(plan, store)
    assert [each.alarm.name for each in doubts.watched] == ["no-keypoint-right", "nothing-moved"]
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert "Alarm, deeppose:" in page
    assert "No relative score is given for these models and people." in page


def test_people_without_a_target_do_not_count_as_unharmed(tmp_path: Path) -> None:
    aimed = replace(IGSM, targeted=True)
    study = Study(
        name="attack", title="", models=("deeppose",), data="synthpose", settings=(aimed,), n=4, keep_images=0
    )
    plan, store = open_plan(study), Store(tmp_path)
    clean, hit = table(range(4), right=4), table(range(4), right=1)
    asked = np.zeros((4, len(MPII_16)), bool)
    asked[:3] = True  # the fourth has no target pose, so its prediction stays as it is
    hit.predicted[3] = clean.predicted[3]
    for setting, shown in (
        (None, clean),
        (aimed, replace(hit, target=hit.predicted, target_visible=asked)),
    ):
        (cell,) = plan.cells(plan.models[0], setting)
        store.put(cell, CellResult(table=shown))
    (row,) = [row for row in all_rows(plan, store) if (row.measure, row.part) == ("relative", "all")]
    assert (round(row.value, 3), row.n) == (33.333, 3)
