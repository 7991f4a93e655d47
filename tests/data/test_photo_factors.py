"""Factors of people in photos, on three people written down by hand."""

import math

import numpy as np
import pytest

from robustpose.data.annotations import Person
from robustpose.data.photo_factors import photo_factors
from robustpose.skeletons import COCO_17

UPRIGHT = {"left_shoulder": (40, 20), "right_shoulder": (20, 20), "left_hip": (40, 60), "right_hip": (20, 60)}
LYING = {"left_shoulder": (0, 10), "right_shoulder": (0, 30), "left_hip": (40, 10), "right_hip": (40, 30)}


def person(
    name: str,
    photo: str,
    box: tuple[float, float, float, float],
    points: dict[str, tuple[int, int]],
    **more: float,
) -> Person:
    keypoints, visible = np.zeros((17, 2)), np.zeros(17, bool)
    for each, point in points.items():
        keypoints[COCO_17.index(each)], visible[COCO_17.index(each)] = point, True
    return Person(name, photo, box, keypoints, visible, occluded=more.get("occluded", math.nan))


PEOPLE = (
    person("a", "one.jpg", (10, 10, 40, 80), UPRIGHT, occluded=0.25),
    person("b", "one.jpg", (30, 10, 40, 80), LYING, occluded=0.0),
    person("c", "two.jpg", (0, 5, 30, 20), {"nose": (3, 3)}),
)


def test_what_is_known_of_people() -> None:
    found = photo_factors(PEOPLE, [0, 1, 2], skeleton=COCO_17, sizes={"one.jpg": (200, 300), "two.jpg": None})
    assert found["box_side"] == [80, 80, 30]
    assert found["labelled_share"] == pytest.approx([4 / 17, 4 / 17, 1 / 17])
    assert found["crowding"] == pytest.approx([20 / 60, 20 / 60, 0])  # the boxes share half of their width
    assert found["people_in_photo"] == [2, 2, 1]
    assert found["torso_tilt"][:2] == pytest.approx([0, 90]) and math.isnan(float(found["torso_tilt"][2]))
    assert found["occluded_share"][:2] == [0.25, 0] and math.isnan(float(found["occluded_share"][2]))
    assert "truncated" not in found, "known of one photo only, in which nobody touches the edge"


def test_a_box_at_the_edge_is_truncated() -> None:
    found = photo_factors(PEOPLE, [0, 2], skeleton=COCO_17, sizes={"one.jpg": (200, 300), "two.jpg": (40, 60)})
    assert found["truncated"] == [0, 1]
    alone = photo_factors(PEOPLE, [0], skeleton=COCO_17, sizes={})
    assert alone == {}, "one person has nothing to compare"
