"""The page's tables: scores with intervals and n, or the reason why a score is undefined."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robustpose.analysis.headline import main_settings, measure_of
from robustpose.analysis.scores import Row
from robustpose.jobs.setting import Setting
from robustpose.report.html.gallery import Outcomes
from robustpose.report.html.scores import Family, Model, half_gone
from robustpose.report.html.words import how, why_undefined

DASH = "–"


@dataclass(frozen=True)
class Cell:
    """A score as printed.

    span   the interval in brackets; empty if undefined
    title  the same with three decimals, or why it is undefined
    low, high, value  percent, clipped to [0, 100] for the bar; None if undefined
    """

    text: str
    span: str
    n: int
    title: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One setting's scores, one cell for each model."""

    eps: str
    unrounded: bool
    steps: str
    cells: tuple[Cell, ...]

    @property
    def n(self) -> str:
        """The number of people, if it is the same for all models, else empty."""
        numbers = {cell.n for cell in self.cells}
        return str(numbers.pop()) if len(numbers) == 1 else ""


@dataclass(frozen=True)
class Group:
    """The lines of one attack, under its name."""

    title: str
    note: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Headline:
    """One model's main scores.

    worst  the score under the attack with the most damage to this model
    half   the smallest eps with a relative score below 50%; a dash if there is none
    """

    model: Model
    clean: Cell
    worst: Cell
    attack: str
    half: str


def print_cell(row: Row | None, measure: str, *, withheld: str = "") -> Cell:
    """Print a score; NaN becomes a dash with its reason, and an undefined interval is named as such.

    withheld  the reason if the score is withheld: see analysis/doubts.py
    """
    if row is None or not math.isfinite(row.value):
        why = withheld or why_undefined(measure, row)
        return Cell(text=DASH, span="", n=0 if row is None else row.n, title=why)
    people = "1 person" if row.n == 1 else f"{row.n} people"
    if math.isnan(row.low) or math.isnan(row.high):
        title = f"{row.value:.3f} %, {people}, no interval"
        return Cell(f"{row.value:.1f}", "no interval", row.n, title, value=_within(row.value))
    return Cell(
        text=f"{row.value:.1f}",
        span=f"[{row.low:.1f}, {row.high:.1f}]",
        n=row.n,
        title=f"{row.value:.3f} % [{row.low:.3f}, {row.high:.3f}], {people}",
        value=_within(row.value),
        low=_within(row.low),
        high=_within(row.high),
    )


def headlines(models: Sequence[Model], settings: Sequence[Setting]) -> tuple[Headline, ...]:
    """Return each model's clean score, and its score under the attack of the headline that lowers it most."""
    found = []
    for model in models:
        setting, row = worst_of(model, settings)
        half = half_gone(model, settings)
        found.append(
            Headline(
                model=model,
                clean=print_cell(model.row(None, "clean"), "clean"),
                worst=print_cell(row, measure_of(setting), withheld=model.why_withheld(setting)),
                attack=setting.label,
                half=DASH if half is None else half.budget,
            )
        )
    return tuple(found)


def worst_of(model: Model, settings: Sequence[Setting]) -> tuple[Setting, Row | None]:
    """Return the headline setting with the most damage to a model, and its score; the first if none is defined."""
    pool = main_settings(settings)
    defined = [setting for setting in pool if math.isfinite(model.value(setting, measure_of(setting)))]
    if not defined:
        return pool[0], model.row(pool[0], measure_of(pool[0]))
    sign = -1.0 if pool[0].targeted else 1.0
    worst = min(defined, key=lambda setting: sign * model.value(setting, measure_of(setting)))
    return worst, model.row(worst, measure_of(worst))


def groups(models: Sequence[Model], families: Sequence[Family], metric: str) -> tuple[Group, ...]:
    """Lay out the result table: clean first, then every attack by increasing eps."""
    clean = Line(
        eps=DASH,
        unrounded=False,
        steps=DASH,
        cells=tuple(print_cell(model.row(None, "clean"), "clean") for model in models),
    )
    found = [Group(title="Clean", note=f"{metric}, %", lines=(clean,))]
    for family in families:
        unit = f"target {metric}, %" if family.targeted else f"relative {metric}, % of clean"
        lines = tuple(
            Line(
                eps=setting.budget,
                unrounded=not setting.round_to_8bit,
                steps=str(setting.gradients),
                cells=tuple(
                    print_cell(
                        model.row(setting, family.measure), family.measure, withheld=model.why_withheld(setting)
                    )
                    for model in models
                ),
            )
            for setting in family.settings
        )
        found.append(Group(title=family.label, note=f"{unit}; {how(family)}", lines=lines))
    return tuple(found)


def costs(
    models: Sequence[Model], families: Sequence[Family], outcomes: Outcomes
) -> tuple[tuple[str, str, str], ...]:
    """Return each attack's forward and backward passes per person: (attack, forwards, backwards)."""
    found = []
    for family in families:
        runs = [outcomes[model.slot, setting] for model in models for setting in family.settings]
        forwards = [run.forwards / len(run.table) for run in runs]
        backwards = [run.backwards / len(run.table) for run in runs]
        found.append((family.label, _range(forwards), _range(backwards)))
    return tuple(found)


def _range(numbers: Sequence[float]) -> str:
    low, high = f"{min(numbers):.3g}", f"{max(numbers):.3g}"
    return low if low == high else f"{low} to {high}"


def _within(percent: float) -> float:
    return round(min(max(percent, 0.0), 100.0), 2)
