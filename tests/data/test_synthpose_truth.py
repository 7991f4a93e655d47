import ast
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.data import synthpose
from robustpose.data.synthpose import ACTIONS, PARTS, SPLITS, RenderedPerson, render_person
from robustpose.data.synthpose.camera import Camera
from robustpose.data.synthpose.raster import rasterise
from robustpose.data.synthpose.render import Shot, take_shot
from robustpose.data.synthpose.truth import HEAD_BOX, head_size, photo_mask

pytestmark = pytest.mark.slow

SIZE = 96

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
    """The truth of forty scenes, without colours."""
    return [take_shot("train", index, size=SIZE, padding=1.25) for index in range(40)]


@pytest.fixture(scope="module")
def people() -> list[RenderedPerson]:
    rng = np.random.default_rng(3)
    return [
        render_person(SPLITS[i % 3], int(index), size=64)
        for i, index in enumerate(rng.choice(1000, size=30, replace=False))
    ]


def test_truth_is_finite_and_enough_is_seen(people: list[RenderedPerson]) -> None:
    for person in people:
        assert np.isfinite(person.mpii).all()
        assert np.isfinite(person.coco).all()
        assert np.isfinite(person.box).all()
        assert (person.mpii_visibility == 2).sum() >= 6
        assert set(np.unique(person.mpii_visibility)) <= {0, 1, 2}
        assert 1 < person.head_size < 64
        assert 0 <= person.action < len(ACTIONS)
        assert person.segmentation.max() < len(PARTS)
        assert person.image.shape == (64, 64, 3)
        assert person.image.std() > 5
        assert all(isinstance(value, str) or np.isfinite(value) for value in person.factors.values())


def test_keypoints_are_pinhole_projections_of_the_joints(shots: list[Shot]) -> None:
    for shot in shots[:10]:
        camera, person = shot.scene.framing.camera, shot.scene.person
        for point, seen in zip(person.mpii, shot.truth.mpii, strict=True):
            right, down, forward = camera.rotation @ (point - camera.position)
            expected = [camera.focal * right / forward + camera.cx, camera.focal * down / forward + camera.cy]
            np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_cameras_look_upright_and_are_rotations(shots: list[Shot]) -> None:
    for shot in shots:
        rotation = shot.scene.framing.camera.rotation
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert rotation[1, 1] < 0  # down in the image is down in the world


def test_visible_limbs_lie_on_their_parts(shots: list[Shot]) -> None:
    near = total = 0
    for shot in shots:
        for joint, names in LIMB_PARTS.items():
            if shot.truth.mpii_visibility[joint] == 2:
                parts = [PARTS.index(name) for name in names]
                y, x = np.nonzero(np.isin(shot.truth.segmentation, parts))
                away = np.hypot(x - shot.truth.mpii[joint, 0], y - shot.truth.mpii[joint, 1])
                total += 1
                near += bool(len(away)) and away.min() <= 1.5
    assert total > 150
    assert near / total > 0.97


def test_left_and_right_are_the_persons_own() -> None:
    facing = backs = 0
    for index in range(60):
        shot = take_shot("val", index, size=SIZE, padding=1.25)
        view, action = shot.scene.viewpoint, shot.scene.person.action
        if action not in ("standing", "walking", "reaching", "running") or abs(view.roll) > 20:
            continue
        shoulders = shot.truth.mpii[12, 0] - shot.truth.mpii[13, 0]  # right minus left
        hips = shot.truth.coco[12, 0] - shot.truth.coco[11, 0]
        if abs(view.azimuth) < 30:
            assert shoulders < 0
            assert hips < 0
            facing += 1
        elif abs(view.azimuth) > 150:
            assert shoulders > 0
            assert hips > 0
            backs += 1
    assert facing >= 5
    assert backs >= 1


def test_coco_limbs_are_mpii_limbs(shots: list[Shot]) -> None:
    truth = shots[0].truth
    pairs = {5: 13, 6: 12, 7: 14, 8: 11, 9: 15, 10: 10, 11: 3, 12: 2, 13: 4, 14: 1, 15: 5, 16: 0}
    for coco, mpii in pairs.items():
        assert (truth.coco[coco] == truth.mpii[mpii]).all()
        assert truth.coco_visibility[coco] == truth.mpii_visibility[mpii]


