"""The people of val: skin tones, ages, builds and truncated people have the shares stated in the data spec."""

import numpy as np
import pytest

from robustpose.data.synthpose import PARTS
from robustpose.data.synthpose.render import Shot, take_shot

pytestmark = pytest.mark.slow

PEOPLE = 200

LIMB_PARTS = {
    0: ("right_calf", "right_foot"),
    1: ("right_thigh", "right_calf"),
    4: ("left_thigh", "left_calf"),
    5: ("left_calf", "left_foot"),
    10: ("right_forearm", "right_hand"),
    11: ("right_upper_arm", "right_forearm"),
    14: ("left_upper_arm", "left_forearm"),
    15: ("left_forearm", "left_hand"),
}


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    return [take_shot("val", index, size=32, padding=1.25) for index in range(PEOPLE)]


def shares(values: list[float], edges: list[float]) -> list[float]:
    return [float(count) / len(values) for count in np.histogram(values, edges)[0]]


def test_every_sixth_of_skin_tones_comes_as_often(shots: list[Shot]) -> None:
    tones = shares([shot.scene.person.phenotype.tone for shot in shots], [0, 1, 2, 3, 4, 5, 6])
    assert sum(tones) == pytest.approx(1)
    assert 0.09 <= min(tones) <= max(tones) <= 0.25


def test_women_and_men_children_and_old_people_come(shots: list[Shot]) -> None:
    people = [shot.scene.person.phenotype for shot in shots]
    women, men = (np.mean([person.gender == end for person in people]) for end in (0.0, 1.0))
    children, old = (
        np.mean([person.age < 0.5 for person in people]),
        np.mean([person.age > 0.5 for person in people]),
    )
    assert 0.35 <= women <= 0.55
    assert 0.35 <= men <= 0.55
    assert 0.06 <= children <= 0.2
    assert 0.12 <= old <= 0.29


@pytest.mark.parametrize("build", ["weight", "muscle"])
def test_light_middling_and_heavy_builds_come(build: str, shots: list[Shot]) -> None:
    low, middle, high = shares(
        [getattr(shot.scene.person.phenotype, build) for shot in shots], [0, 1 / 3, 2 / 3, 1]
    )
    assert 0.13 <= low <= 0.32
    assert 0.13 <= high <= 0.32
    assert 0.43 <= middle <= 0.67


def test_about_one_in_six_is_cut_by_the_photo(shots: list[Shot]) -> None:
    assert 0.09 <= np.mean([shot.scene.framing.truncated for shot in shots]) <= 0.24


def test_an_occluded_joint_is_not_on_what_is_seen_of_its_limb(shots: list[Shot]) -> None:
    """If the pixel at an occluded joint shows its own limb, that surface is well in front of the joint."""
    occluded = on_its_limb = 0
    for shot in shots:
        points, depths = shot.scene.framing.camera.project(shot.scene.person.mpii)
        for joint, names in LIMB_PARTS.items():
            if shot.truth.mpii_visibility[joint] != 1:
                continue
            occluded += 1
            column, row = np.floor(shot.seen.factor * (points[joint] + 0.5)).astype(int)
            seen_part = PARTS[shot.seen.part[row, column]]
            if seen_part in names:
                on_its_limb += 1
                assert depths[joint] - shot.seen.depth[row, column] >= 0.08
    assert occluded > 100
    assert on_its_limb / occluded < 0.1
