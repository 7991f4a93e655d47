"""Levels by hand; scores by factor are the scores of those people alone."""

import numpy as np

from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.data.synthpose import render_person
from robustpose.study.factors import levels


def test_words_have_a_level_each() -> None:
    assert levels(["lying", "sitting", "lying"]) == {"lying": [0, 2], "sitting": [1]}


def test_few_numbers_have_a_level_each_and_many_make_thirds() -> None:
    assert levels([1.0, 0.0, 1.0, 1.0]) == {"0": [1], "1": [0, 2, 3]}
    assert levels([5.0, 1.0, 3.0, 2.0, 4.0, 6.0]) == {"1 to 2": [1, 3], "3 to 4": [2, 4], "5 to 6": [0, 5]}


def test_levels_hold_everyone_once() -> None:
    values = list(np.random.default_rng(0).normal(size=50))
    rows = [row for level in levels(values).values() for row in level]
    assert sorted(rows) == list(range(50))


def test_rendered_people_tell_their_factors() -> None:
    people = open_dataset("synthpose:val")
    assert isinstance(people, RenderedPeople)
    known = people.factors([3, 60], input_size=(32, 32))
    for place, index in enumerate((3, 60)):
        person = render_person("val", index, size=32)
        assert known["yaw"][place] == person.factors["yaw"]
        assert known["backdrop"][place] == person.factors["backdrop"]
        assert "+".join(str(known[name][place]) for name in ("top", "legs", "feet")) == person.factors["garments"]
    assert {"action", "elevation", "light", "skin_tone", "truncated", "held", "age"} <= set(known)
    assert all(len(values) == 2 for values in known.values())