def test_zero_is_the_centre_of_the_first_pixel() -> None:
    camera = Camera(position=np.zeros(3), rotation=np.eye(3), focal=10.0, cx=0.0, cy=0.0)
    seen, depth = camera.project(np.array([[0.0, 0.0, 2.0], [0.6, 0.4, 2.0]]))
    np.testing.assert_allclose(seen, [[0, 0], [3, 2]])
    np.testing.assert_allclose(depth, 2)
    fine, _ = camera.finer(2).project(np.array([[0.0, 0.0, 2.0], [0.6, 0.4, 2.0]]))
    np.testing.assert_allclose(fine, [[0.5, 0.5], [6.5, 4.5]])  # between the first two of the four fine pixels


def test_box_is_that_of_the_drawn_body(shots: list[Shot]) -> None:
    """Without clothes and scene, a body fills its box to a fraction of a pixel on all four sides."""
    margins = []
    for shot in shots:
        framing, skin = shot.scene.framing, shot.scene.person.meshes[0]
        if framing.truncated:
            continue
        screen, depth = framing.camera.finer(4).project(skin.points)
        corners = np.column_stack([screen, depth])
        _, triangle, _ = rasterise(corners, skin.faces, np.ones(len(corners)), size=4 * SIZE)
        rows, columns = np.nonzero(triangle >= 0)
        x, y, w, h = framing.box
        left, right, top, bottom = columns.min() / 4, (columns.max() + 1) / 4, rows.min() / 4, (rows.max() + 1) / 4
        margins.append([left - x, x + w - right, top - y, y + h - bottom])
    assert len(margins) > 20
    assert np.abs(margins).max() < 1
    assert np.abs(np.median(margins, axis=0)).max() < 0.2


def test_crop_is_the_padded_square_around_the_box(shots: list[Shot]) -> None:
    for shot in shots:
        x, y, w, h = shot.scene.framing.box
        assert max(w, h) * 1.25 == pytest.approx(SIZE)
        assert x + w / 2 == pytest.approx(SIZE / 2)
        assert y + h / 2 == pytest.approx(SIZE / 2)


def test_visibility_is_zero_just_where_the_photo_ends(shots: list[Shot]) -> None:
    beyond = 0
    for shot in shots:
        left, top, right, bottom = shot.scene.framing.photo
        x, y = shot.truth.mpii.T
        outside = (x < max(left, -0.5)) | (x >= min(right, SIZE - 0.5))
        outside |= (y < max(top, -0.5)) | (y >= min(bottom, SIZE - 0.5))
        assert ((shot.truth.mpii_visibility == 0) == outside).all()
        assert not shot.truth.segmentation[~photo_mask(shot.scene.framing, SIZE)].any()
        beyond += int(outside.sum())
        if not shot.scene.framing.truncated:
            assert not outside.any()
    assert beyond > 5


def test_image_is_black_beyond_the_photo() -> None:
    shot = next(
        shot
        for shot in (take_shot("val", index, size=48, padding=1.25) for index in range(60))
        if not photo_mask(shot.scene.framing, 48).all()
    )
    person = render_person("val", shot.seed[1], size=48)
    mask = photo_mask(shot.scene.framing, 48)
    assert (person.image[~mask] == 0).all()
    assert person.image[mask].mean() > 10


def test_head_size_is_six_tenths_of_the_diagonal() -> None:
    assert head_size(np.array([[1.0, 1.0], [4.0, 2.0], [2.0, 5.0]])) == pytest.approx(0.6 * 5 * HEAD_BOX)
    assert head_size(np.array([[10.0, 0.0], [10.0, 20.0]])) == pytest.approx(12 * HEAD_BOX)


