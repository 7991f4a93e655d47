"""Counterfactuals: one factor changes, and what physics says stays, stays bit for bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.data.rendered import RenderedPeople
from robustpose.data.synthpose import ACTIONS, FACTORS, render_person, rendered_set
from robustpose.data.synthpose import render as renderer
from robustpose.data.synthpose.factors import AS_DRAWN, FRAMES, edit_named, version_of
from robustpose.data.synthpose.poses import Arm, Pose, Posture, between
from robustpose.data.synthpose.render import RenderedPerson, Shot, enlarged, take_changed, take_shot
from robustpose.data.synthpose.streams import Replayed, Streams
from robustpose.errors import RobustPoseError

pytestmark = pytest.mark.slow

SIZE = 64
PEOPLE = (3, 8, 21)
CHANGES = [f"{name}={level}" for name, spec in FACTORS.items() for level in spec.levels]

MAY_CHANGE = {
    "light": {"light"},
    "clothes": set[str](),
    "skin": {"skin_tone"},
    "hair": {"occluded_share"},
    "background": {"backdrop"},
    "camera-height": {"elevation", "occluded_share", "others_pixels"},
    "distance": {"occluded_share", "others_pixels"},
    "lens": {"fov", "occluded_share", "others_pixels"},
    "crowd": {"others", "others_pixels", "occluded_share"},
    "action": {"garments", "held", "occluded_share", "others_pixels"},
}
"""The records of a scene that each factor may change: itself, and what hides what."""


def drawn(index: int) -> Shot:
    return take_shot("val", index, size=SIZE, padding=1.25)


def changed(index: int, change: str) -> Shot:
    return take_changed("val", index, edit_named(change), size=SIZE, drawn_at=SIZE, padding=1.25)


def photographed(shot: Shot) -> RenderedPerson:
    return renderer._photographed(shot, SIZE, nuisance=False)


@pytest.fixture(scope="module")
def people() -> dict[int, tuple[Shot, RenderedPerson]]:
    return {index: (shot := drawn(index), photographed(shot)) for index in PEOPLE}


@pytest.mark.parametrize("index", PEOPLE)
def test_drawn_again_without_a_change_a_scene_is_the_same(index: int) -> None:
    base = render_person("val", index, size=SIZE)
    again = take_changed("val", index, AS_DRAWN, size=SIZE, drawn_at=SIZE, padding=1.25)
    made = renderer._photographed(again, SIZE, nuisance=True)
    for name in base.__dataclass_fields__:
        assert np.array_equal(getattr(made, name), getattr(base, name)), name


@pytest.mark.parametrize("change", CHANGES)
def test_every_other_factor_is_recorded_as_it_was(
    change: str, people: dict[int, tuple[Shot, RenderedPerson]]
) -> None:
    factor = change.partition("=")[0]
    for index, (_, base) in people.items():
        made = render_person("val", index, size=SIZE, nuisance=False, change=change)
        differ = {name for name, value in made.factors.items() if value != base.factors[name]}
        assert differ <= MAY_CHANGE[factor], f"person {index}"
        assert factor == "action" or made.action == base.action


@pytest.mark.parametrize(
    "change", [each for each in CHANGES if each.split("=")[0] in ("light", "clothes", "skin")]
)
def test_light_clothes_and_skin_move_nothing(change: str, people: dict[int, tuple[Shot, RenderedPerson]]) -> None:
    """The mask of the person, of others, and all truth stay; some pixel of somebody differs."""
    different = 0
    for index, (shot, base) in people.items():
        other = changed(index, change)
        assert np.array_equal(other.seen.owner, shot.seen.owner)
        assert np.array_equal(other.seen.depth, shot.seen.depth)
        made = photographed(other)
        for name in ("mpii", "mpii_visibility", "coco", "head_size", "box", "segmentation"):
            assert np.array_equal(getattr(made, name), getattr(base, name)), name
        different += int((made.image != base.image).any())
        if not change.startswith("light"):
            beside = ~_coarse(shot.seen.owner == 1).any(axis=0)
            assert np.array_equal(made.image[beside], base.image[beside]), "colours do not reach the background"
    assert different >= 2


def _coarse(fine: np.ndarray) -> np.ndarray:
    """The four fine pixels of each pixel (4, S, S)."""
    return np.stack([fine[i::2, j::2] for i in (0, 1) for j in (0, 1)])


@pytest.mark.parametrize("level", FACTORS["background"].levels)
def test_another_background_leaves_everything_before_it(
    level: str, people: dict[int, tuple[Shot, RenderedPerson]]
) -> None:
    for index, (shot, base) in people.items():
        other = changed(index, f"background={level}")
        assert np.array_equal(other.seen.owner, shot.seen.owner)
        made = photographed(other)
        covered = _coarse(shot.buffers[1] >= 0).all(axis=0)
        assert covered.any()
        assert np.array_equal(made.image[covered], base.image[covered])
        assert np.array_equal(made.segmentation, base.segmentation)
        assert (made.image[~covered] != base.image[~covered]).mean() > 0.5
        if level == "wall":
            assert made.factors["backdrop"] == "procedural"
        else:
            assert made.factors["backdrop"] not in ("procedural", base.factors["backdrop"])


def test_what_each_change_makes_true(people: dict[int, tuple[Shot, RenderedPerson]]) -> None:
    for index, (shot, base) in people.items():
        assert changed(index, "camera-height=60").scene.viewpoint.elevation == 60
        assert changed(index, "lens=90").scene.viewpoint.fov == 90
        assert changed(index, "crowd=alone").scene.others == 0
        assert changed(index, "crowd=two").scene.others == 2
        assert changed(index, "skin=dark").scene.person.phenotype.tone == 5.5
        assert changed(index, "hair=none").scene.person.outfit.bald
        assert changed(index, "hair=cap").scene.person.outfit.cap is not None
        assert changed(index, "light=behind").scene.light.strength == 1.4
        lying = render_person("val", index, size=SIZE, nuisance=False, change="action=lying")
        assert ACTIONS[lying.action] == "lying"
        assert np.ptp(lying.mpii[:, 1]) < np.ptp(base.mpii[:, 1]) or ACTIONS[base.action] == "lying"
        assert changed(index, "action=lying").scene.person.phenotype == shot.scene.person.phenotype


def test_the_light_comes_from_where_it_says() -> None:
    shot = changed(3, "light=behind")
    forward = shot.scene.framing.camera.rotation[2]
    flat = forward * [1, 0, 1] / np.linalg.norm(forward * [1, 0, 1])
    assert shot.scene.light.key @ flat == pytest.approx(1 / np.hypot(1, 0.4))
    assert np.linalg.norm(shot.scene.light.key) == pytest.approx(1)
    side = changed(3, "light=side").scene
    assert abs(side.light.key @ flat) < 0.2
    dark = photographed(changed(3, "light=shade"))
    base = photographed(drawn(3))
    person = base.segmentation > 0
    assert dark.image[person].mean() < 0.75 * base.image[person].mean()


def test_farther_away_there_are_fewer_pixels() -> None:
    base = render_person("val", 3, size=128, nuisance=False)
    far = render_person("val", 3, size=128, nuisance=False, change="distance=4x")
    rough, smooth = (np.abs(np.diff(each.image.astype(float), axis=1)).mean() for each in (base, far))
    assert smooth < 0.6 * rough
    assert far.head_size == pytest.approx(base.head_size, rel=0.25), "the crop follows the person"
    assert far.image.shape == base.image.shape


def test_an_enlarged_image_and_its_truth_stay_together() -> None:
    small = render_person("val", 3, size=32, nuisance=False)
    image = np.zeros((32, 32, 3), np.uint8)
    image[20, 11] = 255
    person = replace(small, image=image, mpii=np.tile(np.array([[11, 20]], np.float32), (16, 1)))
    large = enlarged(person, 96)
    rows, columns = np.mgrid[:96, :96]
    light = large.image[..., 0].astype(float)
    assert large.mpii[0] == pytest.approx(
        [(light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()]
    )
    assert large.head_size == pytest.approx(3 * small.head_size)
    assert large.box == pytest.approx(3 * small.box)
    assert enlarged(small, 32) is small


def test_a_motion_begins_as_drawn_and_is_smooth() -> None:
    base = drawn(8)
    shots = [changed(8, f"frame={number}") for number in range(FRAMES)]
    assert shots[0].truth.mpii == pytest.approx(base.truth.mpii, abs=1e-6)
    tracks = np.stack([shot.truth.mpii for shot in shots]) / SIZE
    steps = np.linalg.norm(np.diff(tracks, axis=0), axis=-1)
    assert steps.sum(axis=0).max() > 0.02, "it moves"
    assert steps.max() < 0.06
    turns = np.linalg.norm(np.diff(tracks, n=2, axis=0), axis=-1)
    assert turns.max() < 0.02, "neighbouring steps are alike"
    assert shots[-1].scene.viewpoint.azimuth != shots[0].scene.viewpoint.azimuth
    for shot in shots:
        assert shot.scene.person.outfit == base.scene.person.outfit
        assert shot.scene.backdrop.name == base.scene.backdrop.name


def test_frames_have_noise_of_their_own_by_the_same_camera() -> None:
    image = np.full((32, 32, 3), 0.5, np.float32)
    frames = [
        renderer._sensor(image, np.random.default_rng(4), np.random.default_rng(number)) for number in (0, 1)
    ]
    assert not np.array_equal(frames[0], frames[1])
    assert frames[0].mean(axis=(0, 1)) == pytest.approx(frames[1].mean(axis=(0, 1)), abs=0.01)
    assert np.array_equal(
        renderer._sensor(image, np.random.default_rng(4)), renderer._sensor(image, np.random.default_rng(4))
    )


def test_between_two_postures() -> None:
    first = Posture(Pose(right_arm=Arm(elbow=10.0)), lift=0.0, seat=True)
    second = Posture(Pose(right_arm=Arm(elbow=50.0)), lift=1.0)
    middle = between(first, second, 0.25)
    assert (middle.pose.right_arm.elbow, middle.lift, middle.seat) == (20.0, 0.25, True)
    assert between(first, second, 0.0) == first


def test_each_step_begins_with_the_same_numbers_whatever_the_one_before_drew() -> None:
    streams = Streams(np.random.default_rng(7))
    streams.at("one").random(5)
    second = streams.at("two").random(3).tolist()
    again = Replayed(streams.states, (1, 2, 3))
    again.at("one").random(99)
    assert again.at("two").random(3).tolist() == second
    assert again.other("two").random(3).tolist() != second
    assert again.other("two").random(3).tolist() == Replayed({}, (1, 2, 3)).at("two").random(3).tolist()
    with pytest.raises(ValueError, match="no other two"):
        streams.other("two")


def test_changed_people_are_a_data_set_of_their_own(tmp_path: Path) -> None:
    base, other = open_dataset("synthpose:val"), open_dataset("synthpose:val,light=shade")
    assert isinstance(other, RenderedPeople)
    assert other.name == "synthpose:val,light=shade"
    assert other.fingerprint == base.fingerprint.replace("val:", "val,light=shade:") + ":1"
    plain = open_dataset("synthpose:val,plain,without-clutter,light=shade")
    assert plain.name == "synthpose:val,without-clutter,plain,light=shade"
    made = rendered_set("val", 0, 2, size=32, change="light=shade", processes=1, folder=tmp_path)
    drawn = rendered_set("val", 0, 2, size=32, processes=1, folder=tmp_path)
    assert np.array_equal(made.mpii, drawn.mpii)
    assert not np.array_equal(made.images, drawn.images)
    assert np.array_equal(made.images[1], render_person("val", 1, size=32, change="light=shade").image)
    batches = [each.load(range(2), input_size=(32, 32)) for each in (base, other)]
    assert batches[0].ids == batches[1].ids


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("synthpose:val,ligth=shade", "unknown factor of synthpose 'ligth'; did you mean 'light'"),
        ("synthpose:val,light=shad", "unknown value of the factor light 'shad'; did you mean 'shade'"),
        ("synthpose:val,frame=30", "a frame of a motion is 0 to 29, got '30'"),
        ("synthpose:val,light=shade,skin=dark", "one factor is changed at a time, got light=shade, skin=dark"),
        ("synthpose:val,shade", "expected 'plain' or 'without-INGREDIENT' or 'FACTOR=VALUE' after it"),
    ],
)
def test_changes_that_cannot_be(spec: str, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        open_dataset(spec)


def test_versions() -> None:
    assert version_of("frame=3") == 1
    assert {version_of(change) for change in CHANGES} == {1}
