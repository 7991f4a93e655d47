"""What one factor of a scene does: the same rendered people with one factor changed, against as they were drawn.

A factor's effect is the score with the change minus the score without it, in percentage points, paired over
people: nothing else about a person differs (data/synthpose/factors.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from robustpose.data.rendered import RenderedPeople
from robustpose.data.synthpose.factors import FACTORS
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.findings import Tabular
from robustpose.jobs.attack import Cell
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench
from robustpose.metrics import ALL, Estimate, difference, score
from robustpose.models import OpenedModel
from robustpose.report.measurement import Measurement, Section, points
from robustpose.studies.grid import listed
from robustpose.studies.measuring import People, clean_cells, read_table, run_measuring, without_attacks
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import Study
from robustpose.study.options import FactorOptions
from robustpose.study.plan import Plan, metric_of, open_plan, workbench
from robustpose.types import PoseDataset

NAMED = 3
"""How many of the largest effects are named."""

FACTOR_STUDY = Study(
    name="factors",
    title="One factor changed, all else the same",
    models=("shg2", "deeppose", "resdec", "resreg"),
    data="synthpose:val",
    settings=(),
    n=100,
)


@dataclass(frozen=True)
class FactorStudy:
    """The study: models and rendered people, and the factors by name."""

    study: Study
    factors: tuple[str, ...]

    def open(self) -> "OpenedFactors":
        """Open models and people; RobustPoseError for people that are not rendered, or changed already."""
        plan = open_plan(self.study)
        if not isinstance(plan.dataset, RenderedPeople):
            raise RobustPoseError(
                f"study {self.study.name} renders people again with one factor changed, so --data must be "
                f"synthpose:SPLIT; got {self.study.data}"
            )
        if plan.dataset.change:
            raise RobustPoseError(
                f"study {self.study.name} changes the factors itself; got --data {self.study.data}"
            )
        return OpenedFactors(plan, self.factors)


def asked(options: FactorOptions) -> FactorStudy:
    """Return the study with what the options say; RobustPoseError for an unknown factor."""
    factors = listed(options.factors) or tuple(FACTORS)
    for name in factors:
        if name not in FACTORS:
            raise unknown_name("factor", name, FACTORS)
    return FactorStudy(without_attacks(FACTOR_STUDY, options), tuple(dict.fromkeys(factors)))


def _run(study: FactorStudy, folder: Path, options: FactorOptions) -> None:
    run_measuring(study.open(), folder, options)


FACTORS_SPEC = StudySpec(options=FactorOptions, make=asked, run=_run)


@dataclass(frozen=True)
class Effect:
    """What a change does to a model's score: points, by body part and for 'all'; with the scores."""

    factor: str
    level: str
    points: Mapping[str, Estimate]
    scores: Mapping[str, Estimate]

    @property
    def total(self) -> Estimate:
        """The effect over all keypoints."""
        return self.points[ALL]

    @property
    def label(self) -> str:
        """The change, as it is written after the data set."""
        return f"{self.factor}={self.level}"


@dataclass(frozen=True)
class OpenedFactors:
    """The study with its models and people open."""

    plan: Plan
    factors: tuple[str, ...]

    @cached_property
    def changed(self) -> Mapping[tuple[str, str], RenderedPeople]:
        """The people with each change."""
        people = self.plan.dataset
        assert isinstance(people, RenderedPeople)
        return {
            (name, level): replace(people, change=f"{name}={level}")
            for name in self.factors
            for level in FACTORS[name].levels
        }

    @property
    def people(self) -> Sequence[People]:
        """The people as they were drawn, and with each change."""
        return [People(each, self.plan.n) for each in (self.plan.dataset, *self.changed.values())]

    @property
    def bench(self) -> Workbench:
        """The plan's, with the changed people."""
        bench = workbench(self.plan)
        changed: dict[str, PoseDataset] = {each.fingerprint: each for each in self.changed.values()}
        return replace(bench, datasets={**bench.datasets, **changed})

    @property
    def jobs(self) -> Sequence[Cell]:
        """Every model on everyone, as they were drawn and with each change."""
        return [
            job
            for people in (self.plan.dataset, *self.changed.values())
            for model in self.plan.models
            for job in self._cells(model, people)
        ]

    def _cells(self, model: OpenedModel, people: PoseDataset) -> list[Cell]:
        return clean_cells(self.plan, model, people, self.plan.n)

    def measure(self, store: Store, /) -> Measurement:
        """Score every change against the people as they were drawn."""
        plan, metric = self.plan, metric_of(self.plan)
        effects: dict[str, list[Effect]] = {}
        drawn: dict[str, Mapping[str, Estimate]] = {}
        for model in plan.models:
            before, _ = read_table(plan, store, self._cells(model, plan.dataset))
            drawn[model.name] = score(before, metric)
            effects[model.name] = []
            for (factor, level), people in self.changed.items():
                after, _ = read_table(plan, store, self._cells(model, people))
                effects[model.name].append(
                    Effect(factor, level, points=difference(before, after, metric), scores=score(after, metric))
                )
        table = _table(plan, effects, drawn)
        return Measurement(
            title=plan.study.title,
            lede=f"{', '.join(effects)} on {plan.n} people of {plan.dataset.name}, each rendered again with one "
            f"of {len(self.factors)} factors changed, scored by {metric.name}.",
            answers=tuple(line for name, found in effects.items() for line in _answers(name, found)),
            summary=(table,),
            sections=(
                Section("All changes", "", (table,)),
                Section(
                    "By body part",
                    "Effects in points.",
                    tuple(_parts(name, found) for name, found in effects.items()),
                ),
            ),
            lines=tuple(_lines(plan, effects, drawn)),
            reading=_reading(plan, self.factors),
        )