def test_head_size_is_three_quarters_of_the_head_as_in_mpii() -> None:
    """In MPII upper neck and head top are 0.8 of the head box's diagonal apart, so 4/3 of a head size."""
    ratios = []
    for index in range(120):
        truth = take_shot("train", index, size=32, padding=1.25).truth
        if (truth.mpii_visibility[[8, 9]] > 0).all():
            ratios.append(np.hypot(*(truth.mpii[9] - truth.mpii[8])) / truth.head_size)
    assert len(ratios) >= 60
    assert np.median(ratios) == pytest.approx(4 / 3, abs=0.05)


def test_same_person_at_another_size_is_the_same_scene() -> None:
    small, large = (render_person("test", 3, size=size, nuisance=False) for size in (64, 128))
    np.testing.assert_allclose((small.mpii + 0.5) * 2, large.mpii + 0.5, atol=1e-3)
    assert small.head_size * 2 == pytest.approx(large.head_size)
    shrunk = large.image.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small.image).mean() < 8


def test_streams_differ_between_splits_and_people() -> None:
    images = [render_person(split, index, size=32).image for split in SPLITS for index in (0, 1)]
    assert len({image.tobytes() for image in images}) == 6


def test_rendering_again_gives_the_same_person() -> None:
    one, other = (render_person("train", 12345, size=32) for _ in range(2))
    assert (one.image == other.image).all()
    assert replace(one, image=other.image).factors == other.factors


REFERENCE = {
    ("train", 0): "f0d2e429fa41cfd1",
    ("train", 1): "47495a9f59e46aac",
    ("train", 10): "5dd9bc14ede75349",
    ("train", 500): "0bf47fec158f5d5c",
    ("train", 1234): "b817ca139163f51b",
    ("train", 99999): "85aa6b0eaf82b779",
    ("val", 0): "6c8cad7e78053f17",
    ("val", 1): "8a18d0101a60c90f",
    ("val", 10): "6cea06e62809c240",
    ("val", 250): "40526469dce3045c",
    ("val", 500): "54ee7f41a062f975",
    ("val", 750): "54856b6adf679813",
    ("val", 999): "2eef118375bdf460",
    ("test", 0): "fd984dec7f93ed76",
    ("test", 1): "337213b0d20b6368",
    ("test", 10): "5a3b87bf23cbcbc2",
    ("test", 250): "7114575ce9717818",
    ("test", 500): "85e9f4372ddb5c8e",
    ("test", 750): "7ba868e38d082f17",
    ("test", 999): "a676e0474662a11d",
}
"""First 16 hex digits of the sha256 of images of 64 pixels before the camera's noise and JPEG."""


_PRINT_HASHES = """
import hashlib
from robustpose.data.synthpose import render_person
for split, index in (("val", 10), ("test", 0), ("test", 250)):
    print(hashlib.sha256(render_person(split, index, size=64).image.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("processor", ["Haswell", "Sandybridge"])
def test_images_do_not_depend_on_how_another_processor_adds(processor: str) -> None:
    """These three differed between BLAS kernels while the renderer used BLAS."""
    kernels = {**os.environ, "OPENBLAS_CORETYPE": processor}
    command = [sys.executable, "-c", _PRINT_HASHES]
    found = subprocess.run(command, env=kernels, capture_output=True, text=True, check=True, timeout=300)
    here = (
        render_person(split, index, size=64).image for split, index in (("val", 10), ("test", 0), ("test", 250))
    )
    assert found.stdout.split() == [hashlib.sha256(image.tobytes()).hexdigest() for image in here]


def test_no_room_of_the_renderer_multiplies_through_blas() -> None:
    for path in Path(synthpose.__file__).parent.glob("*.py"):
        source = path.read_text()
        products = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.MatMult)]
        assert not products, path.name
        assert not re.search(r"np\.(dot|matmul|inner|vdot|tensordot|einsum)\(", source), path.name
        assert not re.search(r"linalg\.(?!norm\(.*axis=)", source), path.name


@pytest.mark.parametrize(("split", "index"), REFERENCE)
def test_reference_images(split: str, index: int) -> None:
    image = render_person(split, index, size=64, nuisance=False).image
    assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == REFERENCE[split, index]
