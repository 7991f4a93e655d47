import math
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from robustpose.models.heads import CoordinateHead, HeatmapHead, SimCCHead
from robustpose.types import Head

FEW = settings(max_examples=60, deadline=None, derandomize=True)

# Stride 4; the highest cell is (column 3, row 1), the right neighbour beats the left, the upper beats the lower.
HEATMAP = [
    [0.0, 0.0, 0.1, 0.5, 0.0],
    [0.0, 0.1, 0.2, 0.9, 0.6],
    [0.0, 0.0, 0.1, 0.3, 0.1],
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [0.2, 0.0, 0.0, 0.0, 0.0],
]
EMPTY = [0.0, 0.0, 0.0, 0.0, 0.0]


def five(
    decoding: Literal["argmax", "quarter"] = "argmax", *, sigma: float = 1.0, peak: float = 1.0
) -> HeatmapHead:
    return HeatmapHead(input_size=(20, 20), heatmap_size=(5, 5), decoding=decoding, sigma=sigma, peak=peak)


def as_map(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows)[None, None]


def test_argmax_by_hand() -> None:
    keypoints, scores = five().decode(as_map(HEATMAP))
    # Cell 3 covers the pixels 12, 13, 14, 15: its centre is 13.5. Cell 1 covers 4 to 7: 5.5.
    assert keypoints.tolist() == [[[13.5, 5.5]]]
    assert scores.tolist() == [[pytest.approx(0.9)]]


def test_quarter_by_hand() -> None:
    keypoints, scores = five("quarter").decode(as_map(HEATMAP))
    # A quarter cell is one pixel: to the right, and up.
    assert keypoints.tolist() == [[[14.5, 4.5]]]
    assert scores.tolist() == [[pytest.approx(0.9)]]


def test_quarter_at_the_border_and_on_a_tie() -> None:
    corner = [[0.9, 0.5, 0.0, 0.0, 0.0], [0.6, 0.0, 0.0, 0.0, 0.0], EMPTY, EMPTY, EMPTY]
    assert five("quarter").decode(as_map(corner))[0].tolist() == [[[1.5, 1.5]]]
    last = [EMPTY, EMPTY, EMPTY, [0.0, 0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.6, 0.9]]
    assert five("quarter").decode(as_map(last))[0].tolist() == [[[17.5, 17.5]]]
    # In the first column only the row can be refined.
    edge = [EMPTY, [0.1, 0.0, 0.0, 0.0, 0.0], [0.9, 0.8, 0.0, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0, 0.0], EMPTY]
    assert five("quarter").decode(as_map(edge))[0].tolist() == [[[1.5, 10.5]]]
    tie = [EMPTY, EMPTY, [0.0, 0.4, 0.9, 0.4, 0.0], EMPTY, EMPTY]
    assert five("quarter").decode(as_map(tie))[0].tolist() == [[[9.5, 9.5]]]


def test_encode_by_hand() -> None:
    """A keypoint on a cell's centre: the peak there, exp(-1/2) beside it, exp(-1) on the diagonal."""
    maps = five(sigma=1.0, peak=2.0).encode(torch.tensor([[[13.5, 5.5]]]))
    assert maps.shape == (1, 1, 5, 5)
    assert float(maps[0, 0, 1, 3]) == 2.0
    assert float(maps[0, 0, 1, 4]) == pytest.approx(2 * math.exp(-0.5))
    assert float(maps[0, 0, 0, 3]) == pytest.approx(2 * math.exp(-0.5))
    assert float(maps[0, 0, 2, 2]) == pytest.approx(2 * math.exp(-1))
    assert float(maps[0, 0, 4, 0]) == pytest.approx(2 * math.exp(-(9 + 9) / 2))
    wide = five(sigma=2.0).encode(torch.tensor([[[13.5, 5.5]]]))
    assert float(wide[0, 0, 1, 4]) == pytest.approx(math.exp(-1 / 8))


def test_encode_puts_x_along_the_width() -> None:
    head = HeatmapHead(input_size=(8, 16), heatmap_size=(4, 4))
    # Stride 2 down, 4 across: pixel (13.5, 2.5) is cell (column 3, row 1).
    maps = head.encode(torch.tensor([[[13.5, 2.5]]]))
    assert divmod(int(maps[0, 0].argmax()), 4) == (1, 3)
    assert head.decode(maps)[0].tolist() == [[[13.5, 2.5]]]


