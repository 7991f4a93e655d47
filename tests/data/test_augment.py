from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from robustpose.data.augment import TrainingPeople, augmented, training_people
from robustpose.geometry import Floats, inside
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseDataset

BODY = Skeleton(name="body", keypoints=("left_hand", "right_hand", "nose"), limbs=())
MARGIN = 1.25
SOURCE, CROP = (80, 100), (64, 80)
"""(H, W); the source is 1.25 times the crop."""
DRAWS = 150


def dotted(*, seed: int, n: int) -> TrainingPeople:
    """Black pictures with a soft dot at each keypoint: the left hand red, the right hand green, the nose blue."""
    generator = np.random.default_rng(seed)
    centre = (np.array([SOURCE[1], SOURCE[0]]) - 1) / 2
    keypoints: Floats = centre + generator.uniform(-14, 14, size=(n, 3, 2))
    y, x = np.mgrid[: SOURCE[0], : SOURCE[1]]
    distance2 = (x - keypoints[..., 0, None, None]) ** 2 + (y - keypoints[..., 1, None, None]) ** 2
    dots = 250 * np.exp(-distance2 / (2 * 2.0**2))  # (N, 3, S, S)
    return TrainingPeople(
        images=dots.transpose(0, 2, 3, 1).round().astype(np.uint8),
        keypoints=keypoints,
        visible=np.ones((n, 3), bool),
        skeleton=BODY,
        margin=MARGIN,
    )


def draw(people: TrainingPeople, *, seed: int, rows: Sequence[int] | None = None) -> tuple[Floats, Floats, Floats]:
    index = np.arange(len(people)) if rows is None else np.array(rows)
    images, keypoints, visible = augmented(people, index, input_size=CROP, generator=np.random.default_rng(seed))
    assert images.dtype == keypoints.dtype == torch.float32
    assert visible.dtype == torch.bool
    assert images.shape == (len(index), 3, *CROP)
    return images.double().numpy(), keypoints.double().numpy(), visible.numpy()


def centroids(picture: Floats) -> Floats:
    """Where the red, green and blue dots are (3, 2)."""
    y, x = np.mgrid[: CROP[0], : CROP[1]]
    mass = picture.sum(axis=(1, 2))
    return np.stack([(picture * x).sum(axis=(1, 2)) / mass, (picture * y).sum(axis=(1, 2)) / mass], axis=1)


def turn(points: Floats) -> float:
    """Twice the signed area of a triangle: a mirror changes its sign, scale, rotation and shift do not."""
    (ax, ay), (bx, by) = points[1] - points[0], points[2] - points[0]
    return float(ax * by - ay * bx)


def test_dots_are_found_at_their_keypoints_and_a_flip_swaps_left_and_right() -> None:
    people = dotted(seed=0, n=DRAWS)
    images, keypoints, visible = draw(people, seed=1)
    flips = 0
    for i in range(DRAWS):
        found = centroids(images[i])
        mirrored = turn(found) * turn(people.keypoints[i]) < 0
        expected = found[[1, 0, 2]] if mirrored else found
        np.testing.assert_allclose(keypoints[i], expected, atol=0.25)
        flips += mirrored
    assert visible.all()
    assert 0.35 * DRAWS < flips < 0.65 * DRAWS


