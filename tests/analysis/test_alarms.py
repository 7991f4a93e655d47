"""Alarms of a study whose answers were typed in, as lines and on its page."""

from pathlib import Path

import numpy as np

from robustpose.analysis.alarms import watch_study
from robustpose.jobs.results import CellResult
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import Table
from robustpose.report.html import write_report
from robustpose.skeletons import MPII_16
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, open_plan

WEAK, STRONG, LONG = Setting("igsm", 1 / 255), Setting("igsm", 8 / 255), Setting("igsm", 8 / 255, steps=50)


def table(people: range, *, kept: int) -> Table:
    """People in different places, of whom the first `kept` are seen at the truth, the others 99 pixels off."""
    n, k = len(people), len(MPII_16)
    off = np.array([0.0 if row < kept else 99.0 for row in people])
    places = np.broadcast_to(1000.0 * np.array(people)[:, None, None], (n, k, 2))
    return Table(
        ids=tuple(str(row) for row in people),
        skeleton=MPII_16,
        predicted=places + off[:, None, None],
        keypoints=places.copy(),
        visible=np.ones((n, k), bool),
        head_size=np.full(n, 10.0),
        box_side=np.full(n, 100.0),
        score=np.ones(n),
        area=np.full(n, np.nan),
        crops=np.zeros((n, 2, 3)),
        photo=np.array([str(row) for row in people]),
    )


def typed(folder: Path, *, weak: int, strong: int, long: int) -> tuple[Plan, Store]:
    """Store what a model of thirty people kept under each attack."""
    study = Study(
        name="typed",
        title="",
        models=("deeppose",),
        data="synthpose",
        settings=(WEAK, STRONG, LONG),
        n=30,
        keep_images=0,
    )
    plan, store = open_plan(study), Store(folder)
    for setting, kept in ((None, 30), (WEAK, weak), (STRONG, strong), (LONG, long)):
        for cell in plan.cells(plan.models[0], setting):
            store.put(cell, CellResult(table=table(range(cell.start, cell.stop), kept=kept)))
    return plan, store


def test_a_study_in_order_is_quiet(tmp_path: Path) -> None:
    plan, store = typed(tmp_path, weak=20, strong=10, long=4)
    assert watch_study(plan, store) == []
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert "No attack of this study is weaker" in page
    assert 'href="#alarms"' not in page


def test_more_eps_and_more_steps_that_hurt_less_are_named(tmp_path: Path) -> None:
    plan, store = typed(tmp_path, weak=5, strong=15, long=28)
    by_eps, by_steps = (each.line for each in watch_study(plan, store))
    assert by_eps.startswith("deeppose: alarm: IGSM-U-10 at 8/255: PCKh@0.5 differs by +33.3 [")
    assert "points from IGSM-U-10 at 1/255, n = 30 (docs/alarms.md#more-hurts-less)" in by_eps
    assert by_steps.startswith("deeppose: alarm: IGSM-U-50 at 8/255: PCKh@0.5 differs by +43.3 [")
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert 'href="#alarms"' in page
    assert "<strong>deeppose</strong>: IGSM-U-10 at 8/255: PCKh@0.5 differs by +33.3 [" in page
    assert "more-hurts-less: the score is higher with a larger budget or more steps" in page
