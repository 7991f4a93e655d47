"""What deployment faults cost: each model with each fault, against the same model deployed rightly.

A fault's cost is the score of the right deployment minus the score with the fault, in percentage points, paired
over people. A graded fault is ranked against others by its typical level, any other by its most costly form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.faults import FAULTS, FaultSpec, Level, OnModel, written
from robustpose.faults.photographed import check_photographed
from robustpose.findings import Chart, Curve, Tabular
from robustpose.jobs.fault import CALIBRATION, FaultCell
from robustpose.jobs.results import CellResult
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench, input_size_of
from robustpose.metrics import ALL, Estimate, Table, difference, score
from robustpose.models import OpenedModel
from robustpose.models.untouched import untouched
from robustpose.report.measurement import Measurement, Section, points
from robustpose.studies.grid import listed
from robustpose.studies.measuring import People, read_table, run_measuring, unreadable_of, without_attacks
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import Study
from robustpose.study.options import FaultOptions
from robustpose.study.plan import Plan, blocks, metric_of, open_plan, workbench

RANKED = 3
"""How many of the most costly mistakes are named."""

CHEAP = 1.0
"""A fault whose whole interval lies below so many points costs next to nothing."""

_SAME = 1e-6
"""Input pixels: predictions nearer than that are the same, but for rounding of crops."""

FAULT_STUDY = Study(
    name="faults",
    title="What deployment faults cost",
    models=("shg2", "deeppose", "resdec", "resreg"),
    data="synthpose:val",
    settings=(),
    n=100,
)


@dataclass(frozen=True)
class FaultStudy:
    """The study: models and people, and the faults by name."""

    study: Study
    faults: tuple[str, ...]

    def open(self) -> "OpenedFaults":
        """Open models and data; RobustPoseError for people without photos, and for what a plan refuses."""
        plan = open_plan(self.study)
        check_photographed(plan.dataset)
        return OpenedFaults(plan, self.faults)


def asked(options: FaultOptions) -> FaultStudy:
    """Return the study with what the options say; RobustPoseError for an unknown fault."""
    faults = listed(options.faults) or tuple(FAULTS)
    for name in faults:
        if name not in FAULTS:
            raise unknown_name("fault", name, FAULTS)
    return FaultStudy(without_attacks(FAULT_STUDY, options), tuple(dict.fromkeys(faults)))


def _run(study: FaultStudy, folder: Path, options: FaultOptions) -> None:
    run_measuring(study.open(), folder, options)


FAULTS_SPEC = StudySpec(options=FaultOptions, make=asked, run=_run)


@dataclass(frozen=True)
class Cost:
    """What a fault at one level costs a model: points of score, by body part and for 'all'; with its scores.

    changes  whether any prediction differs from the right deployment's
    """

    fault: str
    level: Level
    points: Mapping[str, Estimate]
    scores: Mapping[str, Estimate]
    changes: bool

    @property
    def spec(self) -> FaultSpec:
        """The fault."""
        return FAULTS[self.fault]

    @property
    def total(self) -> Estimate:
        """The cost over all keypoints."""
        return self.points[ALL]

    @property
    def words(self) -> str:
        """What goes wrong, in words."""
        return self.spec.words(self.level)


@dataclass(frozen=True)
class OpenedFaults:
    """The study with its models and people open."""

    plan: Plan
    faults: tuple[str, ...]

    @property
    def people(self) -> Sequence[People]:
        """The people, in photos."""
        return (People(self.plan.dataset, max(self.plan.n, min(CALIBRATION, len(self.plan.dataset))), True),)

    @property
    def bench(self) -> Workbench:
        """The plan's."""
        return workbench(self.plan)

    @cached_property
    def refused(self) -> Mapping[tuple[str, str, Level], str]:
        """Why a model cannot have a fault at a level, for those that cannot."""
        found = {}
        for model in self.plan.models:
            for name, level in self._levels():
                if reason := _refusal(model, FAULTS[name], level):
                    found[model.name, name, level] = reason
        return found

    @property
    def jobs(self) -> Sequence[FaultCell]:
        """Every model deployed rightly, and with each fault that it can have."""
        return [
            job
            for model in self.plan.models
            for name, level in (("", ""), *self._levels())
            if (model.name, name, level) not in self.refused
            for job in self.cells(model, name, level)
        ]

    def cells(self, model: OpenedModel, fault: str = "", level: Level = "") -> list[FaultCell]:
        """Return the cells of a model with one fault, one per block of people."""
        return fault_cells(self.plan, model, fault, level, photos=self._photos)

    @cached_property
    def _photos(self) -> Mapping[range, str]:
        return photos_of(self.plan)

    def _levels(self) -> Iterator[tuple[str, Level]]:
        yield from ((name, level) for name in self.faults for level in FAULTS[name].levels)

    def measure(self, store: Store, /) -> Measurement:
        """Score every fault against the right deployment."""
        plan, metric = self.plan, metric_of(self.plan)
        costs: dict[str, list[Cost]] = {}
        clean: dict[str, Mapping[str, Estimate]] = {}
        seen: list[CellResult] = []
        for model in plan.models:
            right, results = read_table(plan, store, self.cells(model))
            seen += results
            clean[model.name] = score(right, metric)
            costs[model.name] = [
                self._cost(store, model, right, name, level)
                for name, level in self._levels()
                if (model.name, name, level) not in self.refused
            ]
        return Measurement(
            title=plan.study.title,
            lede=_lede(plan, len(self.faults)),
            answers=tuple(
                line for name, found in costs.items() for line in _answers(name, found, clean[name][ALL])
            ),
            summary=(self._table(costs, clean),),
            sections=self._sections(costs, clean),
            lines=tuple(_lines(plan, costs, clean)),
            remarks=(*self._refusals(), *_unchanged(costs)),
            reading=_reading(plan),
            unreadable=unreadable_of(seen),
        )

    def _cost(self, store: Store, model: OpenedModel, right: Table, fault: str, level: Level) -> Cost:
        table, _ = read_table(self.plan, store, self.cells(model, fault, level))
        metric = metric_of(self.plan)
        return Cost(
            fault=fault,
            level=level,
            points=difference(table, right, metric),
            scores=score(table, metric),
            changes=not np.allclose(table.predicted, right.predicted, rtol=0, atol=_SAME, equal_nan=True),
        )

    def _table(self, costs: Mapping[str, Sequence[Cost]], clean: Mapping[str, Mapping[str, Estimate]]) -> Tabular:
        rows: list[tuple[str, tuple[Estimate | None, ...]]] = []
        for name, level in self._levels():
            found = [
                next((each.total for each in costs[model] if (each.fault, each.level) == (name, level)), None)
                for model in costs
            ]
            if any(found):
                rows.append((f"{name} {written(level)}", tuple(found)))
        scores = "; ".join(f"{model} {points(each[ALL])}" for model, each in clean.items())
        return Tabular(
            stem="costs",
            title="Cost of each fault, points",
            columns=tuple(costs),
            rows=tuple(rows),
            note=f"{metric_of(self.plan).name} lost, in points; negative: gained. Deployed rightly, %: {scores}. "
            "Empty: the model cannot have the fault.",
        )

    def _sections(
        self, costs: Mapping[str, Sequence[Cost]], clean: Mapping[str, Mapping[str, Estimate]]
    ) -> tuple[Section, ...]:
        curves = [self._curves(name, costs, clean) for name in self.faults if FAULTS[name].unit]
        return (
            Section(
                "Graded faults",
                "The score over how strong a fault is, with 95 % intervals over people.",
                tuple(curves),
            ),
            Section("All faults", "", (self._table(costs, clean),)),
            Section(
                "By body part",
                "Each fault at its typical level, or in its most costly form.",
                tuple(_parts(name, found) for name, found in costs.items()),
            ),
        )

    def _curves(
        self, fault: str, costs: Mapping[str, Sequence[Cost]], clean: Mapping[str, Mapping[str, Estimate]]
    ) -> Chart:
        spec = FAULTS[fault]
        curves = []
        for slot, (model, found) in enumerate(costs.items()):
            levels = {float(each.level): each.scores[ALL] for each in found if each.fault == fault}
            if levels and spec.right is not None:
                levels[spec.right] = clean[model][ALL]
            x = sorted(levels)
            curves.append(
                Curve(
                    name=model,
                    x=tuple(x),
                    y=tuple(levels[at].value for at in x),
                    low=tuple(levels[at].low for at in x),
                    high=tuple(levels[at].high for at in x),
                    slot=slot,
                )
            )
        return Chart(
            stem=fault,
            title=spec.summary,
            x_label=spec.unit,
            y_label=f"{metric_of(self.plan).name}, %",
            curves=tuple(curves),
            scale="linear",
        )

    def _refusals(self) -> Iterator[str]:
        """Say which faults do not apply, a line for each reason."""
        gathered: dict[tuple[str, str], dict[str, list[str]]] = {}
        for (model, fault, level), reason in self.refused.items():
            models = gathered.setdefault((fault, reason), {})
            models.setdefault(model, []).append(written(level))
        for (fault, reason), models in gathered.items():
            for levels in dict.fromkeys(map(tuple, models.values())):
                named = [model for model, own in models.items() if tuple(own) == levels]
                yield f"{fault} ({', '.join(levels)}) does not apply to {', '.join(named)}: {reason}"


