"""Crops cut wrongly: where things land, how far boxes overlap, what lies beyond."""

from dataclasses import replace

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.faults import FAULTS, IMPERCEPTIBLE, Level, OnCut, check_level, fault_named
from robustpose.faults.cutting import Cutting, overlap
from robustpose.geometry import box_crop, crop_image, crop_points
from tests.data.files import noise

BOX = (10.2, 8.0, 26.0, 30.0)
RIGHT = Cutting(box=BOX, input_size=(24, 20))
CUTS = [(name, level) for name, spec in {**FAULTS, **IMPERCEPTIBLE}.items() for level in spec.levels]
CUTS = [(name, level) for name, level in CUTS if isinstance(fault_named(name).act, OnCut)]


def cut(name: str, level: Level, seed: int = 0, right: Cutting = RIGHT) -> Cutting:
    act = fault_named(name).act
    assert isinstance(act, OnCut)
    return act.change(right, level, np.random.default_rng(seed))


def test_the_right_way_is_that_of_every_data_set() -> None:
    crop = box_crop(BOX, input_size=(24, 20))
    assert np.array_equal(RIGHT.crop, crop)
    assert np.array_equal(RIGHT.cut(noise()), crop_image(noise(), crop, input_size=(24, 20)))


@pytest.mark.parametrize("level", FAULTS["box-jitter"].levels)
def test_a_jittered_box_overlaps_as_far_as_it_says(level: float) -> None:
    boxes = [cut("box-jitter", level, seed).box for seed in range(20)]
    assert [overlap(BOX, box) for box in boxes] == pytest.approx([level] * 20, abs=1e-6)
    assert len({round(box[0], 6) for box in boxes}) == 20, "each draw is an error of its own"
    wider, taller = (np.array([box[side] / BOX[side] for box in boxes]) for side in (2, 3))
    assert (wider > 1).any() and (wider < 1).any() and (taller > 1).any() and (taller < 1).any()


def test_stronger_levels_go_further_in_the_same_direction() -> None:
    near, far = (np.array(cut("box-shift", level).box) - BOX for level in (0.1, 0.3))
    assert far == pytest.approx(3 * near)
    assert np.hypot(*near[:2]) == pytest.approx(0.1 * 30)
    assert near[2:] == pytest.approx([0, 0])
    scaled = cut("box-scale", 1.5).box
    assert scaled == pytest.approx((10.2 - 6.5, 8.0 - 7.5, 39.0, 45.0))


def test_a_scaled_box_is_another_padding() -> None:
    padded = replace(RIGHT, padding=1.0)
    assert cut("box-scale", 0.8).crop == pytest.approx(padded.crop)


@pytest.mark.parametrize(("name", "level"), CUTS)
def test_the_map_of_a_crop_says_where_its_pixels_come_from(name: str, level: Level) -> None:
    """A bright spot of the photo lies where the map sends it."""
    point = np.array([[22.0, 24.0]])
    y, x = np.mgrid[:48, :64]
    spot = np.exp(-((x - 22.0) ** 2 + (y - 24.0) ** 2) / (2 * 2.5**2))
    photo = np.repeat((200 * spot).round().astype(np.uint8)[..., None], 3, axis=2)
    cutting = replace(cut(name, level), input_size=(60, 72))
    seen = cutting.cut(photo)[..., 0].astype(float)
    if level == "white":
        seen[seen > 210] = 0  # beyond the photo
    seen[seen == 114] = 0
    rows, columns = np.mgrid[:60, :72]
    centre = [(seen * columns).sum() / seen.sum(), (seen * rows).sum() / seen.sum()]
    assert crop_points(point, cutting.crop)[0] == pytest.approx(centre, abs=0.6)


def test_quarter_turns_by_hand() -> None:
    """A square box: turned clockwise by 90 degrees, what was on the left is on top."""
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[2:6, 2:6, 0] = np.arange(1, 17).reshape(4, 4)
    right = Cutting(box=(2.0, 2.0, 4.0, 4.0), input_size=(4, 4), padding=1.0)
    for level, times in ((90.0, -1), (180.0, 2), (270.0, 1)):
        turned = cut("orientation", level, right=right).cut(photo)[..., 0]
        assert turned.tolist() == np.rot90(photo[2:6, 2:6, 0], times).tolist()


