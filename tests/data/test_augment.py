from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from robustpose.data.augment import TrainingPeople, augmented, lower_body, training_people
from robustpose.geometry import Floats, inside
from robustpose.skeletons import COCO_17, MPII_16, Skeleton
from robustpose.types import Batch, PoseDataset

BODY = Skeleton(name="body", keypoints=("left_hand", "right_hand", "nose"), limbs=())
MARGIN = 1.25
SOURCE, CROP = (80, 100), (64, 80)
"""(H, W); the source is 1.25 times the crop."""
DRAWS = 150


def dotted(*, seed: int, n: int) -> TrainingPeople:
    """Black images with a soft dot at each keypoint: the left hand red, the right hand green, the nose blue."""
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
    """A data set that records the requested rows."""

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


def test_without_half_bodies_every_draw_is_as_it_was_before_there_were_any() -> None:
    people = dotted(seed=0, n=3)
    plain, asked = np.random.default_rng(5), np.random.default_rng(5)
    first = augmented(people, np.arange(3), input_size=CROP, generator=plain)
    second = augmented(people, np.arange(3), input_size=CROP, generator=asked, half_body=0.0)
    for ours, theirs in zip(first, second, strict=True):
        assert torch.equal(ours, theirs)
    golden = [[42.395973, 21.473192], [36.348663, 45.566483], [30.274314, 22.796106]]
    np.testing.assert_allclose(first[1][:, 0].numpy(), golden, atol=1e-4)
    assert float(first[0].sum()) == pytest.approx(221.183826, abs=0.01)
    assert plain.random() == asked.random() == pytest.approx(0.679181533021365)


SQUARE, WIDE = 64, 80
"""Sides of the crop and of the source of people who stand upright."""
LOWER = {"right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis"}
UPRIGHT = {
    "head_top": (40, 14),
    "upper_neck": (40, 22),
    "thorax": (40, 25),
    "pelvis": (40, 43),
    "right_shoulder": (33, 25),
    "right_elbow": (29, 33),
    "right_wrist": (27, 41),
    "left_shoulder": (47, 25),
    "left_elbow": (51, 33),
    "left_wrist": (54, 39),
    "right_hip": (36, 43),
    "right_knee": (34, 54),
    "right_ankle": (33, 66),
    "left_hip": (44, 43),
    "left_knee": (46, 55),
    "left_ankle": (48, 65),
}


def standing(*, seed: int, n: int, times: float = 1.0, unseen: Sequence[str] = ()) -> TrainingPeople:
    """Black images with a white dot at each keypoint of someone who stands, grown about the middle."""
    names = MPII_16.keypoints
    upright = np.array([UPRIGHT[name] for name in names], float)
    middle = (WIDE - 1) / 2
    noise = np.random.default_rng(seed).uniform(-1, 1, size=(n, len(names), 2))
    keypoints: Floats = middle + times * (upright + noise - middle)
    y, x = np.mgrid[:WIDE, :WIDE]
    distance2 = (x - keypoints[..., 0, None, None]) ** 2 + (y - keypoints[..., 1, None, None]) ** 2
    dots = 250 * np.exp(-distance2 / (2 * 1.0**2)).max(axis=1)  # (N, S, S)
    seen = np.array([name not in unseen for name in names])
    return TrainingPeople(
        images=np.repeat(dots[..., None], 3, axis=3).round().astype(np.uint8),
        keypoints=np.where(seen[:, None], keypoints, 0.0),
        visible=np.tile(seen, (n, 1)),
        skeleton=MPII_16,
        margin=MARGIN,
    )


