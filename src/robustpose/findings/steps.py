"""Steps to collapse: what is left after 1, 2, 5, ... steps of IGSM-U at 8/255, of pose models and of other tasks.

Jain et al. (arXiv 1908.06401) say that classification needs about min(ceil(1.25 eps), eps + 4) steps, the rule of
Kurakin, Goodfellow and Bengio (ICLR 2017 workshop, arXiv 1607.02533), and that pose needs up to 100. The rule is
for steps of 1/255; here a step is 5/12 of eps for every task, as in the paper.
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
from robustpose.study.plan import Plan
from robustpose.study.view import View

RULE = min(math.ceil(1.25 * 8), 8 + 4)
"""Steps that the rule gives at 8/255."""
COLLAPSED = 10.0
"""Percent left below which a model has collapsed."""
_HALF = 50.0
_BARS = {10: "igsm_u_10_relative_pckh", 100: "igsm_u_100_relative_pckh"}


@dataclass(frozen=True)
class Walked:
    """What is left of one model after each number of steps."""

    name: str
    slot: int
    left: tuple[Sample, ...]


def _asks(plan: Plan) -> list[Ask]:
    settings = [_after(steps) for steps in _walk(plan)]
    models = [model.name for model in plan.models]
    tasks = tasks_of(plan).values()
    return [
        *asks_of(models, settings),
        *(TaskAsk(task, setting) for task in tasks for setting in (None, *settings)),
    ]


def _find(evidence: Evidence) -> Found:
    walk = _walk(evidence.plan)
    walked = _walked(evidence, walk)
    return Found(
        exhibits=(
            Chart(
                stem="steps",
                title="IGSM-U at 8/255: what is left after so many steps",
                x_label="steps",
                y_label="relative score, %",
                curves=(
                    *paper_steps(evidence.models, _BARS),
                    *(
                        curve(model.name, [each.estimate for each in model.left], walk, slot=model.slot)
                        for model in walked
                    ),
                ),
            ),
            _table(walked, walk),
        ),
        verdicts=(*_classification(evidence), _pose(evidence)),
        remarks=_remarks(evidence),
    )


def _walk(plan: Plan) -> list[int]:
    return sorted({*plan.study.grid.walk, RULE})


def _after(steps: int) -> Setting:
    return Setting("igsm", EPS8, steps=steps)


def _walked(evidence: Evidence, walk: list[int]) -> list[Walked]:
    pose = [
        Walked(
            model,
            slot_of(evidence, model),
            tuple(relative_sample(evidence, model, View(_after(steps))) for steps in walk),
        )
        for model in evidence.models
    ]
    others = [
        Walked(
            task,
            slot_of_task(evidence, task),
            tuple(task_relative(evidence, task, _after(steps)) for steps in walk),
        )
        for task in tasks_of(evidence.plan).values()
    ]
    return [*pose, *others]


def _table(walked: list[Walked], walk: list[int]) -> Tabular:
    last, ruled = len(walk) - 1, walk.index(RULE)
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = [
        (
            model.name,
            (
                first_below(model.left, walk, below=_HALF),
                first_below(model.left, walk, below=COLLAPSED),
                model.left[ruled].estimate,
                model.left[last].estimate,
            ),
        )
        for model in walked
    ]
    return Tabular(
        stem="steps_to_collapse",
        title="Steps to collapse, IGSM-U at 8/255",
        columns=(
            f"steps to less than {_HALF:g}%",
            f"steps to less than {COLLAPSED:g}%",
            f"% left after {RULE}",
            f"% left after {walk[last]}",
        ),
        rows=tuple(rows),
        note=f"The first of {', '.join(map(str, walk))} steps at which less is left, with its 95% interval "
        "(bootstrap over people).",
    )


def first_below(left: tuple[Sample, ...], walk: list[int], *, below: float) -> str:
    """Say after how many steps of a walk less than a share is left, with the 95% interval and n."""
    low, high = _quantiles(first_passages(np.stack([each.draws for each in left]), walk, below=below))
    (value,) = first_passages(np.stack([each.value for each in left])[:, None], walk, below=below)
    n = min(each.n for each in left)
    interval = f" [{_steps(low, walk)}, {_steps(high, walk)}]" if n > 1 else ""
    return f"{_steps(value, walk)}{interval}, n = {n}"


def first_passages(left: Floats, walk: list[int], *, below: float) -> Floats:
    """Return the first number of steps at which less is left (D,), of what is left (S, D); infinite for never."""
    under = left < below
    first: Floats = np.where(under.any(axis=0), np.asarray(walk, float)[under.argmax(axis=0)], np.inf)
    return first


def _quantiles(firsts: Floats) -> tuple[float, float]:
    """Return the 95% interval of numbers of steps, which are whole and may be infinite."""
    low, high = np.quantile(firsts, (0.025, 0.975), method="inverted_cdf")
    return float(low), float(high)


def _steps(value: float, walk: list[int]) -> str:
    return f"{value:g}" if np.isfinite(value) else f"more than {walk[-1]}"


def _classification(evidence: Evidence) -> list[Verdict]:
    task = tasks_of(evidence.plan).get("action")
    if task is None:
        return []
    return [
        verdict_below(
            f"Classification collapses within {RULE} steps at 8/255: less than {COLLAPSED:g}% is left.",
            task_relative(evidence, task, _after(RULE)),
            below=COLLAPSED,
            paper=f"said of classification: about min(ceil(1.25 x 8), 8 + 4) = {RULE} steps",
            measured=f"relative accuracy of {task} after {RULE} steps, in %",
        )
    ]


def _pose(evidence: Evidence) -> Verdict:
    return verdict(
        f"Pose needs more: after {RULE} steps at 8/255 more than {COLLAPSED:g}% is left.",
        mean_relative(evidence, evidence.models, View(_after(RULE))),
        above=COLLAPSED,
        paper="up to 100 steps; 7.6 to 20.4% left on heatmap models after 10, 6.0% on DeepPose",
        measured=f"mean relative {evidence.metric.name} of {', '.join(evidence.models)} after {RULE} steps, in %",
    )


def _remarks(evidence: Evidence) -> tuple[str, ...]:
    tasks = tasks_of(evidence.plan)
    step = (
        "The rule for classification was made for steps of 1/255. Here every step is 5/12 of eps, for all tasks "
        "alike, so ten of them go farther."
    )
    if "action" in tasks:
        return (step,)
    return (step, "Classification: not judged, no classifier takes part or the data have no actions.")


STEPS = Finding(title="Claim 1: steps to collapse", asks=_asks, find=_find)
