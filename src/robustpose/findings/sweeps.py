"""Sweeps of an attack over eps or steps, and the models, scores and curves of a sweep."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robustpose.analysis.evidence import Ask, Evidence, ModelAsk
from robustpose.findings.finding import Curve
from robustpose.findings.statistics import Sample, kept, lost, mean, scored
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate, KeypointMetric
from robustpose.models import OpenedModel
from robustpose.study.definition import CLEAN, View
from robustpose.study.described import stages_of
from robustpose.study.plan import Plan
from robustpose.types import DescribedHead

EPS8 = 8 / 255
"""The budget at which the paper compares models, the usual one in the literature."""


@dataclass(frozen=True)
class Sweep:
    """One of the paper's attacks at any eps, on a model's last stage or on all stages."""

    attack: str
    targeted: bool = False

    @property
    def name(self) -> str:
        """The paper's name of the attack: IGSM-U-10."""
        return self.at(EPS8).label

    def at(self, eps: float, *, steps: int | None = None, all_stages: bool = False) -> Setting:
        """Return the attack at a budget; steps defaults to the paper's number."""
        objective = "training_loss_all" if all_stages else "training_loss"
        return Setting(self.attack, eps, steps=steps, targeted=self.targeted, objective=objective)

    def over(self, plan: Plan, *, all_stages: bool = False) -> list[Setting]:
        """Return the attack at the budgets of a plan's grid."""
        grid = plan.study.grid
        return [self.at(eps, all_stages=all_stages) for eps in (grid.targeted_eps if self.targeted else grid.eps)]

    def sample(self, evidence: Evidence, model: str, setting: Setting) -> Sample:
        """Score as the paper does: the target score of targeted attacks, the relative score of others."""
        return (target_sample if self.targeted else relative_sample)(evidence, model, View(setting))

    def robust(self, evidence: Evidence, model: str, eps: float, *, all_stages: bool = False) -> Sample:
        """Score how robust a model is: the relative score, or 100 minus the target score."""
        return self.robust_under(evidence, model, self.at(eps, all_stages=all_stages))

    def robust_under(self, evidence: Evidence, model: str, setting: Setting) -> Sample:
        """Score how robust a model is under one of the attack's settings."""
        sample = self.sample(evidence, model, setting)
        return lost(sample) if self.targeted else sample

    def score_name(self, metric: KeypointMetric) -> str:
        """Name the score of `sample`."""
        return f"{'target' if self.targeted else 'relative'} {metric.name}"

    def robust_name(self, metric: KeypointMetric) -> str:
        """Name the score of `robust`."""
        return f"{'100 minus ' if self.targeted else ''}{self.score_name(metric)}"


FGSM_U = Sweep("fgsm")
IGSM_U = Sweep("igsm")
IGSM_T = Sweep("igsm", targeted=True)


def all_models(plan: Plan) -> list[str]:
    """Name every model."""
    return [model.name for model in plan.models]


def heatmap_models(plan: Plan) -> list[str]:
    """Name the models that predict heatmaps, with or without maps of bones or offsets."""
    return [model.name for model in plan.models if _kind(model) in ("heatmaps", "offsets")]


def regression_models(plan: Plan) -> list[str]:
    """Name the models that predict coordinates only; integral regression averages a map, so it is excluded."""
    return [model.name for model in plan.models if _kind(model) == "coordinates"]


def _kind(model: OpenedModel) -> str:
    """Return the kind of output of a model's head; '' if undeclared."""
    head = model.module.head
    return head.kind if isinstance(head, DescribedHead) else ""


def staged_models(plan: Plan) -> list[str]:
    """Name the models with several supervised stages, on which the -ALL attack is defined."""
    return [model.name for model in plan.models if stages_of(model.module) > 1]


def design_of(model: str) -> str:
    """Return a model's architecture: shg2 for `shg2:mine` and `shg2@photos`."""
    return re.split("[:@]", model)[0]


def model_of(models: Sequence[str], design: str) -> str | None:
    """Return the first model of an architecture, or None."""
    return next((model for model in models if design_of(model) == design), None)


def slot_of(evidence: Evidence, model: str) -> int:
    """Return a model's index in the study, which determines its colour in every chart."""
    return evidence.models.index(model)


def asks_of(models: Sequence[str], settings: Sequence[Setting]) -> list[Ask]:
    """Ask for models clean and under settings."""
    return [ModelAsk(model, view) for model in models for view in (CLEAN, *map(View, settings))]


def relative_sample(evidence: Evidence, model: str, view: View) -> Sample:
    """Score a model relative to its clean score: 100 x attacked / clean."""
    return kept(evidence.table(model, CLEAN), evidence.table(model, view), evidence.metric)


def target_sample(evidence: Evidence, model: str, view: View) -> Sample:
    """Score a model's predictions against the target pose."""
    return scored(evidence.table(model, view), as_target(evidence.metric))


def mean_relative(evidence: Evidence, models: Sequence[str], view: View) -> Sample:
    """Average relative scores over models."""
    return mean([relative_sample(evidence, model, view) for model in models])


def as_target(metric: KeypointMetric) -> KeypointMetric:
    """Return a metric that scores against the target pose."""
    return metric.against_target()


def curve(
    name: str, estimates: Sequence[Estimate], x: Sequence[float], *, slot: int | None, dashed: bool = False
) -> Curve:
    """Draw estimates over x."""
    return Curve(
        name=name,
        x=tuple(x),
        y=tuple(estimate.value for estimate in estimates),
        low=tuple(estimate.low for estimate in estimates),
        high=tuple(estimate.high for estimate in estimates),
        slot=slot,
        dashed=dashed,
    )


def curves(
    evidence: Evidence,
    models: Sequence[str],
    settings: Sequence[Setting],
    *,
    x: Sequence[float] | None = None,
    suffix: str = "",
) -> list[Curve]:
    """Draw models under settings: the target score of targeted ones, the relative score of others.

    x defaults to the budgets in 255ths. Curves with a suffix, for another objective, are dashed.
    """
    sample = target_sample if settings and settings[0].targeted else relative_sample
    return [
        curve(
            model + suffix,
            [sample(evidence, model, View(setting)).estimate for setting in settings],
            levels(settings) if x is None else x,
            slot=slot_of(evidence, model),
            dashed=bool(suffix),
        )
        for model in models
    ]


def levels(settings: Iterable[Setting]) -> list[float]:
    """Return the budgets of settings in 255ths."""
    return [round(setting.eps * 255, 6) for setting in settings]
