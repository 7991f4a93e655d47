"""Steps to collapse: relative score after 1, 2, 5, ... steps of IGSM-U at 8/255, for pose and other tasks.

Jain et al. (arXiv 1908.06401) say that classification needs about min(ceil(1.25 eps), eps + 4) steps, the rule of
Kurakin, Goodfellow and Bengio (ICLR 2017 workshop, arXiv 1607.02533), and that pose needs up to 100. The rule is
for steps of 1/255. Here a step is 5/12 of eps for every task, as in the paper.
"""

import math
from dataclasses import dataclass

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence, TaskAsk
from robustpose.findings.finding import Chart, Finding, Found, Tabular, Verdict
from robustpose.findings.reported import paper_steps
from robustpose.findings.statistics import Sample, verdict, verdict_below
from robustpose.findings.sweeps import EPS8, asks_of, curve, mean_relative, relative_sample, slot_of
from robustpose.findings.task_scores import slot_of_task, task_relative, tasks_of
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate
from robustpose.metrics.table import Floats
from robustpose.study.definition import View
from robustpose.study.plan import Plan

RULE = min(math.ceil(1.25 * 8), 8 + 4)
"""The rule's number of steps at 8/255."""
COLLAPSED = 10.0
"""Relative score in percent below which a model has collapsed."""
_HALF = 50.0
_BARS = {10: "igsm_u_10_relative_pckh", 100: "igsm_u_100_relative_pckh"}


@dataclass(frozen=True)
class ModelTrajectory:
    """Relative scores of one model after each number of steps of the trajectory."""

    name: str
    slot: int
    left: tuple[Sample, ...]


def _asks(plan: Plan) -> list[Ask]:
    settings = [_after(steps) for steps in _trajectory(plan)]
    models = [model.name for model in plan.models]
    tasks = tasks_of(plan).values()
    return [
        *asks_of(models, settings),
        *(TaskAsk(task, setting) for task in tasks for setting in (None, *settings)),
    ]


def _find(evidence: Evidence) -> Found:
    trajectory = _trajectory(evidence.plan)
    trajectories = _trajectories(evidence, trajectory)
    return Found(
        exhibits=(
            Chart(
                stem="steps",
                title="IGSM-U at 8/255: relative score over steps",
                x_label="steps",
                y_label="relative score, %",
                curves=(
                    *paper_steps(evidence.models, _BARS),
                    *(
                        curve(model.name, [each.estimate for each in model.left], trajectory, slot=model.slot)
                        for model in trajectories
                    ),
                ),
            ),
            _table(trajectories, trajectory),
        ),
        verdicts=(*_classification(evidence), _pose(evidence)),
        remarks=_remarks(evidence),
    )


def _trajectory(plan: Plan) -> list[int]:
    return sorted({*plan.study.grid.walk, RULE})


def _after(steps: int) -> Setting:
    return Setting("igsm", EPS8, steps=steps)


def _trajectories(evidence: Evidence, trajectory: list[int]) -> list[ModelTrajectory]:
    pose = [
        ModelTrajectory(
            model,
            slot_of(evidence, model),
            tuple(relative_sample(evidence, model, View(_after(steps))) for steps in trajectory),
        )
        for model in evidence.models
    ]
    others = [
        ModelTrajectory(
            task,
            slot_of_task(evidence, task),
            tuple(task_relative(evidence, task, _after(steps)) for steps in trajectory),
        )
        for task in tasks_of(evidence.plan).values()
    ]
    return [*pose, *others]


def _table(trajectories: list[ModelTrajectory], trajectory: list[int]) -> Tabular:
    last, ruled = len(trajectory) - 1, trajectory.index(RULE)
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = [
        (
            model.name,
            (
                first_below(model.left, trajectory, below=_HALF),
                first_below(model.left, trajectory, below=COLLAPSED),
                model.left[ruled].estimate,
                model.left[last].estimate,
            ),
        )
        for model in trajectories
    ]
    return Tabular(
        stem="steps_to_collapse",
        title="Steps to collapse, IGSM-U at 8/255",
        columns=(
            f"steps to less than {_HALF:g}%",
            f"steps to less than {COLLAPSED:g}%",
            f"% left after {RULE}",
            f"% left after {trajectory[last]}",
        ),
        rows=tuple(rows),
        note=f"The first of {', '.join(map(str, trajectory))} steps with a lower relative score, and its 95% "
        "interval (bootstrap over people).",
    )


def first_below(left: tuple[Sample, ...], trajectory: list[int], *, below: float) -> str:
    """Return the number of steps after which the relative score is below a bound, with 95% interval and n."""
    low, high = _quantiles(first_passages(np.stack([each.draws for each in left]), trajectory, below=below))
    (value,) = first_passages(np.stack([each.value for each in left])[:, None], trajectory, below=below)
    n = min(each.n for each in left)
    interval = f" [{_steps(low, trajectory)}, {_steps(high, trajectory)}]" if n > 1 else ""
    return f"{_steps(value, trajectory)}{interval}, n = {n}"


def first_passages(left: Floats, trajectory: list[int], *, below: float) -> Floats:
    """Return the first numbers of steps (D,) at which scores (S, D) are below a bound; infinite if never."""
    under = left < below
    first: Floats = np.where(under.any(axis=0), np.asarray(trajectory, float)[under.argmax(axis=0)], np.inf)
    return first


def _quantiles(firsts: Floats) -> tuple[float, float]:
    """Return the 95% interval of numbers of steps, which are integers or infinite."""
    low, high = np.quantile(firsts, (0.025, 0.975), method="inverted_cdf")
    return float(low), float(high)


def _steps(value: float, trajectory: list[int]) -> str:
    return f"{value:g}" if np.isfinite(value) else f"more than {trajectory[-1]}"


def _classification(evidence: Evidence) -> list[Verdict]:
    task = tasks_of(evidence.plan).get("action")
    if task is None:
        return []
    return [
        verdict_below(
            f"Classification collapses within {RULE} steps at 8/255: the relative score is below {COLLAPSED:g}%.",
            task_relative(evidence, task, _after(RULE)),
            below=COLLAPSED,
            paper=f"for classification: about min(ceil(1.25 x 8), 8 + 4) = {RULE} steps",
            measured=f"relative accuracy of {task} after {RULE} steps, in %",
        )
    ]


def _pose(evidence: Evidence) -> Verdict:
    return verdict(
        f"Pose needs more: after {RULE} steps at 8/255 the relative score is above {COLLAPSED:g}%.",
        mean_relative(evidence, evidence.models, View(_after(RULE))),
        above=COLLAPSED,
        paper="up to 100 steps; relative score after 10: 7.6 to 20.4% on heatmap models, 6.0% on DeepPose",
        measured=f"mean relative {evidence.metric.name} of {', '.join(evidence.models)} after {RULE} steps, in %",
    )


def _remarks(evidence: Evidence) -> tuple[str, ...]:
    tasks = tasks_of(evidence.plan)
    step = (
        "The rule for classification was made for steps of 1/255. Here every step is 5/12 of eps in all tasks, so "
        "ten steps cover a larger distance."
    )
    if "action" in tasks:
        return (step,)
    return (step, "Classification: not judged, no classifier takes part or the data have no actions.")


STEPS = Finding(title="Claim 1: steps to collapse", asks=_asks, find=_find)
