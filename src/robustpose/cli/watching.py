"""Alarms for one model under one attack; for the attacks of a study, see analysis/alarms.py."""

from robustpose.alarms import Alarm, probe
from robustpose.analysis.alarms import weaker_than
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import input_size_of, padding_of
from robustpose.metrics import main_metric
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES, Margin, Objective, TrainingLoss
from robustpose.study.plan import Plan
from robustpose.threats import make_threat

_LOOKED_AT = 4
"""Number of people that a model is probed with."""


def watch_model(plan: Plan, store: Store, setting: Setting) -> list[Alarm]:
    """Probe a model under an attack's objective and threat, and check whether the attack lowered the score."""
    (model,) = plan.models
    seen = _look(plan, model, setting)
    return seen if setting.targeted else seen + weaker_than(plan, store, model, [None, setting])


def _look(plan: Plan, model: OpenedModel, setting: Setting) -> list[Alarm]:
    """Probe the model if the attack needs gradients; for an ensemble, under its first objective."""
    if setting.spec.moves_truth:
        return []  # the probe uses gradients with respect to pixel values
    if setting.spec.kind == "ensemble":
        objective: Objective = Margin() if Margin.serves(model.module.head) else TrainingLoss()
    elif setting.spec.needs == "gradients":
        objective = OBJECTIVES[setting.objective]
    else:
        return []
    rows = range(min(_LOOKED_AT, plan.n))
    people = plan.dataset.load(rows, input_size=input_size_of(model.module), padding=padding_of(model.module))
    return probe(
        model.module,
        people.in_skeleton(model.module.skeleton),
        objective=objective,
        threat=make_threat(setting.threat, setting.eps),
        metric=main_metric(plan.metric),
    )
