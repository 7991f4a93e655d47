"""Scores by factor of the rendered scene, such as camera, light, clothes and action.

A categorical factor has one level per category. A numeric factor has one level per value if there are at most
three, else terciles of the people, uneven if many share a value. Every level is scored separately, with its own n
and interval. Small levels are uncertain, and with many levels some intervals are disjoint by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from robustpose.analysis.csv_files import csv_bytes
from robustpose.analysis.scores import estimates, outcome, score_clean
from robustpose.data.people import PhotoPeople
from robustpose.folders import write_atomically
from robustpose.jobs.store import Store
from robustpose.metrics import ALL, Table
from robustpose.models import OpenedModel
from robustpose.study.plan import Plan
from robustpose.types import HasFactors

_FEW = 3


@dataclass(frozen=True)
class FactorRow:
    """One line of factors.csv: a model under an attack, over the people of one level of one factor.

    level    the category or value, or 'LOW to HIGH' for a tercile of the people
    measure  as in results.csv; percent with a 95% interval over n people
    """

    model: str
    attack: str
    eps: str
    factor: str
    level: str
    measure: str
    value: float
    low: float
    high: float
    n: int


def factor_rows(plan: Plan, store: Store) -> list[FactorRow]:
    """Score every setting by factor; no rows if the data set has no factors."""
    if not isinstance(plan.dataset, HasFactors):
        return []
    return [row for model in range(len(plan.models)) for row in _of_model(plan, store, model)]


def known_factors(plan: Plan, model: OpenedModel, table: Table) -> dict[str, list[float | str]]:
    """Return the factors of the people of a table, by name; empty if the data set has none.

    People whose photo could not be read are not in the table.
    """
    if not isinstance(plan.dataset, HasFactors):
        return {}
    input_size = (int(model.module.input_size[0]), int(model.module.input_size[1]))
    known = plan.dataset.factors(range(plan.n), input_size=input_size)
    if not isinstance(plan.dataset, PhotoPeople) or len(table) == plan.n:
        return {name: [*values] for name, values in known.items()}
    there = {*table.ids}
    rows = [row for row in range(plan.n) if plan.dataset.people[row].id in there]
    return {name: [values[row] for row in rows] for name, values in known.items()}


def write_factors(rows: Sequence[FactorRow], path: Path) -> None:
    """Write factors.csv atomically; without rows, remove it."""
    if not rows:
        path.unlink(missing_ok=True)
    else:
        frame = pl.DataFrame([asdict(row) for row in rows]).with_columns(
            pl.col("value", "low", "high").fill_nan(None).round(3)
        )
        write_atomically(path, csv_bytes(frame))


def levels(values: Sequence[float | str]) -> dict[str, list[int]]:
    """Return the row numbers of each level of a factor; people of whom it is unknown (NaN) are in none."""
    known = [i for i, value in enumerate(values) if value == value]  # NaN: unknown
    distinct = sorted({values[i] for i in known}, key=lambda value: (isinstance(value, str), value))
    if len(distinct) <= _FEW or any(isinstance(value, str) for value in distinct):
        return {_name(level): [i for i in known if values[i] == level] for level in distinct}
    return {level: [known[i] for i in rows] for level, rows in _terciles([values[i] for i in known]).items()}


def _terciles(values: Sequence[float | str]) -> dict[str, list[int]]:
    """Return the row numbers of each tercile of numbers."""
    numbers = np.asarray(values, dtype=float)
    ranked = np.sort(numbers)
    # the largest values of the first and second tercile; equal values share a level, so terciles may be uneven
    bounds = [ranked[-(-len(ranked) // 3) - 1], ranked[-(-2 * len(ranked) // 3) - 1]]
    third = np.searchsorted(np.unique(bounds), numbers, side="left")
    found = {number: np.flatnonzero(third == number).tolist() for number in np.unique(third).tolist()}
    return {f"{_name(numbers[rows].min())} to {_name(numbers[rows].max())}": rows for rows in found.values()}


def _name(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _of_model(plan: Plan, store: Store, number: int) -> Iterator[FactorRow]:
    model = plan.models[number]
    clean = outcome(plan, store, model, None).table
    known = known_factors(plan, model, clean)
    by_level = [
        (factor, level, rows) for factor, values in known.items() for level, rows in levels(values).items()
    ]
    for setting in (None, *plan.study.settings):
        attacked = None if setting is None else outcome(plan, store, model, setting).table
        for factor, level, rows in by_level:
            before = clean.take(rows)
            if attacked is None:
                scores = {"clean": score_clean(plan, before)}
            else:
                scores = estimates(plan, before, attacked.take(rows))
            for measure, by_part in scores.items():
                found = by_part[ALL]
                yield FactorRow(
                    model=model.name,
                    attack="clean" if setting is None else setting.label,
                    eps="0/255" if setting is None else setting.budget,
                    factor=factor,
                    level=level,
                    measure=measure,
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    n=found.n,
                )
