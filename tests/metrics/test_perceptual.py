import math

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from robustpose.errors import RobustPoseError
from robustpose.metrics import gmsd, psnr, ssim
from robustpose.metrics.perceptual import Pixels, luma


def flat(level: int, *, side: int = 16) -> Pixels:
    return np.full((1, side, side, 3), level, np.uint8)


def noisy(*, by: int, side: int = 32) -> tuple[Pixels, Pixels]:
    """One smooth image, and the same with every value moved by up to `by` levels."""
    generator = np.random.default_rng(0)
    rough = generator.integers(40, 216, size=(side, side, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(rough, (5, 5), 0), np.uint8)[None]
    noise = generator.integers(-by, by + 1, size=smooth.shape)
    return smooth, (smooth.astype(int) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("level", "decibels"), [(1, 48.1308), (8, 30.0690), (255, 0.0)])
def test_psnr_of_an_image_whose_every_value_moves(level: int, decibels: float) -> None:
    assert psnr(flat(0), flat(level))[0] == pytest.approx(decibels, abs=1e-4)


def test_psnr_pools_pixels_and_channels() -> None:
    changed = flat(10)
    changed[:, :8, :, 0] = 16  # a sixth of the values moves by 6: mean squared error 6
    assert psnr(flat(10), changed)[0] == pytest.approx(10 * math.log10(255**2 / 6))


def test_equal_images() -> None:
    picture, _ = noisy(by=0)
    assert psnr(picture, picture)[0] == math.inf
    assert ssim(picture, picture)[0] == pytest.approx(1.0, abs=1e-12)
    assert gmsd(picture, picture)[0] == 0.0


def test_psnr_does_not_wrap_around_in_eight_bits() -> None:
    assert psnr(flat(250), flat(5))[0] == psnr(flat(5), flat(250))[0] == pytest.approx(20 * math.log10(255 / 245))


def test_ssim_of_flat_images_is_their_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(flat(100), flat(120))[0] == pytest.approx(expected, abs=1e-9)


def test_ssim_of_one_window_by_its_definition() -> None:
    before, after = (picture[:, :11, :11] for picture in noisy(by=20))
    from_centre = np.arange(-5, 6) ** 2
    weights = np.exp(-(from_centre[:, None] + from_centre) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = luma(before[0]), luma(after[0])
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_x * mean_y + c1) * (2 * (weights * (x - mean_x) * (y - mean_y)).sum() + c2)
    expected /= mean_x**2 + mean_y**2 + c1
    expected /= (weights * (x - mean_x) ** 2).sum() + (weights * (y - mean_y) ** 2).sum() + c2
    assert ssim(before, after)[0] == pytest.approx(expected, abs=1e-9)


def test_ssim_agrees_with_scipys_windows() -> None:
    before, after = noisy(by=20, side=40)
    x, y = luma(before[0]), luma(after[0])

    def windowed(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, 1.5, radius=5))[5:-5, 5:-5]

    mean_x, mean_y = windowed(x), windowed(y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * (windowed(x * y) - mean_x * mean_y) + c2)
    variances = windowed(x * x) - mean_x**2 + windowed(y * y) - mean_y**2
    expected = (numerator / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))).mean()
    assert ssim(before, after)[0] == pytest.approx(expected, abs=1e-9)


def test_gmsd_by_hand() -> None:
    """Halved, a 2 x 2 corner of 39 is one cell of 39, and Prewitt's gradients are 0, 13, 13 and 13 root 2."""
    before, after = flat(0, side=4), flat(0, side=4)
    after[:, :2, :2] = 39
    similarity = [1.0, 170 / (169 + 170), 170 / (169 + 170), 170 / (338 + 170)]
    assert gmsd(before, after)[0] == pytest.approx(np.std(similarity, ddof=1), abs=1e-12)


def test_more_noise_is_further_away() -> None:
    before, little = noisy(by=4)
    _, much = noisy(by=32)
    assert psnr(before, little) > psnr(before, much)
    assert ssim(before, little) > ssim(before, much)
    assert gmsd(before, little) < gmsd(before, much)


def test_images_are_compared_one_by_one() -> None:
    before, after = noisy(by=8)
    both = np.concatenate([after, before])
    for compare in (psnr, ssim, gmsd):
        assert compare(np.concatenate([before, before]), both).tolist() == [
            compare(before, after)[0],
            compare(before, before)[0],
        ]
        assert compare(before[:0], after[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (flat(0), flat(0, side=12), "of one shape"),
        (flat(0), flat(0)[0], "uint8"),
        (flat(0).astype(float), flat(0).astype(float), "uint8"),
        (flat(0, side=8), flat(0, side=8), "at least 11 x 11"),
    ],
)
def test_wrong_images(before: Pixels, after: Pixels, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        ssim(before, after)