def draw_upright(
    people: TrainingPeople, *, seed: int, half_body: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Draw everyone once: grey images (N, H, W), keypoints and visible with each hand the person's own again."""
    images, keypoints, visible = augmented(
        people,
        np.arange(len(people)),
        input_size=(SQUARE, SQUARE),
        generator=np.random.default_rng(seed),
        half_body=half_body,
    )
    own, seen = keypoints.double().numpy(), visible.numpy()
    for i, before in enumerate(people.keypoints):
        if residual(before, own[i]) > 1e-3:
            order = list(MPII_16.flip_order)
            own[i], seen[i] = own[i][order], seen[i][order]
            assert residual(before, own[i]) < 1e-3
    return images.double().mean(dim=1).numpy(), own, seen


def affine(before: Floats, after: Floats) -> Floats:
    """The map (3, 2) that takes one to the other, x and y and 1 to x and y."""
    return np.asarray(np.linalg.lstsq(np.column_stack([before, np.ones(len(before))]), after)[0], float)


def residual(before: Floats, after: Floats) -> float:
    return float(np.abs(np.column_stack([before, np.ones(len(before))]) @ affine(before, after) - after).max())


@dataclass(frozen=True)
class Closing:
    """The zoom, offsets and extents of one draw, for one person.

    zoom     crop pixels for each pixel of the source
    off      distances from the crop's centre to the centres of the image, of its upper and of its lower half
    extents  of the upper and the lower half in source pixels
    """

    zoom: float
    off: Floats
    extents: Floats


def closings(people: TrainingPeople, drawn: Floats) -> list[Closing]:
    lower = np.array([name in LOWER for name in MPII_16.keypoints])
    found = []
    for before, seen, after in zip(people.keypoints, people.visible, drawn, strict=True):
        matrix = affine(before, after)
        boxes = [(half.min(axis=0), half.max(axis=0)) for half in (before[seen & ~lower], before[seen & lower])]
        middles = np.array([[(WIDE - 1) / 2] * 2, *((low + high) / 2 for low, high in boxes)])
        away = np.column_stack([middles, np.ones(3)]) @ matrix - (SQUARE - 1) / 2
        found.append(
            Closing(
                zoom=float(np.sqrt(abs(np.linalg.det(matrix[:2])))),
                off=np.abs(away).max(axis=1),
                extents=np.array([(high - low).max() for low, high in boxes]),
            )
        )
    return found


SHIFT = 0.04 * SQUARE + 1e-3
TURN = 2**0.25 + 1e-4
"""The most that shift and scale of whole bodies do."""


@pytest.mark.slow
@pytest.mark.parametrize(("times", "zoom"), [(1.0, None), (0.4, 2.0), (2.2, 1.0)])
def test_a_crop_closes_in_on_the_upper_or_the_lower_body(times: float, zoom: float | None) -> None:
    """Half a body fills two thirds of the crop, but is zoomed at most twice and never made smaller."""
    people = standing(seed=0, n=200, times=times)
    images, drawn, visible = draw_upright(people, seed=1, half_body=1.0)
    found = closings(people, drawn)
    upper = np.array([each.off[1] <= SHIFT for each in found])
    lower = np.array([each.off[2] <= SHIFT for each in found])
    assert (upper != lower).all()
    assert 0.4 < upper.mean() < 0.6
    zooms = np.array([each.zoom for each in found])
    assert zooms.max() <= 2 * TURN
    assert zooms.min() >= 1 / TURN
    wanted = np.array(
        [zoom or SQUARE / (1.5 * each.extents[int(low)]) for each, low in zip(found, lower, strict=True)]
    )
    assert (np.abs(np.log2(zooms / wanted)) <= 0.25 + 1e-4).all()
    assert np.log2(zooms / wanted).std() > 0.1, "the scale is still drawn"
    assert (visible == inside(drawn, (SQUARE, SQUARE))).all()
    if times <= 1:
        below = np.array([name in LOWER for name in MPII_16.keypoints])
        chosen = np.where(lower[:, None], below, ~below)
        assert visible[chosen].mean() > 0.99
    if times == 1:
        assert visible[~chosen].mean() < 0.75, "the other half leaves the crop in part"
        columns, rows = drawn[visible].round().astype(int).clip(0, SQUARE - 1).T
        people_of = np.nonzero(visible)[0]
        assert images[people_of, rows, columns].min() > 0.3 > 3 * images.mean(), "a dot lies at each keypoint"


@pytest.mark.slow
def test_half_bodies_have_the_share_that_was_asked_for() -> None:
    people = standing(seed=0, n=300)
    _, drawn, _ = draw_upright(people, seed=1, half_body=0.3)
    whole = np.array([each.off[0] <= SHIFT for each in closings(people, drawn)])
    halved = np.array([each.off[1:].min() <= SHIFT for each in closings(people, drawn)])
    assert (whole != halved).all()
    assert 0.22 < halved.mean() < 0.38


HEAD = ("head_top", "upper_neck", "thorax")
LEFT_ARM = ("left_shoulder", "left_elbow", "left_wrist")
RIGHT_ARM = ("right_shoulder", "right_elbow", "right_wrist")
LEFT_LEG = ("left_hip", "left_knee", "left_ankle")


@pytest.mark.parametrize(
    ("unseen", "halved"),
    [
        (("head_top", "left_wrist"), True),
        ((*LEFT_ARM, *LEFT_LEG, "pelvis"), True),
        ((*LEFT_ARM, *LEFT_LEG, "pelvis", "thorax"), False),
        ((*RIGHT_ARM, *LEFT_ARM), True),
        ((*RIGHT_ARM, *LEFT_ARM, "head_top"), False),
        ((*LEFT_LEG, "pelvis"), True),
        ((*LEFT_LEG, "pelvis", "right_knee"), False),
    ],
    ids=["two unseen", "9 of 16", "8 of 16", "3 above", "2 above", "3 below", "2 below"],
)
def test_someone_mostly_unseen_is_drawn_whole(unseen: tuple[str, ...], halved: bool) -> None:
    people = standing(seed=0, n=60, unseen=unseen)
    _, drawn, visible = draw_upright(people, seed=1, half_body=1.0)
    assert not visible[:, [MPII_16.index(name) for name in unseen]].any()
    for each in closings(people, drawn):
        assert (each.off[0] <= SHIFT) == (not halved)
        assert (each.off[1:].min() <= SHIFT) == halved, "the middle is that of the keypoints that are seen"
        assert halved or 1 / TURN <= each.zoom <= TURN


def test_the_lower_body_begins_at_the_pelvis() -> None:
    expected = {"left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"}
    for skeleton, names in ((MPII_16, {*expected, "pelvis"}), (COCO_17, expected)):
        rows = np.nonzero(lower_body(skeleton))[0]
        assert {skeleton.keypoints[row] for row in rows} == names
    assert lower_body(MPII_16).tolist() == [True] * 7 + [False] * 9
    assert lower_body(COCO_17).tolist() == [False] * 11 + [True] * 6
    assert not lower_body(BODY).any()
