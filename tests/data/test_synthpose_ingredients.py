"""Omitting an ingredient of a scene removes only that ingredient and does not change the truth."""

import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.data.synthpose import render_person
from robustpose.data.synthpose.assets import load_body
from robustpose.data.synthpose.backdrop import NO_FLOOR
from robustpose.data.synthpose.held import NOTHING
from robustpose.data.synthpose.render import Shot, take_shot
from robustpose.errors import RobustPoseError

pytestmark = pytest.mark.slow

PEOPLE = range(24)


def shots(*without: str) -> list[Shot]:
    return [take_shot("train", index, size=48, padding=1.25, without=without) for index in PEOPLE]


@pytest.fixture(scope="module")
def whole() -> list[Shot]:
    return shots()


def owners(shot: Shot) -> set[int]:
    return set(np.unique(shot.scene.surfaces.face_owner).tolist())


def test_whole_scenes_have_every_ingredient_somewhere(whole: list[Shot]) -> None:
    assert any(shot.scene.backdrop.name != "procedural" for shot in whole)
    assert any(2 in owners(shot) for shot in whole)
    assert any(0 in owners(shot) for shot in whole)
    assert any(shot.scene.held != NOTHING for shot in whole)
    assert any(shot.scene.backdrop.floor.kind != NO_FLOOR for shot in whole)
    assert any(
        shot.scene.person.outfit.skirt is not None or shot.scene.person.outfit.shoe_height for shot in whole
    )


def test_without_panoramas_only_walls_stand_behind(whole: list[Shot]) -> None:
    for shot, other in zip(shots("panoramas"), whole, strict=True):
        assert shot.scene.backdrop.name == "procedural"
        np.testing.assert_array_equal(shot.truth.mpii, other.truth.mpii)


def test_without_distractors_nobody_else_is_there() -> None:
    for shot in shots("distractors"):
        assert 2 not in owners(shot)
        assert shot.scene.others == 0


def test_without_clutter_there_are_only_people_and_seats() -> None:
    for shot in shots("clutter"):
        assert shot.scene.held == NOTHING
        assert (0 in owners(shot)) <= shot.scene.person.seated


def test_without_garments_all_wear_one_suit(whole: list[Shot]) -> None:
    for shot in shots("garments"):
        outfit = shot.scene.person.outfit
        assert outfit.top == outfit.bottom
        assert (outfit.skirt, outfit.cap, outfit.shoe_height, outfit.long_hair) == (None, None, None, None)
        assert outfit.bald
    assert any(shot.scene.person.outfit.top != shot.scene.person.outfit.bottom for shot in whole)


def test_without_floor_contact_people_hover_over_no_floor(whole: list[Shot]) -> None:
    lowest = {}
    for name, found in (("hover", shots("floor_contact")), ("stand", whole)):
        lowest[name] = [shot.scene.person.skin[:, 1].min() for shot in found]
    assert min(lowest["hover"]) > 0.09
    assert np.median(lowest["stand"]) == pytest.approx(0, abs=1e-9)
    for shot in shots("floor_contact"):
        assert shot.scene.backdrop.floor.kind == NO_FLOOR


def test_people_who_sit_on_seats_touch_them(whole: list[Shot]) -> None:
    seated = [
        shot
        for index in range(120)
        if (
            shot := take_shot("train", index, size=32, padding=1.25, without=("distractors", "clutter"))
        ).scene.person.seated
    ]
    assert len(seated) > 3
    for shot in seated:
        scene = shot.scene
        things = scene.surfaces.points[np.unique(scene.surfaces.faces[scene.surfaces.face_owner == 0])]
        pelvis = scene.person.pelvis
        over = (np.abs(scene.person.skin[:, [0, 2]] - pelvis[[0, 2]]) < 0.17).all(axis=1)
        gap = scene.person.skin[over & (scene.person.skin[:, 1] > pelvis[1] - 0.3), 1].min()
        tops = np.unique(np.round(things[:, 1], 6))
        assert np.abs(tops - max(0.08, gap)).min() < 1e-5


def test_held_things_are_at_a_hand() -> None:
    held = [
        shot
        for index in range(60)
        if (shot := take_shot("val", index, size=32, padding=1.25)).scene.held != NOTHING
    ]
    assert 3 < len(held) < 25
    for shot in held:
        scene = shot.scene
        bare = take_shot("val", shot.seed[1], size=32, padding=1.25, without=("clutter",))
        assert scene.person.upright
        assert len(scene.surfaces.faces) > len(bare.scene.surfaces.faces)
        wrists = [scene.person.joints[load_body().bones.index(f"hand_{side}")] for side in "rl"]
        things = scene.surfaces.points[np.unique(scene.surfaces.faces[scene.surfaces.face_owner == 0])]
        # a thing's own corners may be as far as half a stick away, the stick itself passes through the hand
        assert min(np.linalg.norm(things - wrist, axis=1).min() for wrist in wrists) < 0.75


def test_an_unknown_ingredient_is_named() -> None:
    with pytest.raises(RobustPoseError, match="unknown ingredient of synthpose 'cluter'; did you mean 'clutter'"):
        render_person("train", 0, size=32, without=("cluter",))
    with pytest.raises(RobustPoseError, match="unknown ingredient of synthpose 'cluter'; did you mean 'clutter'"):
        open_dataset("synthpose:train,without-cluter")
    with pytest.raises(RobustPoseError, match="synthpose:train,clutter: expected 'plain' or 'without-"):
        open_dataset("synthpose:train,clutter")


def test_a_data_set_says_what_it_leaves_out() -> None:
    plain = open_dataset("synthpose:val,without-clutter,plain")
    assert plain.name == "synthpose:val,without-clutter,plain"
    prints = {open_dataset(spec).fingerprint for spec in ("synthpose:val", plain.name, "synthpose:val,plain")}
    assert len(prints) == 3
