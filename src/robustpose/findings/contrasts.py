"""Contrasts: how far one score lies above another, judged at 8/255 and shown at every budget.

Rankings of models change with the strength of an attack, so no contrast is shown at one budget only. An Order is a
contrast between groups of models that can be tested under any attack.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from robustpose.analysis.evidence import Evidence
from robustpose.findings.finding import Tabular, Verdict
from robustpose.findings.statistics import Sample, mean, smallest, verdict_of_all
from robustpose.findings.sweeps import (
    EPS8,
    Sweep,
    all_models,
    design_of,
    heatmap_models,
    model_of,
    regression_models,
    staged_models,
)
from robustpose.study.plan import Plan

PEOPLE_NOT_MODELS = (
    "Intervals are over people. Each design is one trained model; another training of it may differ."
)


@dataclass(frozen=True)
class Contrast:
    """A claim of the paper that one score lies above another.

    line      the two sides, as a row of a table
    at        differences in points at a budget (eps in [0, 1]); the smallest decides
    paper     the paper's numbers
    measured  definition of the difference at 8/255
    """

    line: str
    claim: str
    at: Callable[[float], Sequence[Sample]]
    paper: str
    measured: str

    def judged(self) -> Verdict:
        """Decide the claim at 8/255."""
        return verdict_of_all(self.claim, self.at(EPS8), above=0.0, paper=self.paper, measured=self.measured)


def contrasts_over_eps(
    eps: Sequence[float], contrasts: Sequence[Contrast], *, stem: str, title: str, note: str = ""
) -> list[Tabular]:
    """Tabulate contrasts over budgets; no table without contrasts."""
    if not contrasts:
        return []
    rows = tuple((each.line, tuple(smallest(each.at(budget)) for budget in eps)) for each in contrasts)
    columns = tuple(f"{round(255 * budget, 6):g}/255" for budget in eps)
    return [Tabular(stem=stem, title=title, columns=columns, rows=rows, note=note)]


def leads(sample: Sample, others: Sequence[Sample]) -> list[Sample]:
    """Return the leads of a sample over each of the others."""
    return [sample - other for other in others]


@dataclass(frozen=True)
class Group:
    """The models of one side of an order.

    called   name of the group in a table; empty for the model's name
    extreme  'best' or 'worst' if the order must hold for each model, so that this one decides; empty for the mean
    """

    models: Callable[[Plan], Sequence[str]]
    called: str = ""
    extreme: str = ""


@dataclass(frozen=True)
class Order:
    """A claim of the paper that some models are more robust than others.

    claim    in one sentence; {attack} is the attack's name
    lacking  remark if a side has no model
    """

    claim: str
    above: Group
    below: Group
    lacking: str

    def under(self, sweep: Sweep, evidence: Evidence, *, paper: str) -> Contrast | str:
        """Return the claim under an attack, or a remark if a side has no model."""
        sides = [list(group.models(evidence.plan)) for group in (self.above, self.below)]
        if not all(sides):
            return self.lacking

        def at(eps: float) -> list[Sample]:
            above, below = ([sweep.robust(evidence, model, eps) for model in models] for models in sides)
            if self.above.extreme or self.below.extreme:
                return [one - other for one in above for other in below]
            return [mean(above) - mean(below)]

        groups = list(zip((self.above, self.below), sides, strict=True))
        above, below = (_in_words(group, models, sweep, evidence) for group, models in groups)
        averaged = "mean " if any(group.called and not group.extreme for group, _ in groups) else ""
        return Contrast(
            line=" - ".join(group.called or models[0] for group, models in groups),
            claim=self.claim.format(attack=sweep.name),
            at=at,
            paper=paper,
            measured=f"{averaged}{sweep.robust_name(evidence.metric)} of {above} minus that of {below}, in points",
        )


def _in_words(group: Group, models: Sequence[str], sweep: Sweep, evidence: Evidence) -> str:
    if not group.extreme:
        return ", ".join(models)
    if group.extreme == "worst":
        return f"{group.called} (chosen again in every bootstrap draw)"
    best = max(models, key=lambda model: float(sweep.robust(evidence, model, EPS8).value))
    return f"{group.called} (here {best}; chosen again in every bootstrap draw)"


def _design(name: str) -> Callable[[Plan], list[str]]:
    return lambda plan: [model for model in (model_of(all_models(plan), name),) if model is not None]


def _but(design: str, models: Callable[[Plan], list[str]]) -> Callable[[Plan], list[str]]:
    return lambda plan: [model for model in models(plan) if design_of(model) != design]


def one(design: str) -> Group:
    """Return the group of the first model of an architecture."""
    return Group(_design(design))


HEATMAPS_ABOVE_REGRESSION = Order(
    claim="Under {attack} at 8/255 heatmap models have a higher relative score than regression models.",
    above=Group(heatmap_models, "heatmap models"),
    below=Group(regression_models, "regression models"),
    lacking="Heatmaps against regression: not judged, it needs a model of each kind.",
)
DLCM_ABOVE_OTHERS = Order(
    claim="DLCM is the most robust model under {attack} at 8/255.",
    above=one("dlcm"),
    below=Group(_but("dlcm", all_models), "the best other model", extreme="best"),
    lacking="Structure: not judged, it needs dlcm and another model.",
)
EIGHT_ABOVE_TWO = Order(
    claim="8 stacks are more robust than 2 under {attack} at 8/255.",
    above=one("shg8"),
    below=one("shg2"),
    lacking="8 stacks against 2: not judged, it needs shg2 and shg8.",
)
CHAINED_BELOW_OTHERS = Order(
    claim="Chained is the least robust heatmap model under {attack} at 8/255.",
    above=Group(_but("chained", heatmap_models), "the worst other heatmap model", extreme="worst"),
    below=one("chained"),
    lacking="Chained predictions: not judged, it needs chained and another heatmap model.",
)
HEATMAPS_ON_ONE_BACKBONE = Order(
    claim="On one backbone heatmaps have a higher relative score than direct regression under {attack} at 8/255.",
    above=one("resdec"),
    below=one("resreg"),
    lacking="Heatmaps against regression on one backbone: not judged, it needs resdec and resreg.",
)
PRE_TRAINED_ABOVE_NOT = Order(
    claim="Pre-training helps: the relative score is higher under {attack} at 8/255.",
    above=one("resdec_pre"),
    below=one("resdec"),
    lacking="Pre-training: not judged, it needs resdec and resdec_pre.",
)


def all_stages_stronger(sweep: Sweep, claim: str, paper: str) -> Callable[[Evidence], Iterable[Contrast | str]]:
    """Claim that attacking all stages is stronger than attacking the last."""

    def find(evidence: Evidence) -> Iterable[Contrast | str]:
        staged, sides = staged_models(evidence.plan), ("last stage attacked", "all stages attacked")
        if not staged:
            yield "The attack through all stages: not judged, no model with several stages takes part."
            return
        through = ("all stages", "the last") if sweep.targeted else ("the last stage", "all")
        yield Contrast(
            line=" - ".join(reversed(sides) if sweep.targeted else sides),
            claim=claim,
            at=lambda eps: [
                mean(
                    [
                        sweep.robust(evidence, model, eps) - sweep.robust(evidence, model, eps, all_stages=True)
                        for model in staged
                    ]
                )
            ],
            paper=paper,
            measured=f"{sweep.score_name(evidence.metric)} under {sweep.name} at 8/255 through {through[0]} minus "
            f"that through {through[1]}, mean of {', '.join(staged)}, in points",
        )

    return find
