"""Pixels as cameras, displays and video decoders leave them, by hand."""

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.faults import FAULTS, IMPERCEPTIBLE, Level, OnCrop, OnPhoto
from robustpose.geometry import Pixels
from robustpose.metrics import psnr
from tests.data.files import noise


def changed(name: str, level: Level, pixels: Pixels, seed: int = 0) -> Pixels:
    act = {**FAULTS, **IMPERCEPTIBLE}[name].act
    assert isinstance(act, OnPhoto | OnCrop)
    before = pixels.copy()
    made = act.change(pixels, level, np.random.default_rng(seed))
    assert np.array_equal(pixels, before), "the argument is written into"
    assert made.dtype == np.uint8
    assert made.shape == pixels.shape
    return made


def ramp() -> Pixels:
    return np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


@pytest.mark.parametrize("level", FAULTS["colour-bits"].levels)
def test_few_bits_are_few_colours_over_the_whole_range(level: float) -> None:
    seen = np.unique(changed("colour-bits", level, ramp()))
    assert len(seen) == 2**level
    assert (seen[0], seen[-1]) == (0, 255)


def test_four_bits_by_hand() -> None:
    pixels = np.array([[[0, 15, 16], [127, 128, 255]]], np.uint8)
    assert changed("colour-bits", 4.0, pixels).tolist() == [[[0, 0, 17], [119, 136, 255]]]


def test_video_levels_by_hand() -> None:
    pixels = np.array([[[0, 16, 128], [235, 250, 255]]], np.uint8)
    assert changed("video-range", "washed out", pixels).tolist() == [[[16, 30, 126], [218, 231, 235]]]
    assert changed("video-range", "crushed", pixels).tolist() == [[[0, 0, 130], [255, 255, 255]]]


@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 90)])
def test_a_camera_leaves_a_flat_colour(colour: tuple[int, int, int]) -> None:
    """Were the mosaic read in another pattern than it was written, red would turn out blue."""
    flat = np.full((31, 45, 3), colour, np.uint8)
    assert np.abs(changed("camera-jpeg", 95.0, flat).astype(int) - flat).max() <= 3


def test_a_camera_moves_nothing() -> None:
    """A bright square stays where it is, on odd and on even places."""
    for top, left in ((10, 20), (11, 21)):
        photo = np.full((33, 47, 3), 30, np.uint8)
        photo[top : top + 8, left : left + 8] = 220
        seen = changed("camera-jpeg", 95.0, photo)[..., 1].astype(float) - 30
        rows, columns = np.mgrid[:33, :47]
        weight = np.where(seen > 60, seen, 0)
        centre = (weight * rows).sum() / weight.sum(), (weight * columns).sum() / weight.sum()
        assert centre == pytest.approx((top + 3.5, left + 3.5), abs=0.4)


def test_lower_quality_is_farther_from_the_photo() -> None:
    distances = [
        float(psnr(noise()[None], changed("camera-jpeg", level, noise())[None])[0]) for level in (95.0, 50.0, 15.0)
    ]
    assert distances[0] > distances[1] > distances[2]


def test_noise_of_one_level() -> None:
    flat = np.full((40, 40, 3), 100, np.uint8)
    steps = changed("noise", 1.0, flat).astype(int) - 100
    assert [round(float((steps == step).mean()), 1) for step in (-1, 0, 1)] == [0.3, 0.3, 0.3]
    assert not np.array_equal(steps, changed("noise", 1.0, flat, seed=1).astype(int) - 100)
    for end in (0, 255):
        assert set(np.unique(changed("noise", 1.0, np.full((9, 9, 3), end, np.uint8)))) == {end, abs(end - 1)}


def test_levels_that_cannot_be() -> None:
    with pytest.raises(RobustPoseError, match="a colour has 1 to 8 bits, got 9"):
        changed("colour-bits", 9.0, ramp())
    with pytest.raises(RobustPoseError, match="a JPEG quality is 1 to 100, got 0"):
        changed("camera-jpeg", 0.0, ramp())
    with pytest.raises(RobustPoseError, match="unknown level of fault video-range 'washed'"):
        changed("video-range", "washed", ramp())
