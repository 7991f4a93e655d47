"""Alarms of a study and of one attack: probes of models, and comparisons of stronger with weaker attacks.

docs/alarms.md explains each alarm. Alarms do not change scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from robustpose.alarms import Alarm, black_box_beats, more_hurts_less, probe
from robustpose.analysis.scores import outcome
from robustpose.given import device_of
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import input_size_of, padding_of
from robustpose.metrics import main_metric
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES, Margin, Objective, TrainingLoss
from robustpose.study.plan import Plan
from robustpose.threats import make_threat


@dataclass(frozen=True)
class Watched:
    """An alarm raised by the attacks on one model."""

    model: str
    alarm: Alarm

    @property
    def line(self) -> str:
        """The alarm as one line of text."""
        return f"{self.model}: {self.alarm.line}"


def watch_study(plan: Plan, store: Store) -> list[Watched]:
    """Compare attacks that differ only in eps or only in steps, and black-box with white-box attacks."""
    seen = []
    for model in plan.models:
        alarms = [alarm for family in _families(plan) for alarm in weaker_than(plan, store, model, family)]
        alarms += _black_boxes(plan, store, model)
        seen += [Watched(model.name, alarm) for alarm in alarms]
    return seen


def weaker_than(plan: Plan, store: Store, model: OpenedModel, settings: Sequence[Setting | None]) -> list[Alarm]:
    """Compare attacks on one model, weakest first (None: clean); an alarm for each with a stronger weaker one."""
    if len(settings) < 2:
        return []
    tables = [
        ("clean" if each is None else each.title, outcome(plan, store, model, each).table) for each in settings
    ]
    return more_hurts_less(tables, main_metric(plan.metric))


def _families(plan: Plan) -> list[list[Setting]]:
    """Group the settings that differ only in eps, then those that differ only in steps, weakest first."""
    families: dict[tuple[str, Setting], list[Setting]] = {}
    for without in ("eps", "steps"):
        for setting in plan.study.settings:
            alike = replace(setting, eps=0.0) if without == "eps" else replace(setting, steps=None)
            families.setdefault((without, alike), []).append(setting)
    return [sorted(family, key=lambda each: (each.eps, each.steps or 0)) for family in families.values()]


def _black_boxes(plan: Plan, store: Store, model: OpenedModel) -> list[Alarm]:
    alarms = []
    settings = [each for each in plan.study.settings if not (each.targeted or each.spec.objective is None)]
    whites = [each for each in settings if each.spec.needs == "gradients"]
    for black in (each for each in settings if each not in whites):
        for white in whites:
            if (white.eps, white.threat) == (black.eps, black.threat):
                one, other = ((each.title, outcome(plan, store, model, each).table) for each in (white, black))
                alarms += black_box_beats(one, other, main_metric(plan.metric))
    return alarms


_LOOKED_AT, _LOADED = 4, 16
"""Number of people that a model is probed with: the first ones with labels of those loaded."""


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
    rows = range(min(_LOADED, plan.n))
    people = plan.dataset.load(rows, input_size=input_size_of(model.module), padding=padding_of(model.module))
    people = people.in_skeleton(model.module.skeleton).to(device_of(model.module))
    labelled = people.visible.any(dim=1).nonzero().flatten().tolist()  # a detection may show nobody of the file
    return probe(
        model.module,
        people.take(labelled[:_LOOKED_AT]),
        objective=objective,
        threat=make_threat(setting.threat, setting.eps),
        metric=main_metric(plan.metric),
    )