def test_a_quarter_turn_swaps_the_sides_of_a_box() -> None:
    """A lying box of a turned photo fills the crop as the upright one does."""
    right = Cutting(box=(4.0, 20.0, 40.0, 10.0), input_size=(20, 80), padding=1.0)
    upright, lying = right.crop, cut("orientation", 90.0, right=right).crop
    assert upright[0, 0] == pytest.approx(2.0)
    assert np.abs(lying[:, :2]) == pytest.approx(np.array([[0, 0.5], [0.5, 0]]), abs=1e-12)


def test_what_is_beside_and_beyond() -> None:
    photo = np.full((20, 20, 3), 60, np.uint8)
    right = Cutting(box=(-5.0, 5.0, 10.0, 20.0), input_size=(20, 20), padding=1.0)
    seen = {level: cut("border", level, right=right).cut(photo) for level in FAULTS["border"].levels}
    # The crop spans photo columns -10 to 9 and rows 5 to 24: its top left is beyond the photo, its right is not.
    assert {level: seen[level][0, 0].tolist() for level in seen} == {
        "grey": [114] * 3,
        "edge": [60] * 3,
        "white": [255] * 3,
    }
    assert all(crop[0, 19].tolist() == [60] * 3 for crop in seen.values())
    bars = cut("aspect", "black bars", right=replace(right, box=(5.0, 5.0, 5.0, 10.0))).cut(photo)[10, :, 0]
    assert bars.tolist() == [0] * 5 + [60] * 10 + [0] * 5
    stretched = cut("aspect", "stretched", right=replace(right, box=(5.0, 5.0, 5.0, 10.0))).crop
    assert stretched[:, :2].tolist() == [[4.0, 0.0], [0.0, 2.0]]


def test_filters_between_pixels() -> None:
    """Halving columns of 0 and 200 by turns: the nearest gives one of them, the area's mean 100."""
    photo = np.zeros((16, 16, 3), np.uint8)
    photo[:, ::2] = 200
    right = Cutting(box=(0.0, 0.0, 16.0, 16.0), input_size=(4, 4), padding=1.0)
    assert (cut("resize-filter", "area", right=right).cut(photo) == 100).all()
    assert set(np.unique(cut("resize-filter", "nearest", right=right).cut(photo))) <= {0, 200}
    smooth = np.repeat(np.linspace(0, 240, 16).astype(np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    larger = Cutting(box=(4.0, 4.0, 8.0, 8.0), input_size=(32, 32), padding=1.0)
    for level in ("cubic", "lanczos"):
        apart = np.abs(cut("resize-filter", level, right=larger).cut(smooth).astype(int) - larger.cut(smooth))
        assert apart.max() <= 4, "on a ramp every filter between pixels is nearly linear"


def test_a_sub_pixel_shift_is_less_than_it_says() -> None:
    shifts = [cut("sub-pixel", 0.5, seed).crop[:, 2] - RIGHT.crop[:, 2] for seed in range(50)]
    assert 0.4 < np.abs(shifts).max() < 0.5
    assert np.mean(shifts) == pytest.approx(0, abs=0.15)


def test_what_a_fault_does_not_have() -> None:
    with pytest.raises(RobustPoseError, match="unknown fault 'box-jiter'; did you mean 'box-jitter'"):
        fault_named("box-jiter")
    with pytest.raises(RobustPoseError, match=r"fault box-jitter has the levels 0.95, .*, got 0.3"):
        check_level("box-jitter", 0.3)
    with pytest.raises(
        RobustPoseError, match="unknown level of fault aspect 'stretchd'; did you mean 'stretched'"
    ):
        cut("aspect", "stretchd")
    with pytest.raises(RobustPoseError, match="fault orientation: a level must be a number, got 'left'"):
        cut("orientation", "left")