def fault_cells(
    plan: Plan,
    model: OpenedModel,
    fault: str,
    level: Level,
    *,
    photos: Mapping[range, str],
    copy: int = 0,
) -> list[FaultCell]:
    """Return the cells of a model of a plan with one fault, one per block of people."""
    return [
        FaultCell(
            model=model.name,
            model_fingerprint=model.fingerprint,
            data=plan.dataset.name,
            data_fingerprint=plan.dataset.fingerprint,
            start=rows.start,
            stop=rows.stop,
            photos=content,
            fault=fault,
            level=level,
            copy=copy,
            seed=plan.study.seed,
        )
        for rows, content in photos.items()
    ]


def photos_of(plan: Plan) -> Mapping[range, str]:
    """Return a hash of what the cells of each block read: their photos and those of the calibration."""
    calibration = plan.dataset.content(range(min(CALIBRATION, len(plan.dataset))))
    return {
        rows: plan.dataset.content(rows) + calibration for rows in blocks(plan.n, per_cell=plan.study.per_cell)
    }


def _refusal(model: OpenedModel, spec: FaultSpec, level: Level) -> str:
    """Return why a model cannot have a fault; empty where it can."""
    if not isinstance(spec.act, OnModel):
        return ""
    try:
        with untouched(model.module):
            spec.act.change(model.module, level, torch.zeros(1, 3, *input_size_of(model.module)))
    except RobustPoseError as error:
        return str(error)
    return ""


