"""How much predictions jitter: one person under changes that nobody sees, and from frame to frame of a motion.

Still images: each is copied with noise of one level of 255, or cut anew less than half a pixel aside. A keypoint's
spread is the root mean square distance of its predictions from their mean, in percent of the longer side of the
person's box. Clips: a rendered person moves for 30 frames with exact truth. A step's error is how far the
predicted step differs from the true one, in the same unit. A constant error has neither spread nor step error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from robustpose.data.rendered import RenderedPeople
from robustpose.data.synthpose.factors import FRAMES
from robustpose.errors import RobustPoseError
from robustpose.faults import IMPERCEPTIBLE
from robustpose.faults.photographed import check_photographed
from robustpose.findings import Chart, Curve, Tabular
from robustpose.jobs.attack import Cell
from robustpose.jobs.fault import FaultCell
from robustpose.jobs.job import Job
from robustpose.jobs.results import CellResult, Floats
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench
from robustpose.metrics import ALL, Estimate, Table
from robustpose.models import OpenedModel
from robustpose.report.measurement import Measurement, Section, points
from robustpose.skeletons import Skeleton
from robustpose.studies.faults import fault_cells, photos_of
from robustpose.studies.measuring import (
    People,
    clean_cells,
    mean_of,
    read_table,
    run_measuring,
    unreadable_of,
    without_attacks,
)
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import Study
from robustpose.study.options import JitterOptions
from robustpose.study.plan import Plan, open_plan, workbench
from robustpose.types import PoseDataset

JUMP = 10.0
"""Percent of the person's box: a keypoint with a copy that far from the plain prediction jumps."""

CLIPS = "clips"
SPREAD, JUMPS, ERROR, STEP, TRUE_STEP = "spread", "jumps", "error", "step error", "true step"

JITTER_STUDY = Study(
    name="jitter",
    title="How much predictions jitter",
    models=("shg2", "deeppose", "resdec", "resreg"),
    data="synthpose:val",
    settings=(),
    n=100,
)


@dataclass(frozen=True)
class JitterStudy:
    """The study: models and people, copies of each image, and how many rendered clips."""

    study: Study
    copies: int
    clips: int

    def open(self) -> "OpenedJitter":
        """Open models and data; RobustPoseError for people without photos, and for what a plan refuses."""
        plan = open_plan(self.study)
        check_photographed(plan.dataset)
        opened = OpenedJitter(plan, self.copies, self.clips)
        if opened.frames and self.clips > len(opened.frames[0]):
            most, split = len(opened.frames[0]), opened.frames[0].split
            raise RobustPoseError(
                f"--clips must be at most {most}, the people of synthpose:{split}, got {self.clips}"
            )
        return opened


def asked(options: JitterOptions) -> JitterStudy:
    """Return the study with what the options say."""
    return JitterStudy(without_attacks(JITTER_STUDY, options), options.copies, options.clips)


def _run(study: JitterStudy, folder: Path, options: JitterOptions) -> None:
    run_measuring(study.open(), folder, options)


JITTER_SPEC = StudySpec(options=JitterOptions, make=asked, run=_run)


@dataclass(frozen=True)
class Jitter:
    """A model's jitter under one change: measures by name, each by body part and for 'all'."""

    model: str
    change: str
    measures: Mapping[str, Mapping[str, Estimate]]

    def total(self, measure: str) -> Estimate | None:
        """Return a measure over all keypoints; None where this change does not have it."""
        return self.measures[measure][ALL] if measure in self.measures else None


