"""PoseNet's and MoveNet's heads: decoding and losses by hand, and what holds of both."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from robustpose.models.heads import CentreHead, OffsetHead
from robustpose.types import Head

FEW = settings(max_examples=40, deadline=None, derandomize=True)
POSENET = OffsetHead(input_size=(33, 49), heatmap_size=(3, 4), radius=20.0)
"""Stride 16, cells at the pixels 0, 16, 32 and, across, 48."""
MOVENET = CentreHead(input_size=(24, 32), heatmap_size=(6, 8), sigma=1.0)
"""Stride 4, cells counted from the map's outer edge."""
HEADS = [POSENET, MOVENET]


def posenet_raw(k: int = 1) -> Tensor:
    return torch.full((1, 3 * k, 3, 4), -5.0)


def movenet_raw(k: int = 1) -> Tensor:
    return torch.cat(
        [torch.full((1, k, 6, 8), -5.0), torch.zeros(1, 4 * k, 6, 8), torch.full((1, 1, 6, 8), -5.0)], 1
    )


def test_posenet_decodes_by_hand() -> None:
    raw = posenet_raw(2)
    raw[0, 0, 1, 3] = 0.0  # first keypoint: row 1, column 3 lies at the pixel (48, 16)
    raw[0, 1, 2, 0] = 2.0  # second: (0, 32)
    raw[0, 2, 1, 3], raw[0, 3, 2, 0] = 2.5, -1.0  # along y, all keypoints first
    raw[0, 4, 1, 3], raw[0, 5, 2, 0] = -4.0, 3.0  # then along x
    keypoints, scores = POSENET.decode(raw)
    assert keypoints.tolist() == [[[44.0, 18.5], [3.0, 31.0]]]
    assert scores.tolist() == [[0.5, pytest.approx(1 / (1 + math.exp(-2.0)))]]


def test_posenet_loss_by_hand() -> None:
    """A keypoint on the cell (1, 1); within 20 pixels are it and its four neighbours, the others are beyond."""
    target = POSENET.encode(torch.tensor([[[16.0, 16.0]]]))
    raw = target.clone()
    raw[:, :1] = 0.0
    visible = torch.tensor([[True]])
    assert float(POSENET.loss(raw, target, visible)) == pytest.approx(4 * math.log(2))
    raw[0, 1] += 10.0  # half a radius off along y: Huber's 0.5 x 0.5^2 in each of the five cells
    assert float(POSENET.loss(raw, target, visible)) == pytest.approx(4 * math.log(2) + 5 * 0.125 / 12)


def test_movenet_decodes_by_hand() -> None:
    raw = movenet_raw()
    raw[0, 0, 2, 1] = 1.0  # a keypoint's map: row 2, column 1
    raw[0, 1, 2, 1], raw[0, 2, 2, 1] = 0.25, 0.5  # offsets: y before x
    raw[0, 5, 3, 4] = 0.0  # the person's centre
    keypoints, scores = MOVENET.decode(raw)
    # (1.5, 2.25) cells from the edge are 6 and 9 pixels from the edge, which is half a pixel before pixel 0.
    assert keypoints.tolist() == [[[5.5, 8.5]]]
    assert scores.tolist() == [[pytest.approx(1 / (1 + math.exp(-1.0)))]]


def test_movenet_prefers_what_the_regression_expects() -> None:
    raw = movenet_raw()
    raw[0, 0, 1, 1], raw[0, 0, 4, 6] = 1.0, 0.9  # a little lower
    raw[0, 5, 3, 4] = 5.0
    raw[0, 3, 3, 4], raw[0, 4, 3, 4] = 1.0, 2.0  # from the centre (row 3, column 4) to row 4, column 6
    assert MOVENET.decode(raw)[0].tolist() == [[[23.5, 15.5]]]
    raw[0, 3, 3, 4], raw[0, 4, 3, 4] = -2.0, -3.0  # to row 1, column 1
    assert MOVENET.decode(raw)[0].tolist() == [[[3.5, 3.5]]]


def test_movenet_takes_the_person_in_the_middle() -> None:
    raw = movenet_raw()
    raw[0, 0] = 0.0  # a flat map: the expected place decides
    raw[0, 5, 0, 0], raw[0, 5, 3, 4] = 1.0, 0.9
    assert MOVENET.decode(raw)[0].tolist() == [[[15.5, 11.5]]]  # the cell (3, 4), not (0, 0)


def test_movenet_loss_by_hand() -> None:
    place = torch.tensor([[[9.5, 9.5]]])  # 10 pixels from the edges: 2.5 cells, so the cell (2, 2) holds it
    target = MOVENET.encode(place)
    visible = torch.tensor([[True]])
    raw = target.clone()
    raw[0, 0] = -20.0
    raw[0, 0, 2, 2] = 20.0
    assert float(MOVENET.loss(raw, target, visible)) < 1e-6
    raw[0, 0, 2, 2] = 0.0  # p = 1/2 at the true cell, 0 elsewhere: (1/2)^2 log 2
    assert float(MOVENET.loss(raw, target, visible)) == pytest.approx(0.25 * math.log(2), abs=1e-4)
    raw[0, 1:3] += 1.0  # offsets wrong by a cell along y and x
    assert float(MOVENET.loss(raw, target, visible)) == pytest.approx(0.25 * math.log(2) + 2, abs=1e-4)
    raw[0, 3:5] -= 3.0  # the regression wrong by three cells along both
    assert float(MOVENET.loss(raw, target, visible)) == pytest.approx(0.25 * math.log(2) + 2.6, abs=1e-4)


