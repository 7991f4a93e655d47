"""Levels by hand; scores by factor are the scores of those people alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from robustpose.analysis.factors import factor_rows, levels, write_factors
from robustpose.analysis.scores import estimates, outcome
from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.data.synthpose import render_person
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells
from tests.study.study_fakes import SETTINGS, NoisePeople, plan


def test_words_have_a_level_each() -> None:
    assert levels(["lying", "sitting", "lying"]) == {"lying": [0, 2], "sitting": [1]}


def test_few_numbers_have_a_level_each_and_many_make_thirds() -> None:
    assert levels([1.0, 0.0, 1.0, 1.0]) == {"0": [1], "1": [0, 2, 3]}
    assert levels([5.0, 1.0, 3.0, 2.0, 4.0, 6.0]) == {"1 to 2": [1, 3], "3 to 4": [2, 4], "5 to 6": [0, 5]}


def test_equal_numbers_stay_together_and_nobody_is_lost() -> None:
    few = levels([0.0] * 70 + [i / 30 for i in range(1, 31)])
    assert few["0 to 0"] == list(range(70))
    assert sorted(row for rows in few.values() for row in rows) == list(range(100))
    assert levels([1.0] * 10 + [2.0, 3.0, 4.0])["1 to 1"] == list(range(10))


def test_levels_hold_everyone_once() -> None:
    values = list(np.random.default_rng(0).normal(size=50))
    rows = [row for level in levels(values).values() for row in level]
    assert sorted(rows) == list(range(50))


@dataclass(frozen=True)
class TallAndSmall(NoisePeople):
    """Every third person is tall."""

    def factors(self, rows: Sequence[int], /, *, input_size: tuple[int, int]) -> dict[str, list[float | str]]:
        return {"height": ["tall" if row % 3 == 0 else "small" for row in rows]}


def test_a_level_is_scored_like_its_people_alone(tmp_path: Path) -> None:
    chosen, store = plan(people=TallAndSmall()), Store(tmp_path)
    run_cells(chosen, store)
    rows = {(row.model, row.attack, row.eps, row.level, row.measure): row for row in factor_rows(chosen, store)}
    model, setting = chosen.models[0], SETTINGS[1]
    clean, attacked = (outcome(chosen, store, model, each).table for each in (None, setting))
    for level, people in (("tall", range(0, 30, 3)), ("small", [i for i in range(30) if i % 3])):
        expected = estimates(chosen, clean.take(people), attacked.take(people))["relative"]["all"]
        row = rows[model.name, setting.label, "8/255", level, "relative"]
        assert (row.value, row.low, row.high, row.n) == (expected.value, expected.low, expected.high, len(people))
    assert len(rows) == 2 * 2 * (1 + 2 * len(SETTINGS) + 1)  # models x levels x (clean, 2 measures each, 1 target)
    write_factors(list(rows.values()), tmp_path / "factors.csv")
    assert len((tmp_path / "factors.csv").read_text().splitlines()) == len(rows) + 1


def test_data_without_factors_have_no_rows_and_no_file(tmp_path: Path) -> None:
    assert factor_rows(plan(), Store(tmp_path)) == []
    write_factors([], tmp_path / "factors.csv")
    assert not (tmp_path / "factors.csv").exists()


@pytest.mark.slow
def test_rendered_people_tell_their_factors() -> None:
    people = open_dataset("synthpose:val")
    assert isinstance(people, RenderedPeople)
    known = people.factors([3, 60], input_size=(32, 32))
    for place, index in enumerate((3, 60)):
        person = render_person("val", index, size=32)
        assert known["degrees_from_front"][place] == abs(float(person.factors["yaw"]))
        assert known["backdrop"][place] == person.factors["backdrop"]
        assert "+".join(str(known[name][place]) for name in ("top", "legs", "feet")) == person.factors["garments"]
        assert known["head_size"][place] == person.head_size
    wide = people.factors([3], input_size=(32, 32), padding=1.6)
    assert wide["head_size"] == [pytest.approx(float(known["head_size"][0]) * 1.25 / 1.6, rel=1e-6)]
    assert {
        "muscle",
        "ancestry_asian",
        "action",
        "elevation",
        "light",
        "skin_tone",
        "truncated",
        "held",
        "age",
    } <= set(known)
    assert all(len(values) == 2 for values in known.values())
