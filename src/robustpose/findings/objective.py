"""Beyond the paper: attacks with the margin as objective, compared with the training loss that the paper uses.

The training loss keeps growing on keypoints that are already broken; the margin (objectives.Margin) uses the
gradients on the rest. Both are compared at equal numbers of gradients: ten steps of IGSM over eps, and APGD, whose
step size adapts, with as many steps as the paper's strongest attack.
"""

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.contrasts import PEOPLE_NOT_MODELS
from robustpose.findings.finding import Chart, Finding, Found, Tabular
from robustpose.findings.statistics import mean, verdict
from robustpose.findings.sweeps import EPS8, IGSM_U, asks_of, curves, relative_sample
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate
from robustpose.models import OpenedModel
from robustpose.objectives import Margin
from robustpose.study.definition import View
from robustpose.study.plan import Plan

_MARGIN = "margin"


def _asks(plan: Plan) -> list[Ask]:
    models = _models(plan)
    return asks_of(models, [*IGSM_U.over(plan), *_margins(plan), *_at_eight(plan).values()])


def _find(evidence: Evidence) -> Found:
    plan, models = evidence.plan, _models(evidence.plan)
    left_out = [model.name for model in plan.models if model.name not in models]
    remarks = (
        [f"The margin is not defined for the outputs of {', '.join(left_out)}: left out."] if left_out else []
    )
    if not models:
        return Found(remarks=("No model with a margin takes part.",))
    chart = Chart(
        stem="objective",
        title="IGSM-U-10: the training loss, and the margin (dashed)",
        x_label="eps, of 255",
        y_label=f"relative {evidence.metric.name}, %",
        curves=(
            *curves(evidence, models, IGSM_U.over(plan)),
            *curves(evidence, models, _margins(plan), suffix=f", {_MARGIN}"),
        ),
    )
    short, better = (Setting("igsm", EPS8, objective=objective) for objective in ("training_loss", _MARGIN))
    effect = mean(
        [
            relative_sample(evidence, model, View(short)) - relative_sample(evidence, model, View(better))
            for model in models
        ]
    )
    return Found(
        exhibits=(chart, _table(evidence, models)),
        verdicts=(
            verdict(
                "At equal numbers of gradients the relative score is lower under the margin than under the "
                "training loss (IGSM-U-10 at 8/255).",
                effect,
                above=0.0,
                paper="not in the paper, whose attacks raise the training loss",
                measured=f"relative {evidence.metric.name} under the training loss minus that under the margin, "
                f"mean of {', '.join(models)}, in points",
            ),
        ),
        remarks=(*remarks, PEOPLE_NOT_MODELS),
    )


def _models(plan: Plan) -> list[str]:
    return [model.name for model in plan.models if _has_margin(model)]


def _has_margin(model: OpenedModel) -> bool:
    return Margin.serves(model.module.head)


def _margins(plan: Plan) -> list[Setting]:
    return [Setting("igsm", eps, objective=_MARGIN) for eps in plan.study.grid.eps]


def _at_eight(plan: Plan) -> dict[str, Setting]:
    """Return the attacks at 8/255 that the table compares, by name."""
    long = plan.study.grid.long
    made = [
        Setting(attack, EPS8, steps=steps, objective=objective)
        for attack, steps in (("igsm", None), ("igsm", long), ("apgd", long))
        for objective in ("training_loss", _MARGIN)
        if attack == "igsm" or objective == _MARGIN
    ]
    return {setting.label: setting for setting in made}


def _table(evidence: Evidence, models: list[str]) -> Tabular:
    settings = _at_eight(evidence.plan)
    rows: list[tuple[str, tuple[Estimate | float | str | None, ...]]] = [
        (model, tuple(relative_sample(evidence, model, View(setting)).estimate for setting in settings.values()))
        for model in models
    ]
    return Tabular(
        stem="objectives",
        title=f"Objectives at 8/255: relative {evidence.metric.name}, %",
        columns=tuple(settings),
        rows=tuple(rows),
        shade=True,
        note="Each pair of columns has the same attack and number of gradients; only the objective differs.",
    )


OBJECTIVE = Finding(title="Beyond the paper: an objective for keypoints", asks=_asks, find=_find)