def _table(
    plan: Plan, effects: Mapping[str, Sequence[Effect]], drawn: Mapping[str, Mapping[str, Estimate]]
) -> Tabular:
    scores = "; ".join(f"{model} {points(each[ALL])}" for model, each in drawn.items())
    first = next(iter(effects.values()))
    return Tabular(
        stem="effects",
        title="Effect of each change, points",
        columns=tuple(effects),
        rows=tuple(
            (each.label, tuple(found[place].total for found in effects.values()))
            for place, each in enumerate(first)
        ),
        note=f"Change of {metric_of(plan).name} in points; negative: the change costs. As drawn, %: {scores}.",
    )


def _answers(model: str, effects: Sequence[Effect]) -> Iterator[str]:
    order = sorted(effects, key=lambda effect: effect.total.value)
    worst = [effect for effect in order if effect.total.high < 0][:NAMED]
    if worst:
        said = "; ".join(f"{effect.label} {points(effect.total)}" for effect in worst)
        yield f"{model} loses most by {said} points."
    else:
        yield f"{model}: no change has an effect whose interval lies below 0."
    factors = dict.fromkeys(effect.factor for effect in effects)
    same = [
        name
        for name in factors
        if all(effect.total.low <= 0 <= effect.total.high for effect in effects if effect.factor == name)
    ]
    if same:
        yield f"{model}: every interval of {', '.join(same)} holds 0."


def _parts(model: str, effects: Sequence[Effect]) -> Tabular:
    parts = [part for part, each in (effects[0].points if effects else {}).items() if part != ALL and each.n]
    return Tabular(
        stem=f"parts-{model.replace(':', '-').replace('/', '-')}",
        title=f"{model}: effect by body part, points",
        columns=tuple(part.replace("_", " ") for part in parts),
        rows=tuple((effect.label, tuple(effect.points[part] for part in parts)) for effect in effects),
        says_n=False,
    )


def _lines(
    plan: Plan, effects: Mapping[str, Sequence[Effect]], drawn: Mapping[str, Mapping[str, Estimate]]
) -> Iterator[Mapping[str, object]]:
    nothing = Estimate(value=float("nan"), low=float("nan"), high=float("nan"), n=0)
    for model, found in effects.items():
        for part, each in drawn[model].items():
            yield _line(plan, model, "", "", part, each, nothing)
        for effect in found:
            for part, each in effect.scores.items():
                yield _line(plan, model, effect.factor, effect.level, part, each, effect.points[part])


def _line(
    plan: Plan, model: str, factor: str, level: str, part: str, value: Estimate, effect: Estimate
) -> Mapping[str, object]:
    return {
        "model": model,
        "data": plan.dataset.name,
        "factor": factor,
        "level": level,
        "metric": metric_of(plan).name,
        "part": part,
        "score": value.value,
        "score_low": value.low,
        "score_high": value.high,
        "effect": effect.value,
        "effect_low": effect.low,
        "effect_high": effect.high,
        "n": value.n,
    }


def _reading(plan: Plan, factors: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (
        (
            "Effect",
            f"{metric_of(plan).name} with the change minus without it, in percentage points. Both are measured on "
            "the same people; brackets are 95 % bootstrap intervals of the paired difference over people.",
        ),
        (
            "Changed",
            "Everything else of a scene is drawn by the same random numbers. What follows from physics changes "
            "too: shadows, what another person hides, the size of the head in the image.",
        ),
        *((name, FACTORS[name].summary) for name in factors),
    )
