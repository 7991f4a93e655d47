"""Selecting people in photos by the number of labelled keypoints and by size."""

from pathlib import Path

import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.data.annotations import Person
from robustpose.data.people import PhotoPeople
from robustpose.errors import RobustPoseError
from robustpose.skeletons import COCO_17


def person(name: str, *, labelled: int, box_side: float) -> Person:
    return Person(
        id=name,
        photo="a.jpg",
        box=(0, 0, box_side, box_side / 2),
        keypoints=np.zeros((17, 2)),
        visible=(np.arange(17) < 5) | (np.arange(17) >= 17 - labelled),  # the face, and so many of the body
    )


PEOPLE = PhotoPeople(
    name="coco",
    skeleton=COCO_17,
    people=(
        person("whole and large", labelled=12, box_side=200),
        person("whole and small", labelled=12, box_side=79),
        person("part and large", labelled=9, box_side=200),
        person("part and small", labelled=9, box_side=79),
        person("on the edge", labelled=10, box_side=80),
    ),
    folder=Path(),
    left_out=("a crowd: 2",),
)


def test_both_limits_are_inclusive_and_nobody_is_counted_twice() -> None:
    kept = PEOPLE.at_least(keypoints=10, box_side=80)
    assert [p.id for p in kept.people] == ["whole and large", "on the edge"]
    assert kept.left_out == (
        "a crowd: 2",
        "with a box smaller than 80 pixels: 1",
        "with fewer than 10 labelled keypoints of the body: 2",
    )
    assert kept.fingerprint != PEOPLE.fingerprint


def test_nobody_left_is_an_error() -> None:
    with pytest.raises(RobustPoseError, match="no person remains"):
        PEOPLE.at_least(keypoints=0, box_side=1000)


def test_rendered_people_are_not_chosen_so() -> None:
    with pytest.raises(RobustPoseError, match="select people in photos"):
        open_dataset("synthpose", min_box=10)
