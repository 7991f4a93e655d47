import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustpose.attacks import craft, make_perturbing
from robustpose.errors import RobustPoseError
from robustpose.geometry import Pixels, box_crop, crop_image
from robustpose.ownphoto import PhotoSurface
from robustpose.threats import Linf

SIZE = (12, 16)
EPS = 8 / 255


def a_photo(height: int, width: int, *, seed: int = 0, low: int = 0, high: int = 255) -> Pixels:
    return np.random.default_rng(seed).integers(low, high + 1, (height, width, 3), dtype=np.uint8)


def surface_of(
    photo: Pixels, box: tuple[float, float, float, float], *, size: tuple[int, int] = SIZE
) -> PhotoSurface:
    crop = box_crop(box, input_size=size, padding=1.0)
    return PhotoSurface(crop, photo_size=(photo.shape[0], photo.shape[1]), input_size=size)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(5, 90), st.integers(5, 90)),
    st.tuples(st.floats(-20, 60), st.floats(-20, 60), st.floats(3, 120), st.floats(3, 120)),
    st.tuples(st.integers(4, 40), st.integers(4, 40)),
)
def test_the_cut_is_the_one_that_every_crop_is_cut_by(
    photo_size: tuple[int, int], box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    photo = a_photo(*photo_size)
    try:
        surface = surface_of(photo, box, size=size)
    except RobustPoseError:  # beside the photo
        assert not crop_image(photo, box_crop(box, input_size=size, padding=1.0), input_size=size).any()
        return
    cut = surface.see(surface.cut(photo))[0].permute(1, 2, 0).numpy() * 255
    # Half a level is the rounding to 8 bits of crop_image; the rest float32, on coordinates of some hundred.
    assert np.abs(cut - crop_image(photo, surface.crop, input_size=size)).max() <= 0.55


def test_the_crop_of_a_whole_photo_at_its_own_size_sees_the_photo() -> None:
    photo = a_photo(*SIZE)
    surface = surface_of(photo, (0, 0, 16, 12))
    assert torch.equal(surface.see(surface.cut(photo)), torch.from_numpy(photo).permute(2, 0, 1)[None] / 255)
    assert surface.reached.all()


def test_the_gradient_is_the_cuts_transpose() -> None:
    photo = a_photo(40, 50)
    surface = surface_of(photo, (8.3, -4.1, 33.0, 30.0))
    generator = torch.Generator().manual_seed(0)
    window = surface.cut(photo).requires_grad_(True)
    weights = torch.randn(1, 3, *SIZE, generator=generator)
    value = (surface.see(window) * weights).sum()
    (gradient,) = torch.autograd.grad(value, window)
    assert float((gradient * window.detach()).sum()) == pytest.approx(float(value.detach()), rel=1e-4)


def test_the_sign_attack_is_the_best_there_is_on_a_linear_loss_of_the_crop() -> None:
    photo = a_photo(40, 50, low=30, high=220)  # so that [0, 1] clips nothing
    surface = surface_of(photo, (5, 5, 40, 24))
    weights = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(1))
    loss = surface.through(lambda crops, rows: (crops * weights).flatten(1).sum(dim=1))
    window = surface.cut(photo)
    (made,) = craft(
        make_perturbing("fgsm", targeted=False),
        loss,
        window,
        ids=("photo",),
        at=None,
        threat=Linf(EPS),
        seed=0,
        round_to_8bit=True,
    ).values()
    # Each photo pixel's weight in the loss, by moving it alone: the best sum is eps times their absolute values.
    row = torch.tensor([0])
    base = loss(window, row)
    best = 0.0
    for place in torch.cartesian_prod(*(torch.arange(n) for n in window.shape[1:])):
        moved = window.clone()
        moved[(0, *place)] += 0.1
        best += EPS * float(((loss(moved, row) - base) / 0.1).abs())
    assert float(loss(made.images, row) - base) == pytest.approx(best, rel=1e-3)


def test_pixels_that_the_crop_does_not_read_stay_as_they_were() -> None:
    photo = a_photo(200, 240)
    surface = surface_of(photo, (20, 30, 160, 120))  # ten photo pixels to one of the crop
    assert surface.reached.sum() == 4 * SIZE[0] * SIZE[1]
    noisy = surface.cut(photo) / 2
    pasted = surface.paste(noisy, photo)
    changed = (pasted != photo).any(axis=2)
    assert not changed[~_inside(surface, changed.shape)].any()
    assert not changed[surface.window][~surface.reached].any()
    assert torch.allclose(surface.see(surface.cut(pasted)), surface.see(surface.cut(photo)) / 2, atol=0.51 / 255)


def _inside(surface: PhotoSurface, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    inside = np.zeros(shape, dtype=np.bool_)
    inside[surface.window] = True
    return inside


def test_what_lies_beyond_the_photo_is_black_and_holds_no_gradient() -> None:
    photo = np.full((20, 20, 3), 255, np.uint8)
    surface = surface_of(photo, (10, 5, 32, 24), size=(24, 32))  # one to one; its right half is outside
    crop = surface.see(surface.cut(photo))[0, 0]
    assert (crop[:15, :10] == 1).all()
    assert (crop[:, 10:] == 0).all() and (crop[15:] == 0).all()
    assert surface.window == (slice(5, 20), slice(10, 20))


def test_a_crop_beside_the_photo_is_refused() -> None:
    with pytest.raises(RobustPoseError, match="contains no pixel of the photo"):
        surface_of(a_photo(20, 20), (100, 100, 10, 10))


def test_a_png_holds_the_pasted_photo_bit_for_bit() -> None:
    photo = a_photo(60, 60)
    surface = surface_of(photo, (10, 10, 32, 24))
    pasted = surface.paste(1 - surface.cut(photo), photo)
    done, encoded = cv2.imencode(".png", pasted[..., ::-1])
    assert done
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    np.testing.assert_array_equal(decoded[..., ::-1], pasted)