def test_the_ranges_are_those_of_the_paper() -> None:
    people = dotted(seed=0, n=1)
    white = replace(people, images=np.full_like(people.images, 255))
    rows = [0] * 600
    images, keypoints, _ = draw(white, seed=2, rows=rows)
    lengths = np.linalg.norm(keypoints[:, 1] - keypoints[:, 0], axis=1)
    scales = lengths / np.linalg.norm(people.keypoints[0, 1] - people.keypoints[0, 0])
    assert (scales >= 2**-0.25 - 1e-4).all()
    assert (scales <= 2**0.25 + 1e-4).all()
    assert scales.min() < 0.87
    assert scales.max() > 1.16
    colours = images[:, :, CROP[0] // 2, CROP[1] // 2]
    assert colours.min() >= 0.6 - 1e-6
    assert colours.max() <= 1.0 + 1e-6
    assert colours.mean() == pytest.approx(0.8, abs=0.02)
    assert np.abs(np.corrcoef(colours.T) - np.eye(3)).max() < 0.15, "channels are drawn apart"
    angles = rotations(people, keypoints)
    assert np.abs(angles).max() <= 30.01
    turned = np.abs(angles) > 0.01
    assert turned.mean() == pytest.approx(0.4, abs=0.08)
    assert np.abs(angles).max() > 25


def test_the_middle_stays_in_the_middle_but_for_a_small_shift() -> None:
    people = dotted(seed=0, n=1)
    middle = np.array([(SOURCE[1] - 1) / 2, (SOURCE[0] - 1) / 2])
    people = replace(people, keypoints=np.tile(middle, (1, 3, 1)))
    _, keypoints, _ = draw(people, seed=4, rows=[0] * 600)
    shifts = keypoints[:, 0] - (np.array([CROP[1], CROP[0]]) - 1) / 2
    assert np.abs(shifts).max() <= 0.04 * CROP[1] + 1e-3
    assert np.abs(shifts.mean(axis=0)).max() < 0.3
    assert (shifts.std(axis=0) > 1).all()


def rotations(people: TrainingPeople, keypoints: Floats) -> Floats:
    """The angle of each draw in degrees, the smaller of what it is with and without a flip."""
    before = people.keypoints[0, 1] - people.keypoints[0, 0]
    after = keypoints[:, 1] - keypoints[:, 0]
    plain = np.degrees(np.arctan2(after[:, 1], after[:, 0]) - np.arctan2(before[1], before[0]))
    # Flipped, the hands have changed places: the vector between them keeps x and turns y round.
    mirror = np.degrees(np.arctan2(after[:, 1], after[:, 0]) - np.arctan2(-before[1], before[0]))
    wrapped = [(angle + 180) % 360 - 180 for angle in (plain, mirror)]
    smaller: Floats = np.where(np.abs(wrapped[0]) < np.abs(wrapped[1]), wrapped[0], wrapped[1])
    return smaller


def test_keypoints_outside_are_no_longer_visible() -> None:
    people = dotted(seed=0, n=1)
    corners = np.array([[[2.0, 2.0], [SOURCE[1] - 3.0, 5.0], [49.5, 39.5]]])
    people = replace(people, keypoints=corners)
    _, keypoints, visible = draw(people, seed=3, rows=[0] * 200)
    within = inside(keypoints, CROP)
    assert (visible == within).all()
    assert within[:, 2].all()
    assert 0 < (~within[:, :2]).mean() < 1
    unlabelled = replace(people, visible=np.array([[True, True, False]]))
    assert not draw(unlabelled, seed=3, rows=[0] * 200)[2][:, 2].any()


def test_an_unlabelled_hand_stays_the_same_hand_in_the_mirror() -> None:
    people = dotted(seed=0, n=DRAWS)
    people = replace(people, visible=np.tile([False, True, True], (DRAWS, 1)))
    images, _, visible = draw(people, seed=1)
    for i in range(DRAWS):
        mirrored = turn(centroids(images[i])) * turn(people.keypoints[i]) < 0
        assert visible[i].tolist() == ([True, False, True] if mirrored else [False, True, True])


def test_the_generator_decides_everything() -> None:
    people = dotted(seed=0, n=6)
    kept = people.images.copy(), people.keypoints.copy()
    first, again, other = draw(people, seed=5), draw(people, seed=5), draw(people, seed=6)
    for mine, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(mine, same)
    assert (first[0] != other[0]).any()
    assert (people.images == kept[0]).all()
    assert (people.keypoints == kept[1]).all()
    subset = draw(people, seed=5, rows=[0, 1])
    np.testing.assert_array_equal(subset[0], first[0][:2])


class Counted:
    """A data set that remembers what it was asked for."""

    name, fingerprint, skeleton = "counted", "0", BODY
    left_out: tuple[str, ...] = ()

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: list[tuple[tuple[int, int], float, int]] = []

    has_head_sizes = True

    def content(self, rows: Sequence[int]) -> str:
        return ""

    def __len__(self) -> int:
        return self.n

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        self.asked.append((input_size, padding, len(rows)))
        levels: NDArray[np.int64] = np.array(rows) % 256
        n = len(rows)
        return Batch(
            images=torch.from_numpy(np.tile(levels[:, None, None, None], (1, 3, *input_size))).float() / 255,
            keypoints=torch.tensor(list(rows)).float()[:, None, None].expand(n, 3, 2),
            visible=torch.ones(n, 3, dtype=torch.bool),
            head_size=torch.ones(n),
            box_side=torch.ones(n),
            crops=torch.zeros(n, 2, 3, dtype=torch.float64),
            ids=tuple(map(str, rows)),
            skeleton=BODY,
        )


def test_people_are_loaded_with_a_margin_in_order_and_to_the_level() -> None:
    dataset = Counted(700)
    opened: PoseDataset = dataset
    people = training_people(opened, rows=range(100, 700), input_size=(8, 16), margin=1.25)
    assert len(people) == 600
    assert people.images.shape == (600, 10, 20, 3)
    assert people.images.dtype == np.uint8
    assert (people.images[:, 4, 5, 1] == np.arange(100, 700) % 256).all()
    assert (people.keypoints[:, 1, 0] == np.arange(100, 700)).all()
    assert people.visible.all()
    assert {(size, padding) for size, padding, _ in dataset.asked} == {((10, 20), 1.25 * 1.25)}
    assert sum(count for _, _, count in dataset.asked) == 600