points = st.tuples(st.floats(-0.5, 23.5, width=32), st.floats(-0.5, 15.5, width=32))
STRIDE = 4


@FEW
@given(points=st.lists(points, min_size=1, max_size=5), sigma=st.sampled_from([0.7, 1.0, 2.0]))
def test_argmax_comes_within_half_a_cell(points: list[tuple[float, float]], sigma: float) -> None:
    head = HeatmapHead(input_size=(16, 24), heatmap_size=(4, 6), sigma=sigma)
    keypoints = torch.tensor(points)[None]
    decoded, scores = head.decode(head.encode(keypoints))
    assert (decoded - keypoints).abs().max() <= STRIDE / 2 + 1e-3
    assert (scores <= 1).all()


@FEW
@given(points=st.lists(points, min_size=1, max_size=5), sigma=st.sampled_from([0.7, 1.0, 2.0]))
def test_quarter_comes_within_a_quarter_cell_away_from_the_border(
    points: list[tuple[float, float]], sigma: float
) -> None:
    """d cells off the centre, |d| <= 1/2, decodes to sign(d) / 4: never more than 1/4 away."""
    head = HeatmapHead(input_size=(16, 24), heatmap_size=(4, 6), sigma=sigma, decoding="quarter")
    keypoints = torch.tensor(points)[None]
    errors = (head.decode(head.encode(keypoints))[0] - keypoints).abs()
    cells = (keypoints + 0.5) / STRIDE
    # Half a cell from two centres, rounding may choose either: one of the border too.
    border = (cells < 1 + 1e-3) | (cells > torch.tensor([5.0, 3.0]) - 1e-3)
    assert (errors[~border] <= STRIDE / 4 + 1e-3).all()
    assert (errors[border] <= STRIDE / 2 + 1e-3).all()


@FEW
@given(points=st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=5))
def test_coordinates_come_back(points: list[tuple[float, float]]) -> None:
    head = CoordinateHead(input_size=(16, 24))
    keypoints = torch.tensor(points, dtype=torch.float64)[None]
    decoded, scores = head.decode(head.encode(keypoints))
    torch.testing.assert_close(decoded, keypoints, rtol=0, atol=1e-12)
    assert (scores == 1).all()
    assert scores.shape == decoded.shape[:2]


def test_coordinates_by_hand() -> None:
    head = CoordinateHead(input_size=(16, 24))
    corners = torch.tensor([[[-0.5, -0.5], [23.5, 15.5], [11.5, 7.5], [5.5, 11.5]]])
    expected = [[[-0.5, -0.5], [0.5, 0.5], [0.0, 0.0], [-0.25, 0.25]]]
    assert head.encode(corners).tolist() == expected
    assert head.decode(torch.tensor(expected))[0].tolist() == corners.tolist()


def test_heatmap_loss_in_closed_form() -> None:
    generator = np.random.default_rng(0)
    raw, target = generator.normal(size=(2, 3, 4, 5, 6))
    visible = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    expected = [
        sum(((raw[n, k] - target[n, k]) ** 2).sum() / 30 for k in range(4) if visible[n, k]) / 4 for n in range(3)
    ]
    head = HeatmapHead(input_size=(20, 24), heatmap_size=(5, 6))
    loss = head.loss(torch.from_numpy(raw), torch.from_numpy(target), torch.from_numpy(visible))
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-12)


def test_a_cell_of_the_bump_weighs_more_by_hand() -> None:
    """Errors of 1/2 on the bump's top (target 2 = peak) and of 1/2 where the target is 1/2: weights 21 and 6."""
    head = HeatmapHead(input_size=(4, 8), heatmap_size=(1, 2), peak=2.0, foreground=20.0)
    target = torch.tensor([[[[2.0, 0.5]]]], dtype=torch.float64)
    loss = head.loss(target - 0.5, target, torch.ones(1, 1, dtype=torch.bool))
    assert loss.tolist() == [pytest.approx((21 * 0.25 + 6 * 0.25) / 2, rel=1e-12)]