def ranked(costs: Sequence[Cost]) -> list[Cost]:
    """Return each fault once, at its typical level or in its most costly form, the most costly first."""
    chosen: dict[str, Cost] = {}
    for cost in costs:
        typical = cost.spec.typical
        if typical is not None and cost.level != typical:
            continue
        if cost.fault not in chosen or cost.total.value > chosen[cost.fault].total.value:
            chosen[cost.fault] = cost
    return sorted(chosen.values(), key=lambda cost: -cost.total.value)


def _answers(model: str, costs: Sequence[Cost], clean: Estimate) -> Iterator[str]:
    order = [cost for cost in ranked(costs) if cost.changes]
    worst = [cost for cost in order if cost.total.low > 0][:RANKED]
    if not worst:
        yield f"{model}: no fault has a cost whose interval lies above 0."
    else:
        said = "; ".join(f"{cost.words}: {points(cost.total)} points" for cost in worst)
        count = {1: "mistake", 2: "two mistakes", 3: "three mistakes"}[len(worst)]
        yield f"{model}: the {count} that would cost most. {said[0].upper()}{said[1:]}."
    quiet = [cost for cost in order if cost.total.low > 0 and cost not in worst]
    quiet = [cost for cost in quiet if cost.total.value < clean.value / 2][:RANKED]
    if quiet:
        said = "; ".join(f"{cost.words}: {points(cost.total)} points" for cost in quiet)
        yield f"{model}: easily missed, for less than half of the score is lost. {said[0].upper()}{said[1:]}."
    cheap = [cost.words for cost in order if cost.total.high < CHEAP]
    if cheap:
        yield f"{model}: next to nothing (less than {CHEAP:g} point) is lost by {'; '.join(cheap)}."