@dataclass(frozen=True)
class OpenedJitter:
    """The study with its models and people open."""

    plan: Plan
    copies: int
    clips: int

    @cached_property
    def frames(self) -> tuple[RenderedPeople, ...]:
        """The rendered people of clips, frame by frame."""
        people = self.plan.dataset
        base = people if isinstance(people, RenderedPeople) and not people.change else RenderedPeople("val")
        return tuple(replace(base, change=f"frame={number}") for number in range(FRAMES)) if self.clips else ()

    @property
    def people(self) -> Sequence[People]:
        """The people in photos, and those of each frame."""
        return [People(self.plan.dataset, self.plan.n, True), *(People(each, self.clips) for each in self.frames)]

    @property
    def bench(self) -> Workbench:
        """The plan's, with the frames."""
        bench = workbench(self.plan)
        frames: dict[str, PoseDataset] = {each.fingerprint: each for each in self.frames}
        return replace(bench, datasets={**bench.datasets, **frames})

    @property
    def jobs(self) -> Sequence[Job[CellResult]]:
        """Every model on each copy of every image, and on every frame."""
        stills: list[Job[CellResult]] = [
            job
            for model in self.plan.models
            for change, copies in (("", 1), *((name, self.copies) for name in IMPERCEPTIBLE))
            for copy in range(copies)
            for job in self._still(model, change, copy)
        ]
        return [
            *stills,
            *(job for model in self.plan.models for each in self.frames for job in self._frame(model, each)),
        ]

    def _still(self, model: OpenedModel, change: str = "", copy: int = 0) -> list[FaultCell]:
        level = IMPERCEPTIBLE[change].levels[0] if change else ""
        return fault_cells(self.plan, model, change, level, photos=self._photos, copy=copy)

    def _frame(self, model: OpenedModel, frame: RenderedPeople) -> list[Cell]:
        return clean_cells(self.plan, model, frame, min(self.clips, len(frame)))

    @cached_property
    def _photos(self) -> Mapping[range, str]:
        return photos_of(self.plan)

    def measure(self, store: Store, /) -> Measurement:
        """Read the spread under each change, and the errors of steps."""
        found: list[Jitter] = []
        curves: list[Curve] = []
        seen: list[CellResult] = []
        for slot, model in enumerate(self.plan.models):
            plain, results = read_table(self.plan, store, self._still(model))
            seen += results
            for change in IMPERCEPTIBLE:
                copies = [
                    read_table(self.plan, store, self._still(model, change, copy))[0].predicted
                    for copy in range(self.copies)
                ]
                found.append(Jitter(model.name, change, still_jitter(plain, np.stack(copies))))
            if self.frames:
                tables = [read_table(self.plan, store, self._frame(model, frame))[0] for frame in self.frames]
                found.append(Jitter(model.name, CLIPS, clip_jitter(tables)))
                curves.append(_curve(model.name, slot, steps_of(tables)[0]))
        return Measurement(
            title=self.plan.study.title,
            lede=_lede(self.plan, self.copies, self.clips),
            answers=tuple(_answers(found)),
            summary=_summaries(found),
            sections=_sections(found, curves, self.plan),
            lines=tuple(_lines(self.plan, found)),
            reading=_READING,
            unreadable=unreadable_of(seen),
        )


def _counted(table: Table) -> Floats:
    """Return 1 where a keypoint counts (N, K), NaN elsewhere."""
    return np.where(table.visible & np.asarray(table.skeleton.counted), 1.0, np.nan)


def _percent(distance: Floats, table: Table) -> Floats:
    """Turn distances (..., N, K) in input pixels into percent of the person's box."""
    percent: Floats = 100.0 * distance / table.box_side[:, None]
    return percent


def still_jitter(plain: Table, copies: Floats) -> dict[str, Mapping[str, Estimate]]:
    """Measure the jitter of predictions (C, N, K, 2) of C copies, beside the plain prediction and the truth."""
    counts = _counted(plain)
    off = copies - copies.mean(axis=0)
    spread = _percent(np.sqrt((off**2).sum(axis=-1).mean(axis=0)), plain)
    farthest = _percent(np.linalg.norm(copies - plain.predicted, axis=-1), plain).max(axis=0)
    error = _percent(np.linalg.norm(plain.predicted - plain.keypoints, axis=-1), plain)
    jumps = np.where(np.isfinite(farthest), 100.0 * (farthest > JUMP), np.nan)
    values = {SPREAD: spread, JUMPS: jumps, ERROR: error}
    return {name: _by_part(each * counts, plain.skeleton) for name, each in values.items()}


def steps_of(tables: Sequence[Table]) -> tuple[Floats, Floats, Floats]:
    """Return of clips, frame by frame, in % of the box: step errors, true steps (F - 1, N, K), errors (F, N, K).

    Positions are taken relative to the person's box, which follows the person. NaN where a keypoint does not count
    in both frames.
    """
    counts = np.stack([_counted(table) for table in tables])
    sides = np.stack([table.box_side for table in tables])[:, :, None, None]
    predicted, truth = (
        100.0 * np.stack([getattr(table, name) for table in tables]) / sides for name in ("predicted", "keypoints")
    )
    both = counts[1:] * counts[:-1]
    off = predicted - truth
    step = np.linalg.norm(np.diff(off, axis=0), axis=-1) * both
    true_step = np.linalg.norm(np.diff(truth, axis=0), axis=-1) * both
    return step, true_step, np.linalg.norm(off, axis=-1) * counts


def clip_jitter(tables: Sequence[Table]) -> dict[str, Mapping[str, Estimate]]:
    """Measure the jitter of clips, of which each table is a frame; intervals are over clips."""
    step, true_step, error = (np.moveaxis(each, 0, 1) for each in steps_of(tables))  # clips first
    named = {STEP: step, TRUE_STEP: true_step, ERROR: error}
    return {name: _by_part(each, tables[0].skeleton) for name, each in named.items()}


def _by_part(values: Floats, skeleton: Skeleton) -> Mapping[str, Estimate]:
    """Average values (N, ..., K) over all keypoints and over those of each body part."""
    parts = {part: mean_of(values[..., list(rows)]) for part, rows in skeleton.groups.items()}
    return {ALL: mean_of(values), **{part: each for part, each in parts.items() if np.isfinite(each.value)}}


def _curve(model: str, slot: int, step: Floats) -> Curve:
    means = [mean_of(each) for each in step]
    return Curve(
        name=model,
        x=tuple(float(number) for number in range(1, len(means) + 1)),
        y=tuple(each.value for each in means),
        low=tuple(each.low for each in means),
        high=tuple(each.high for each in means),
        slot=slot,
    )