def test_coordinate_loss_in_closed_form() -> None:
    generator = np.random.default_rng(0)
    raw, target = generator.normal(size=(2, 3, 4, 2))
    visible = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    expected = [
        sum(((raw[n, k] - target[n, k]) ** 2).sum() / 2 for k in range(4) if visible[n, k]) / 4 for n in range(3)
    ]
    head = CoordinateHead(input_size=(20, 24))
    loss = head.loss(torch.from_numpy(raw), torch.from_numpy(target), torch.from_numpy(visible))
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-12)


def test_absolute_coordinate_loss_in_closed_form() -> None:
    """Errors (1, -3) of a keypoint that counts and of one that does not; two keypoints."""
    head = CoordinateHead(input_size=(20, 24), error="absolute")
    raw = torch.tensor([[[1.0, -3.0], [5.0, 5.0]]], dtype=torch.float64)
    loss = head.loss(raw, torch.zeros_like(raw), torch.tensor([[True, False]]))
    assert loss.tolist() == [pytest.approx((1 + 3) / 2 / 2)]


def classes(*, sigma: float = 1.5) -> SimCCHead:
    return SimCCHead(input_size=(10, 14), split=2.0, sigma=sigma)


def test_classes_by_hand() -> None:
    """2 bins a pixel: bin b is the half pixel from b / 2 - 1/2 on, so its centre lies at b / 2 - 1/4."""
    head = classes()
    assert head.bins == (20, 28)
    raw = torch.zeros(1, 1, 28 + 20)
    raw[0, 0, 9] = math.log(27.0)  # of 28 bins: 27 / 54 against 1 / 54 each
    raw[0, 0, 28 + 4] = math.log(57.0)  # of 20 bins: 57 / 76
    keypoints, scores = head.decode(raw)
    assert keypoints.tolist() == [[[4.25, 1.75]]]
    assert scores.tolist() == [[pytest.approx(0.5)]]


def test_the_softmax_of_encoded_classes_is_a_gaussian() -> None:
    """x = 6.25 is bin 13, y = 4.5 lies between the bins 9 and 10."""
    head = classes(sigma=1.5)
    target = head.encode(torch.tensor([[[6.25, 4.5]]], dtype=torch.float64))
    assert target.shape == (1, 1, 48)
    x, y = target[0, 0, :28].softmax(dim=0), target[0, 0, 28:].softmax(dim=0)
    assert int(x.argmax()) == 13
    assert float(x[14] / x[13]) == pytest.approx(math.exp(-1 / (2 * 1.5**2)))
    assert float(x[10] / x[13]) == pytest.approx(math.exp(-9 / (2 * 1.5**2)))
    assert float(x[13]) == pytest.approx(1 / (1.5 * math.sqrt(2 * math.pi)), rel=1e-3)
    assert float(y[9]) == pytest.approx(float(y[10]))
    assert float(y[8] / y[9]) == pytest.approx(math.exp(-(1.5**2 - 0.5**2) / (2 * 1.5**2)))


@FEW
@given(points=st.lists(points, min_size=1, max_size=5), split=st.sampled_from([1.0, 2.0, 3.0]))
def test_classes_come_within_half_a_bin(points: list[tuple[float, float]], split: float) -> None:
    head = SimCCHead(input_size=(16, 24), split=split, sigma=2.0)
    keypoints = torch.tensor(points, dtype=torch.float64)[None]
    decoded, scores = head.decode(head.encode(keypoints))
    assert (decoded - keypoints).abs().max() <= 0.5 / split + 1e-6
    assert (scores <= 1).all()


def test_classes_at_corners_by_hand() -> None:
    """Bin b lies at b / split; in the mirror image of a width of 14 a keypoint at x is at 13 - x."""
    head = SimCCHead(input_size=(10, 14), split=2.0, sigma=1.5, lattice="corners")
    keypoints = torch.tensor([[[6.5, 4.0], [0.0, 9.5]]], dtype=torch.float64)
    raw = head.encode(keypoints)
    assert [int(axis.argmax()) for axis in (raw[0, 0, :28], raw[0, 0, 28:])] == [13, 8]
    assert torch.equal(head.decode(raw)[0], keypoints)
    mirrored, _ = head.decode(head.mirrored(raw, (1, 0)))
    assert mirrored.tolist() == [[[13.0, 9.5], [6.5, 4.0]]]
    wrong = head.margins(keypoints, torch.full((1, 2), 1.0, dtype=torch.float64))(raw, torch.tensor([0]))
    assert (wrong < 0).all()