def _parts(model: str, costs: Sequence[Cost]) -> Tabular:
    order = [cost for cost in ranked(costs) if cost.changes]
    parts = [part for part, each in (order[0].points if order else {}).items() if part != ALL and each.n]
    return Tabular(
        stem=f"parts-{model.replace(':', '-').replace('/', '-')}",
        title=f"{model}: points lost",
        columns=tuple(part.replace("_", " ") for part in parts),
        rows=tuple(
            (f"{cost.fault} {written(cost.level)}", tuple(cost.points[part] for part in parts)) for cost in order
        ),
        says_n=False,
    )


def _unchanged(costs: Mapping[str, Sequence[Cost]]) -> Iterator[str]:
    for model, found in costs.items():
        same = [f"{cost.fault} {written(cost.level)}" for cost in found if not cost.changes]
        if same:
            yield f"no prediction of {model} changed with {', '.join(same)}"


def _lede(plan: Plan, faults: int) -> str:
    models = [model.name for model in plan.models]
    return (
        f"{', '.join(models)} with {faults} deployment faults, on {plan.n} people of {plan.dataset.name}, "
        f"scored by {metric_of(plan).name}."
    )


def _lines(
    plan: Plan, costs: Mapping[str, Sequence[Cost]], clean: Mapping[str, Mapping[str, Estimate]]
) -> Iterator[Mapping[str, object]]:
    for model, found in costs.items():
        for part, each in clean[model].items():
            yield _line(plan, model, "", "", "", part, each, None)
        for cost in found:
            for part, each in cost.scores.items():
                level = written(cost.level)
                yield _line(plan, model, cost.fault, level, cost.spec.unit, part, each, cost.points[part])


def _line(
    plan: Plan, model: str, fault: str, level: str, unit: str, part: str, value: Estimate, cost: Estimate | None
) -> Mapping[str, object]:
    nothing = Estimate(value=float("nan"), low=float("nan"), high=float("nan"), n=value.n)
    lost = cost or nothing
    return {
        "model": model,
        "data": plan.dataset.name,
        "fault": fault,
        "level": level,
        "unit": unit,
        "metric": metric_of(plan).name,
        "part": part,
        "score": value.value,
        "score_low": value.low,
        "score_high": value.high,
        "cost": lost.value,
        "cost_low": lost.low,
        "cost_high": lost.high,
        "n": value.n,
    }


def _reading(plan: Plan) -> tuple[tuple[str, str], ...]:
    return (
        (
            "Cost",
            f"{metric_of(plan).name} deployed rightly minus with the fault, in percentage points, measured "
            "on the same people; brackets are 95 % bootstrap intervals of the paired difference over people.",
        ),
        (
            "Right crop",
            "Predictions are mapped into the crop that the model should have been given, and scored there. So the "
            "truth, and what counts as correct, is the same with and without the fault.",
        ),
        (
            "Box faults",
            "Each person's error is drawn once: stronger levels go further in the same direction. IoU is the "
            "intersection over union of the box that is cut with the right one.",
        ),
        (
            "int8",
            "Weights are quantised symmetrically for each output channel; for 'int8' also what goes into each "
            f"layer, over the range of the first {CALIBRATION} people. Rounding is simulated in 32 bits.",
        ),
    )