def test_movenet_loss_weighs_cells_near_the_bump_less() -> None:
    target = MOVENET.encode(torch.tensor([[[9.5, 9.5]]]))
    losses = []
    for row, column in ((2, 3), (2, 7)):
        raw = target.clone()
        raw[0, 0] = -20.0
        raw[0, 0, row, column] = 3.0
        losses.append(float(MOVENET.loss(raw, target, torch.tensor([[True]]))))
    # (1 - exp(-1/2))^4 of the penalty beside the true cell; all of it, nearly, five cells away.
    p = 1 / (1 + math.exp(-3.0))
    alone = -(p**2) * math.log(1 - p)
    base = 20.0  # the true cell: -log sigmoid(-20)
    assert losses[0] == pytest.approx(base + (1 - math.exp(-0.5)) ** 4 * alone, rel=1e-3)
    assert losses[1] == pytest.approx(base + alone, rel=1e-3)


@pytest.mark.parametrize("head", HEADS)
@FEW
@given(st.data())
def test_decode_of_encode(head: OffsetHead | CentreHead, data: st.DataObject) -> None:
    height, width = head.input_size
    x, y = st.floats(0, width - 1), st.floats(0, height - 1)
    keypoints = torch.tensor([[[data.draw(x), data.draw(y)] for _ in range(3)] for _ in range(2)])
    found, scores = head.decode(head.encode(keypoints))
    torch.testing.assert_close(found, keypoints, atol=1e-3, rtol=0)
    assert (scores > 0.5).all()


@pytest.mark.parametrize("head", HEADS)
def test_what_is_not_visible_counts_for_nothing(head: OffsetHead | CentreHead) -> None:
    assert isinstance(head, OffsetHead | CentreHead)
    known: Head = head
    keypoints = torch.tensor([[[5.0, 6.0], [20.0, 9.0]]])
    visible = torch.tensor([[True, False]])
    raw = known.encode(keypoints + 3.0).requires_grad_()
    expected = known.loss(raw, known.encode(keypoints), visible)
    for other in (torch.nan, 1e6, -50.0):
        changed = keypoints.clone()
        changed[0, 1] = other
        loss = known.loss(raw, known.encode(changed), visible)
        assert torch.equal(loss, expected)
        (gradient,) = torch.autograd.grad(loss.sum(), raw)
        assert torch.isfinite(gradient).all()
        assert gradient.any()


@pytest.mark.parametrize("head", HEADS)
def test_loss_is_of_each_person_and_grows_with_the_error(head: OffsetHead | CentreHead) -> None:
    keypoints = torch.tensor([[[10.0, 12.0]], [[20.0, 5.0]]])
    target, visible = head.encode(keypoints), torch.ones(2, 1, dtype=torch.bool)
    losses = [head.loss(head.encode(keypoints + shift), target, visible) for shift in (0.0, 2.0, 8.0)]
    assert losses[0].shape == (2,)
    assert (losses[0] < losses[1]).all()
    assert (losses[1] < losses[2]).all()
    apart = torch.cat(
        [head.loss(head.encode(keypoints[i : i + 1] + 2.0), target[i : i + 1], visible[:1]) for i in (0, 1)]
    )
    torch.testing.assert_close(apart, losses[1])


@pytest.mark.parametrize("head", HEADS)
def test_all_parts_get_a_gradient(head: OffsetHead | CentreHead) -> None:
    raw = (head.encode(torch.tensor([[[12.0, 10.0]]])) + 0.3).requires_grad_()
    loss = head.loss(raw, head.encode(torch.tensor([[[10.0, 12.0]]])), torch.tensor([[True]]))
    (gradient,) = torch.autograd.grad(loss.sum(), raw)
    parts = gradient[0].abs().amax(dim=(1, 2)) > 0
    assert parts.tolist() == [True] * 3 if isinstance(head, OffsetHead) else [True] * 5 + [False]


@pytest.mark.parametrize("head", HEADS)
def test_places_and_heights_are_what_decides(head: OffsetHead | CentreHead) -> None:
    channels = 9 if isinstance(head, OffsetHead) else 16
    raw = torch.randn(2, channels, *head.heatmap_size, generator=torch.Generator().manual_seed(4))
    heights, places = head.heights(raw), head.places(raw)
    best = functional.one_hot(heights.flatten(2).argmax(2), heights[0, 0].numel()).bool().reshape(heights.shape)
    assert torch.equal(places[best].reshape(2, 3, 2), head.decode(raw)[0])
    assert float(heights.min()) >= 0
    assert float(heights.max()) <= 1