def test_class_loss_in_closed_form() -> None:
    """Sum over bins of p log(p / q), for x and for y, where a keypoint is visible; divided by all."""
    generator = np.random.default_rng(0)
    raw, target = generator.normal(size=(2, 3, 4, 48))
    visible = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)

    def divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        p, q = np.exp(p) / np.exp(p).sum(), np.exp(q) / np.exp(q).sum()
        return float((p * np.log(p / q)).sum())

    expected = [
        sum(
            divergence(target[n, k, axis], raw[n, k, axis])
            for k in range(4)
            if visible[n, k]
            for axis in (slice(28), slice(28, 48))
        )
        / 4
        for n in range(3)
    ]
    loss = classes().loss(torch.from_numpy(raw), torch.from_numpy(target), torch.from_numpy(visible))
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-10)


def test_class_loss_of_gaussians_in_closed_form() -> None:
    """Two Gaussians of one sigma, d apart, far from the edge: d^2 / (2 sigma^2)."""
    head = SimCCHead(input_size=(64, 64), split=2.0, sigma=3.0)
    raw, target = (head.encode(torch.tensor([[[x, 32.0]]], dtype=torch.float64)) for x in (30.0, 32.5))
    loss = head.loss(raw, target, torch.ones(1, 1, dtype=torch.bool))
    assert loss.tolist() == [pytest.approx((2 * 2.5) ** 2 / (2 * 3**2), rel=1e-6)]


SQUARED: list[Head] = [five(), CoordinateHead(input_size=(20, 20))]
HEADS: list[Head] = [
    *SQUARED,
    HeatmapHead(input_size=(20, 20), heatmap_size=(5, 5), foreground=20.0),
    CoordinateHead(input_size=(20, 20), error="absolute"),
    SimCCHead(input_size=(20, 20), sigma=2.0),
]
IDS = ["heatmaps", "coordinates", "weighted heatmaps", "absolute coordinates", "classes"]
every_head = pytest.mark.parametrize("head", HEADS, ids=IDS)


@pytest.mark.parametrize("head", SQUARED, ids=IDS[:2])
def test_the_loss_is_0_at_the_target_alone_and_unseen_keypoints_have_no_gradient(head: Head) -> None:
    target = head.encode(torch.tensor([[[3.0, 4.0], [10.0, 12.0]]]).repeat(2, 1, 1))
    visible = torch.tensor([[True, False], [True, True]])
    assert head.loss(target, target, visible).tolist() == [0, 0]
    raw = (target + 0.1).requires_grad_(True)
    loss = head.loss(raw, target, visible)
    torch.testing.assert_close(loss.detach(), torch.tensor([0.005, 0.01]))
    (gradient,) = torch.autograd.grad(loss.sum(), raw)
    assert (gradient[0, 1] == 0).all()
    assert (gradient[0, 0] != 0).all()
    assert (gradient[1] != 0).all()


@every_head
def test_a_persons_loss_is_their_own(head: Head) -> None:
    target = head.encode(torch.tensor([[[3.0, 4.0]]]).repeat(3, 1, 1))
    visible = torch.ones(3, 1, dtype=torch.bool)
    raw = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    whole = head.loss(raw, target, visible)
    changed = raw.clone()
    changed[1, :, :1] += 1
    other = head.loss(changed, target, visible)
    assert torch.equal(whole[[0, 2]], other[[0, 2]])
    assert whole[1] != other[1]


@every_head
def test_a_perfect_model_has_no_loss_and_any_other_has(head: Head) -> None:
    target = head.encode(torch.tensor([[[3.0, 4.0]]], dtype=torch.float64))
    visible = torch.ones(1, 1, dtype=torch.bool)
    assert head.loss(target, target, visible).tolist() == [0]
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(head.loss(target + noise, target, visible)) > 0


@every_head
def test_a_keypoint_that_is_not_labelled_may_be_anywhere_even_nan(head: Head) -> None:
    keypoints = torch.tensor([[[3.0, 4.0], [torch.nan, torch.nan]]])
    target = head.encode(keypoints)
    raw = torch.zeros_like(target).requires_grad_(True)
    loss = head.loss(raw, target, torch.tensor([[True, False]]))
    assert torch.isfinite(loss).all()
    (gradient,) = torch.autograd.grad(loss.sum(), raw)
    assert (gradient[0, 0] != 0).any()
    assert (gradient[0, 1] == 0).all()
