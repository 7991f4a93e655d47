"""Filters: images typed by hand, and scipy's filters as a second opinion."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from robustpose.defences import DEFENCES
from robustpose.defences.smoothing import box, gaussian, median
from robustpose.errors import RobustPoseError
from robustpose.findings.defences import SMOOTHING
from robustpose.models.heads import CoordinateHead
from robustpose.types import PoseOutput
from tests.conftest import TRIO

SIZE = (9, 14)


class Echo(nn.Module):
    """Returns its input images."""

    skeleton, input_size, head = TRIO, SIZE, CoordinateHead(input_size=SIZE)

    def forward(self, images: Tensor) -> PoseOutput:
        empty = images.new_zeros(len(images), 3)
        return PoseOutput(keypoints=empty[..., None].expand(-1, -1, 2), scores=empty, stages=(images,))


def seen(name: str) -> Callable[[Tensor], Tensor]:
    """The images that a defended model receives."""
    model = DEFENCES[name].make(Echo())
    return lambda images: model(images).stages[0]


FILTERS = {name: seen(name) for name in SMOOTHING}


def pictures(n: int = 3, *, levels: tuple[int, int] = (0, 255), seed: int = 0) -> Tensor:
    drawn = np.random.default_rng(seed).integers(levels[0], levels[1] + 1, size=(n, 3, *SIZE))
    return torch.from_numpy(drawn).float() / 255


def typed(rows: list[list[float]]) -> Tensor:
    """An image whose red channel is typed, green and blue black."""
    picture = torch.zeros(1, 3, len(rows), len(rows[0]))
    picture[0, 0] = torch.tensor(rows)
    return picture


def red(picture: Tensor) -> Tensor:
    assert (picture[:, 1:] == 0).all(), "a channel leaks into another"
    return picture[0, 0]


def test_the_registry_holds_the_papers_defences() -> None:
    assert set(DEFENCES) > {"flip", "box3", "box5", "gaussian1", "gaussian2", "median3", "median5"}


def test_a_box_by_hand() -> None:
    """The corner counts four times in its own window and twice in its neighbours'."""
    filtered = red(box(typed([[0.9, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), size=3))
    torch.testing.assert_close(filtered, torch.tensor([[0.4, 0.2, 0.0], [0.2, 0.1, 0.0], [0.0, 0.0, 0.0]]))


def test_a_box_of_five_by_hand() -> None:
    filtered = red(box(typed([[0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]]), size=5))
    torch.testing.assert_close(filtered, torch.tensor([[0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0]]))


def test_a_gaussian_by_hand() -> None:
    """exp(-x^2 / 2) at 0 to 3 is 1, 0.60653, 0.13534, 0.01111: divided by 2.50595."""
    filtered = red(gaussian(typed([[0.0] * 4 + [1.0] + [0.0] * 4]), sigma=1.0))
    half = [0.3990503, 0.2420362, 0.0540056, 0.0044330, 0.0]
    torch.testing.assert_close(filtered, torch.tensor([half[:0:-1] + half]), rtol=0, atol=1e-6)


def test_a_gaussian_at_the_border_by_hand() -> None:
    """The first pixel stands also for the three left of it: 0.39905 + 0.24204 + 0.05401 + 0.00443."""
    filtered = red(gaussian(typed([[1.0, 0.0, 0.0, 0.0, 0.0]]), sigma=1.0))
    expected = [0.6995252, 0.3004748, 0.0584386, 0.0044330, 0.0]
    torch.testing.assert_close(filtered, torch.tensor([expected]), rtol=0, atol=1e-6)


def test_a_median_by_hand() -> None:
    """In the corner's window the corner counts four times and its neighbour twice: six of nine."""
    filtered = red(median(typed([[0.9, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), size=3))
    assert filtered.tolist()[0] == pytest.approx([0.5, 0.0, 0.0])
    assert filtered[1:].abs().max() == 0


@pytest.mark.parametrize("size", [3, 5])
def test_a_median_ignores_one_outlier(size: int) -> None:
    picture = torch.full((1, 3, *SIZE), 0.25)
    for row, column in ((4, 6), (0, 5)):
        spoilt = picture.clone()
        spoilt[0, :, row, column] = 1.0
        assert torch.equal(median(spoilt, size=size), picture)
        assert not torch.equal(box(spoilt, size=size), picture)


@pytest.mark.parametrize("value", [0.0, 0.3, 100 / 255, 1.0])
@pytest.mark.parametrize("name", FILTERS)
def test_a_image_of_one_colour_stays_as_it_is(name: str, value: float) -> None:
    picture = torch.full((2, 3, *SIZE), value)
    torch.testing.assert_close(FILTERS[name](picture), picture, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["box3", "box5", "gaussian1", "gaussian2"])
def test_the_weights_sum_to_one(name: str) -> None:
    impulse = torch.zeros(1, 3, 31, 31)
    impulse[0, :, 15, 15] = 1.0
    spread = FILTERS[name](impulse)
    torch.testing.assert_close(spread.sum(dim=(2, 3)), torch.ones(1, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(spread, spread.flip(2))
    torch.testing.assert_close(spread, spread.flip(3))
    torch.testing.assert_close(spread, spread.transpose(2, 3))


@pytest.mark.parametrize("name", FILTERS)
def test_images_keep_their_shape_and_range_and_people_do_not_mix(name: str) -> None:
    clean = pictures(4)
    adv = (clean + 0.2 * (pictures(4, seed=1) - 0.5)).clamp(0, 1)
    kept = adv.clone()
    shown = FILTERS[name](adv)
    assert shown.shape == adv.shape
    assert shown.dtype == adv.dtype
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert not torch.allclose(shown, adv, atol=1e-3)
    assert torch.equal(adv, kept)
    for person in range(4):
        alone = FILTERS[name](adv[person : person + 1])
        torch.testing.assert_close(shown[person : person + 1], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_white_images_do_not_leave_the_range(name: str) -> None:
    """Where weights in float32 sum to more than 1, white would be brighter than white."""
    white = torch.ones(2, 3, *SIZE)
    assert FILTERS[name](white).max() <= 1


@pytest.mark.parametrize("size", [0, 2, 4])
def test_even_sizes_are_refused(size: int) -> None:
    for filtered in (box, median):
        with pytest.raises(RobustPoseError, match=f"must be odd, got {size}"):
            filtered(pictures(), size=size)


def test_nobody_is_filtered() -> None:
    nobody = torch.zeros(0, 3, *SIZE)
    for name, filtered in FILTERS.items():
        assert filtered(nobody).shape == nobody.shape, name


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("box3", lambda x: ndimage.uniform_filter(x, size=3, mode="nearest")),
        ("box5", lambda x: ndimage.uniform_filter(x, size=5, mode="nearest")),
        ("gaussian1", lambda x: ndimage.gaussian_filter(x, sigma=1.0, truncate=3, mode="nearest")),
        ("gaussian2", lambda x: ndimage.gaussian_filter(x, sigma=2.0, truncate=3, mode="nearest")),
        ("median3", lambda x: ndimage.median_filter(x, size=3, mode="nearest")),
        ("median5", lambda x: ndimage.median_filter(x, size=5, mode="nearest")),
    ],
)
def test_filters_agree_with_scipy(name: str, second: object) -> None:
    adv = pictures()
    ours = FILTERS[name](adv).numpy()
    for person in range(len(adv)):
        for channel in range(3):
            theirs = second(adv[person, channel].double().numpy())  # type: ignore[operator]
            np.testing.assert_allclose(ours[person, channel], theirs, rtol=0, atol=1e-6)