def _words(change: str) -> str:
    return (
        f"rendered clips of {FRAMES} frames"
        if change == CLIPS
        else IMPERCEPTIBLE[change].words(IMPERCEPTIBLE[change].levels[0])
    )


def _answers(found: Sequence[Jitter]) -> Iterator[str]:
    for each in found:
        error, spread, step, true = (each.total(name) for name in (ERROR, SPREAD, STEP, TRUE_STEP))
        assert error is not None
        if spread is not None:
            jumps = each.total(JUMPS)
            assert jumps is not None
            moved = f"a keypoint spreads by {points(spread)} % of the person's box"
            yield (
                f"{each.model} under {_words(each.change)}: {moved}, beside an error of {points(error)} %; "
                f"{points(jumps)} % of the keypoints jump."
            )
        if step is not None and true is not None:
            moved = f"per frame a keypoint goes {points(step)} % of the person's box wrong"
            yield (
                f"{each.model} on {_words(each.change)}: {moved} and truly moves by {points(true)} %; "
                f"its error is {points(error)} %."
            )


def _summaries(found: Sequence[Jitter]) -> tuple[Tabular, ...]:
    still = [each for each in found if each.change != CLIPS]
    clips = [each for each in found if each.change == CLIPS]
    made = (
        Tabular(
            stem="stills",
            title="Still images under changes that nobody sees, % of the person's box",
            columns=(SPREAD, JUMPS, ERROR),
            rows=_rows(still, (SPREAD, JUMPS, ERROR)),
            note=f"jumps: % of keypoints of which a copy lies more than {JUMP:g} % of the box from the plain "
            "prediction. Intervals over people.",
        ),
        Tabular(
            stem="clips",
            title="From frame to frame of rendered clips, % of the person's box",
            columns=(STEP, TRUE_STEP, ERROR),
            rows=_rows(clips, (STEP, TRUE_STEP, ERROR)),
            note="Intervals over clips.",
        ),
    )
    return made if clips else made[:1]


def _rows(found: Sequence[Jitter], columns: Sequence[str]) -> tuple[tuple[str, tuple[Estimate | None, ...]], ...]:
    return tuple((f"{each.model}, {each.change}", tuple(each.total(name) for name in columns)) for each in found)


def _sections(found: Sequence[Jitter], curves: Sequence[Curve], plan: Plan) -> tuple[Section, ...]:
    changes = dict.fromkeys(each.change for each in found)
    tables = [_parts(change, [each for each in found if each.change == change]) for change in changes]
    charts: tuple[Chart, ...] = ()
    if curves:
        charts = (
            Chart(
                stem="steps",
                title="Step errors, frame by frame",
                x_label="frame",
                y_label="step error, % of the box",
                curves=tuple(curves),
                scale="linear",
                y_range=None,
            ),
        )
    return (
        Section("All measures", "", _summaries(found)),
        *(
            [Section("Rendered motion", "Mean over clips; the motion is slow at both ends.", charts)]
            if charts
            else []
        ),
        Section("By body part", "", tuple(tables)),
    )


def _parts(change: str, found: Sequence[Jitter]) -> Tabular:
    measure = STEP if change == CLIPS else SPREAD
    parts = [part for part in found[0].measures[measure] if part != ALL]
    return Tabular(
        stem=f"parts-{change}",
        title=f"{_words(change)[0].upper()}{_words(change)[1:]}: {measure}, % of the box",
        columns=tuple(part.replace("_", " ") for part in parts),
        rows=tuple((each.model, tuple(each.measures[measure].get(part) for part in parts)) for each in found),
        says_n=False,
    )


def _lede(plan: Plan, copies: int, clips: int) -> str:
    models = ", ".join(model.name for model in plan.models)
    motion = f", and on {clips} rendered clips of {FRAMES} frames" if clips else ""
    return f"{models} on {copies} copies of {plan.n} people of {plan.dataset.name}{motion}."


def _lines(plan: Plan, found: Sequence[Jitter]) -> Iterator[Mapping[str, object]]:
    for each in found:
        for measure, parts in each.measures.items():
            for part, value in parts.items():
                yield {
                    "model": each.model,
                    "data": "synthpose clips" if each.change == CLIPS else plan.dataset.name,
                    "change": each.change,
                    "measure": measure,
                    "unit": "% of keypoints" if measure == JUMPS else "% of the box's longer side",
                    "part": part,
                    "value": value.value,
                    "low": value.low,
                    "high": value.high,
                    "n": value.n,
                }


_READING = (
    (
        "Spread",
        "The root mean square distance of a keypoint's predictions on all copies from their mean, averaged over "
        "keypoints and people, in percent of the longer side of the person's box.",
    ),
    (
        "Jump",
        f"A keypoint jumps if one copy's prediction lies more than {JUMP:g} % of the box from the plain one: it "
        "has gone to another limb, or to another person.",
    ),
    (
        "Step error",
        "From one frame of a rendered clip to the next: the distance between the predicted and the true step, "
        "both relative to the person's box. An error that stays the same makes no step error.",
    ),
    ("Intervals", "95 % bootstrap intervals over people; those of clips redraw whole clips."),
)
