"""Pose against other tasks, on hand-made answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.analysis.evidence import Evidence
from robustpose.errors import RobustPoseError
from robustpose.findings.finding import Found, Tabular
from robustpose.findings.task_scores import scored_task, tasks_of
from robustpose.findings.tasks import OTHER_TASKS as FINDING
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.task import TaskResult
from robustpose.metrics import Estimate, accuracy, mean_iou
from robustpose.models import OpenedModel, OpenedTask
from tests.findings.hand_made import Right, evidence_of, hand_plan, heatmaps, regression
from tests.study.study_fakes import TASKS

MODELS = (regression("deeppose"), heatmaps("shg2"), heatmaps("resdec:mine"))


def find(folder: Path, right: Right, *models: OpenedModel, tasks: tuple[OpenedTask, ...] = TASKS) -> Found:
    plan = hand_plan(*models, tasks=tasks, labelled=True)
    return FINDING.find(evidence_of(plan, FINDING.asks(plan), folder, right))


def left(model: str, setting: Setting | None) -> int:
    """Clean 40, 30 (action), 20 (parts); FGSM 24, 6, 10; IGSM 8, 0, 19."""
    lefts = {"resdec:mine": (40, 24, 8), "shg2": (40, 24, 8), "action": (30, 6, 0), "parts": (20, 10, 19)}
    return lefts[model][0 if setting is None else 1 if setting.attack == "fgsm" else 2]


def test_scores_agree_with_the_metrics() -> None:
    generator = np.random.default_rng(0)
    correct = generator.random(50) < 0.6
    shared, either = generator.integers(0, 5, (50, 4)).astype(float), np.full((50, 4), 9.0)
    shared[:, 3] = either[:, 3] = 0.0  # a class that is nowhere
    ids = tuple(map(str, range(50)))
    assert scored_task(TaskResult(ids=ids, correct=correct)).estimate == accuracy(correct)
    ours = scored_task(TaskResult(ids=ids, intersections=shared, unions=either)).estimate
    theirs = mean_iou(shared, either)
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_verdicts_by_hand(tmp_path: Path) -> None:
    found = find(tmp_path, left, *MODELS)
    effects = [each.effect.value for each in found.verdicts if each.effect]
    assert effects == pytest.approx([60.0 - 20.0, 60.0 - 50.0, 20.0 - 0.0, 20.0 - 95.0])
    assert [each.holds for each in found.verdicts] == ["holds", "undecided", "holds", "does not hold"]
    assert not any("stands for pose" in remark or "No model of" in remark for remark in found.remarks)
    assert any("1 of 3 classes, 33.33%;" in remark for remark in found.remarks)
    assert [each.stem for each in found.exhibits[:3]] == [
        "tasks_fgsm_u",
        "tasks_igsm_u_10",
        "tasks_igsm_u_100",
    ]


def test_what_is_left_above_a_guess(tmp_path: Path) -> None:
    table = find(tmp_path, left, *MODELS).exhibits[3]
    assert isinstance(table, Tabular)
    rows = dict(table.rows)
    accuracy_row = rows["action: accuracy"]
    assert accuracy_row[1] == pytest.approx(100 / 3)
    assert value(accuracy_row[2]) == pytest.approx(20.0)
    assert value(accuracy_row[3]) == pytest.approx(100 * (15 - 100 / 3) / (75 - 100 / 3))
    pose = rows["resdec:mine: PCK@0.1"]
    assert pose[1] == 100.0  # all true poses are one, so whoever answers it never looks
    assert np.isnan(value(pose[3]))


def value(cell: Estimate | float | str | None) -> float:
    assert isinstance(cell, Estimate)
    return cell.value


def test_strictness_has_five_thresholds_and_every_part(tmp_path: Path) -> None:
    table = find(tmp_path, left, *MODELS).exhibits[4]
    assert isinstance(table, Tabular)
    names = [name for name, _ in table.rows]
    assert names[:5] == [f"resdec:mine: PCK@{each:g}" for each in (0.02, 0.04, 0.06, 0.08, 0.1)]
    assert names[5:] == ["action: accuracy", "parts: mean IoU", "parts: IoU of class 0", "parts: IoU of class 1"]
    part = dict(table.rows)["parts: IoU of class 1"]
    assert (value(part[0]), value(part[1])) == (50.0, 50.0)


def test_another_heatmap_model_stands_in_and_is_named(tmp_path: Path) -> None:
    found = find(tmp_path, left, *MODELS[:2], tasks=TASKS[:1])
    assert len(found.verdicts) == 2
    assert any("shg2 represents pose" in remark for remark in found.remarks)
    assert any("No model of 'parts'" in remark for remark in found.remarks)


def test_nothing_is_asked_without_tasks_labels_or_pose(tmp_path: Path) -> None:
    unlabelled = hand_plan(*MODELS, tasks=TASKS)
    assert tasks_of(unlabelled) == {}
    no_pose = hand_plan(regression("deeppose"), tasks=TASKS, labelled=True)
    for plan in (unlabelled, hand_plan(*MODELS, labelled=True), no_pose):
        assert list(FINDING.asks(plan)) == []
        found = FINDING.find(Evidence(plan, Store(tmp_path)))
        assert found.verdicts == () and "not judged" in found.remarks[0]


def test_a_cell_that_lacks_is_said(tmp_path: Path) -> None:
    plan = hand_plan(*MODELS, tasks=TASKS, labelled=True)
    evidence_of(plan, FINDING.asks(plan), tmp_path, left)
    next((tmp_path / "cells").glob("*.npz")).unlink()
    with pytest.raises(RobustPoseError, match="has not been computed"):
        FINDING.find(Evidence(plan, Store(tmp_path)))


def test_tasks_take_their_first_model_of_a_kind() -> None:
    named = tuple(
        replace(task, name=f"{task.name}:{end}", fingerprint=end) for task in TASKS for end in ("a", "b")
    )
    assert tasks_of(hand_plan(*MODELS, tasks=named, labelled=True)) == {"action": "action:a", "parts": "parts:a"}
