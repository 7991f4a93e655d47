"""What alarms tell the commands: of one net under one attack, and of a study's attacks beside each other."""

from collections.abc import Sequence
from dataclasses import replace

from robustpose.alarms import Alarm, black_box_beats, more_hurts_less, probe
from robustpose.attacks import needs
from robustpose.metrics import METRICS
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES, Margin, Objective, TrainingLoss
from robustpose.study import Plan, Setting, Store, outcome
from robustpose.threats import make_threat

_LOOKED_AT = 4
"""People whom a net is looked at with."""


def watch_net(plan: Plan, store: Store, setting: Setting) -> list[Alarm]:
    """Look at a net under the objective and threat of an attack, and at whether the attack hurt at all."""
    (model,) = plan.models
    seen = _look(plan, model, setting)
    return seen if setting.targeted else seen + _stronger(plan, store, model, [None, setting])


def _look(plan: Plan, model: OpenedModel, setting: Setting) -> list[Alarm]:
    """Look at the net, where the attack asks for its gradients; of an ensemble, under its first objective."""
    if setting.is_ensemble:
        objective: Objective = Margin() if Margin.serves(model.net.head) else TrainingLoss()
    elif needs(setting.make()) == "gradients":
        objective = OBJECTIVES[setting.objective]
    else:
        return []
    height, width = model.net.input_size
    people = plan.dataset.load(range(min(_LOOKED_AT, plan.n)), input_size=(int(height), int(width)))
    return probe(
        model.net,
        people.in_skeleton(model.net.skeleton),
        objective=objective,
        threat=make_threat(setting.threat, setting.eps),
        metric=METRICS[plan.metric],
    )


def watch_study(plan: Plan, store: Store) -> list[str]:
    """Compare a study's attacks that differ in nothing but eps, or in nothing but steps; lines for people."""
    lines = []
    for model in plan.models:
        for without in ("eps", "steps"):
            families: dict[Setting, list[Setting]] = {}
            for setting in plan.study.settings:
                alike = replace(setting, eps=0.0) if without == "eps" else replace(setting, steps=None)
                families.setdefault(alike, []).append(setting)
            for family in families.values():
                ordered = sorted(family, key=lambda each: (each.eps, each.steps or 0))
                lines += [f"{model.name}: {alarm.line}" for alarm in _stronger(plan, store, model, ordered)]
        lines += [f"{model.name}: {alarm.line}" for alarm in _black_boxes(plan, store, model)]
    return lines


def _stronger(plan: Plan, store: Store, model: OpenedModel, settings: Sequence[Setting | None]) -> list[Alarm]:
    if len(settings) < 2:
        return []
    tables = [
        ("clean" if each is None else each.title, outcome(plan, store, model, each).table) for each in settings
    ]
    return more_hurts_less(tables, METRICS[plan.metric])


def _black_boxes(plan: Plan, store: Store, model: OpenedModel) -> list[Alarm]:
    alarms = []
    settings = [each for each in plan.study.settings if not (each.targeted or each.is_ensemble)]
    whites = [each for each in settings if needs(each.make()) == "gradients"]
    for black in (each for each in settings if each not in whites):
        for white in whites:
            if (white.eps, white.threat) == (black.eps, black.threat):
                one, other = ((each.title, outcome(plan, store, model, each).table) for each in (white, black))
                alarms += black_box_beats(one, other, METRICS[plan.metric])
    return alarms
