"""The margin objective: hand-made maps and coordinates, agreement with the metric, where no gradient may go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from robustpose.attack_types import CappedLoss
from robustpose.errors import RobustPoseError
from robustpose.metrics import PCK, PCKH, Table
from robustpose.models.architectures.dlcm import PartsHead
from robustpose.models.heads import CentreHead, CoordinateHead, HeatmapHead, OffsetHead, SimCCHead
from robustpose.objectives import Aim, Keypoints, Margin, correct_radius
from robustpose.skeletons import Skeleton
from tests.conftest import TINY, TRIO, tiny_batch
from tests.objectives.says import CLASSES, MAPS, NUMBERS, OFFSETS, ONE, Says, aim, margin, one_map


@pytest.mark.parametrize(
    ("heights", "expected"),
    [({"c2r1": 1.0}, -1.0), ({"c2r1": 0.5, "c5r3": 0.6}, 0.1), ({"c3r1": 0.8, "c5r3": 0.3}, -0.5)],
    ids=["right", "just wrong", "a neighbour within the radius"],
)
def test_margins_of_maps_by_hand(heights: dict[str, float], expected: float) -> None:
    where = aim(4.5, 2.5, radius=2.0)
    assert float(margin(one_map(**heights), where).detach()) == pytest.approx(expected)
    assert float(margin(one_map(**heights), where, targeted=True).detach()) == pytest.approx(-expected)


def test_margins_of_coordinates_by_hand() -> None:
    raw = NUMBERS.encode(torch.tensor([[[7.5, 6.5]]])).requires_grad_(True)  # 5 pixels from the truth
    model = Says(raw, NUMBERS)
    assert float(margin(model, aim(4.5, 2.5, radius=2.0)).detach()) == pytest.approx(1.5)
    assert float(margin(model, aim(4.5, 2.5, radius=10.0)).detach()) == pytest.approx(-0.5)
    assert float(margin(model, aim(4.5, 2.5, radius=10.0), targeted=True).detach()) == pytest.approx(0.5)


def test_a_lost_keypoint_gets_no_gradient() -> None:
    lost, held = one_map(c2r1=0.2, c5r3=0.9), one_map(c2r1=0.9, c5r3=0.2)
    for model, moved in ((lost, False), (held, True)):
        loss = margin(model, aim(4.5, 2.5, radius=2.0), objective=Margin())
        (gradient,) = torch.autograd.grad(loss.sum(), model.raw)
        assert bool(gradient.any()) == moved
    assert float(margin(lost, aim(4.5, 2.5, radius=2.0), objective=Margin()).detach()) == pytest.approx(0.1)


def test_what_does_not_count_may_be_nan() -> None:
    for head, raw in ((MAPS, torch.rand(1, 1, 4, 6)), (NUMBERS, torch.rand(1, 1, 2))):
        model = Says(raw.requires_grad_(True), head)
        loss = margin(model, aim(float("nan"), 0.0, radius=float("nan"), visible=False))
        (gradient,) = torch.autograd.grad(loss.sum(), model.raw)
        assert float(loss.detach()) == 0.0 and not gradient.any()


def test_keypoints_that_the_score_leaves_out_are_left_out() -> None:
    unscored = replace(ONE, uncounted=("nose",))
    model = replace(one_map(c2r1=1.0), skeleton=unscored)
    assert float(margin(model, aim(4.5, 2.5, radius=2.0)).detach()) == 0.0


@pytest.mark.parametrize("head", [MAPS, NUMBERS, CLASSES], ids=["maps", "coordinates", "classes"])
def test_above_zero_is_wrong_as_the_metric_says(head: HeatmapHead | CoordinateHead | SimCCHead) -> None:
    batch = tiny_batch(40)
    generator = torch.Generator().manual_seed(3)
    shape = {HeatmapHead: (40, 3, 4, 6), CoordinateHead: (40, 3, 2), SimCCHead: (40, 3, 40)}[type(head)]
    raw = torch.rand(shape, generator=generator) - (0.5 if isinstance(head, CoordinateHead) else 0.0)
    metric = replace(PCKH, threshold=1.25)  # 2.5 pixels
    predicted = head.decode(raw)[0]
    table = Table(
        ids=batch.ids,
        skeleton=TRIO,
        predicted=predicted.double().numpy(),
        keypoints=batch.keypoints.double().numpy(),
        visible=batch.visible.numpy(),
        head_size=batch.head_size.double().numpy(),
        box_side=batch.box_side.double().numpy(),
    )
    hits = metric.hits(table)
    assert 10 < np.nansum(hits) < 60
    for k in range(len(TRIO)):
        only = torch.zeros_like(batch.visible)
        only[:, k] = batch.visible[:, k]
        model = Says(raw, head, skeleton=TRIO)
        found = margin(model, Aim(batch.keypoints, only, correct_radius(batch, metric)))
        counts = batch.visible[:, k].numpy()
        assert ((found.numpy() > 0) == (hits[:, k] == 0))[counts].all()


@pytest.mark.parametrize("head", [MAPS, NUMBERS], ids=["maps", "coordinates"])
def test_keypoints_alone_tell_the_same_decisions(head: HeatmapHead | CoordinateHead) -> None:
    """For coordinates the two objectives are equal; for heatmaps they agree on which keypoints are lost."""
    batch = tiny_batch(30)
    shape = (30, 3, 4, 6) if isinstance(head, HeatmapHead) else (30, 3, 2)
    raw = torch.rand(shape, generator=torch.Generator().manual_seed(4)) - 0.5
    model, rows = Says(raw, head, skeleton=TRIO), torch.arange(30)
    where = Aim(batch.keypoints, batch.visible, correct_radius(batch) * 3)
    for targeted in (False, True):
        seen = Keypoints().bind(model, where, targeted=targeted)
        known = Margin().bind(model, where, targeted=targeted)
        images = torch.zeros(30, 3, *TINY)
        lost = seen.parts(images, rows) > 0
        assert torch.equal(lost, known.parts(images, rows) > 0)
        assert 5 < int(lost.sum()) < 85
        if isinstance(head, CoordinateHead):
            torch.testing.assert_close(seen(images, rows), known(images, rows))


def test_keypoints_by_hand() -> None:
    found = Keypoints(enough=10.0).bind(one_map(c2r1=1.0), aim(4.5, 5.5, radius=2.0), targeted=False)
    images, rows = torch.zeros(1, 3, *TINY), torch.tensor([0])
    assert float(found(images, rows)) == pytest.approx(0.5)  # three pixels off
    assert found.parts(images, rows).tolist() == [[pytest.approx(0.5)]]
    assert found.counted.tolist() == [[True]]


def test_part_maps_are_read_at_the_joints_alone() -> None:
    parts = PartsHead(joints=MAPS, keypoints=1, bones=(), limbs=())
    raw = torch.cat([one_map(c2r1=1.0).raw.detach(), torch.full((1, 2, 4, 6), 9.0)], dim=1)
    assert float(margin(Says(raw, parts), aim(4.5, 2.5, radius=2.0))) == pytest.approx(-1.0)


def test_margins_of_classes_are_those_of_all_pairs_of_bins() -> None:
    """Against the map of the logits, written out: each cell is the sum of its column's and its row's logit."""
    generator = torch.Generator().manual_seed(5)
    raw = torch.randn(7, 2, 40, generator=generator)
    keypoints = torch.rand(7, 2, 2, generator=generator) * torch.tensor([12.0, 8.0])
    radius = torch.linspace(0.6, 4.0, 7)
    model = Says(raw, CLASSES, skeleton=Skeleton(name="two", keypoints=("a", "b"), limbs=()))
    maps = raw[:, :, None, :24] + raw[:, :, 24:, None]  # (N, K, Ly, Lx)
    x, y = torch.arange(24) / 2 - 0.25, torch.arange(16) / 2 - 0.25  # centres of bins, in pixels
    distance = torch.hypot(x - keypoints[..., 0, None, None], y[:, None] - keypoints[..., 1, None, None])
    inside = distance <= radius[:, None, None, None]
    beyond, within = (maps.masked_fill(mask, -torch.inf).amax(dim=(2, 3)) for mask in (inside, ~inside))
    expected = (beyond - within) / ((radius * 2) ** 2 / (2 * 3.0**2))[:, None]
    for k in range(2):
        only = torch.zeros(7, 2, dtype=torch.bool)
        only[:, k] = True
        found = margin(model, Aim(keypoints, only, radius))
        torch.testing.assert_close(found, expected[:, k], rtol=1e-4, atol=1e-5)


def test_a_perfect_model_of_classes_has_about_minus_one() -> None:
    where = aim(5.75, 3.75, radius=2.0)  # the centre of a bin; the next bin beyond 2 pixels is at 2.5 or nearer
    found = float(margin(Says(CLASSES.encode(where.keypoints), CLASSES), where))
    assert -(2.5**2) / 2.0**2 <= found <= -1.0


def test_a_head_without_margins_is_named() -> None:
    class Foreign:
        def encode(self, keypoints: Tensor) -> Tensor:
            return keypoints

        def decode(self, raw: Tensor) -> tuple[Tensor, Tensor]:
            return raw, raw[..., 0]

        def loss(self, raw: Tensor, target: Tensor, visible: Tensor) -> Tensor:
            return raw.sum(dim=(1, 2))

    with pytest.raises(RobustPoseError, match=r"margin.*Foreign.*training_loss"):
        margin(Says(torch.zeros(1, 1, 2), Foreign()), aim(1.0, 1.0, radius=2.0))


def test_the_radius_is_the_metric_s() -> None:
    batch = tiny_batch(2)  # head size 2, box 10
    assert bool((correct_radius(batch) == 1.0).all())
    assert bool((correct_radius(batch, PCK) == 1.0).all())
    headless = replace(batch, head_size=torch.tensor([2.0, float("nan")]), box_side=torch.tensor([10.0, 30.0]))
    assert correct_radius(headless)[:, 0].tolist() == pytest.approx([1.0, 3.0])


def says_offsets(*, right: float, wrong: float, shift: float = 0.0) -> Says:
    """Probabilities of the cells at the pixels (16, 16) and (48, 32); the first `shift` pixels to the right."""
    raw = torch.zeros(1, 3, 3, 4)
    raw[0, 0] = -50.0
    raw[0, 0, 1, 1], raw[0, 0, 2, 3] = torch.logit(torch.tensor([right, wrong]))
    raw[0, 2, 1, 1] = shift
    return Says(raw.requires_grad_(True), OFFSETS)


@pytest.mark.parametrize(
    ("right", "wrong", "shift", "expected"),
    [(0.9, 0.2, 0.0, -0.7), (0.3, 0.8, 0.0, 0.5), (0.9, 0.2, 5.0, 0.9), (0.9, 0.2, 2.0, -0.7)],
    ids=["right", "wrong", "the offset leads away", "the offset stays within"],
)
def test_margins_of_offsets_by_hand(right: float, wrong: float, shift: float, expected: float) -> None:
    model, where = says_offsets(right=right, wrong=wrong, shift=shift), aim(16.0, 16.0, radius=3.0)
    assert Margin.serves(OFFSETS)
    loss = margin(model, where)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-6)
    assert float(margin(model, where, targeted=True).detach()) == pytest.approx(-expected, abs=1e-6)
    (gradient,) = torch.autograd.grad(loss.sum(), model.raw)
    assert torch.isfinite(gradient).all()
    assert bool(gradient.any())


@pytest.mark.parametrize(
    "head", [OFFSETS, CentreHead(input_size=(33, 49), heatmap_size=(6, 8))], ids=["offsets", "centre"]
)
def test_margins_of_offsets_agree_with_what_is_decoded(head: OffsetHead | CentreHead) -> None:
    """Above 0 exactly where the decoded keypoint is beyond the radius."""
    generator = torch.Generator().manual_seed(5)
    channels = 3 if isinstance(head, OffsetHead) else 6
    raw = 3 * torch.randn(200, channels, *head.heatmap_size, generator=generator)
    found, _ = head.decode(raw)
    keypoints = found + 8 * torch.randn(found.shape, generator=generator)
    where = Aim(keypoints, torch.ones(200, 1, dtype=torch.bool), torch.full((200,), 8.0))
    margins = margin(Says(raw, head), where)
    wrong = (found - keypoints).norm(dim=-1)[:, 0] > 8.0
    assert torch.equal(margins > 0, wrong)
    assert 0 < int(wrong.sum()) < 200


def test_a_keypoint_beyond_the_reach_of_any_cell_is_wrong_whatever_the_model_says() -> None:
    """A labelled keypoint outside the crop: lost without an attack, and no attack can reach a target there."""
    far, everywhere = aim(40.0, 2.5, radius=2.0), aim(4.5, 2.5, radius=100.0)
    model = one_map(c2r1=1.0)
    assert float(margin(model, far).detach()) == 1.0
    assert float(margin(model, far, targeted=True).detach()) == -1.0
    assert float(margin(model, everywhere).detach()) == -1.0
    between = aim(3.5, 2.5, radius=0.5)  # of two cells, a pixel from both: read a quarter off one it may be right
    assert float(margin(model, between).detach()) == 0.0
    bound = Margin().bind(model, far, targeted=False)
    assert isinstance(bound, CappedLoss)
    found = bound(torch.zeros(1, 3, *TINY), torch.arange(1)).detach()
    assert float(found) == pytest.approx(float(bound.cap))


def test_classes_out_of_reach_are_decided_too() -> None:
    model = Says(torch.zeros(1, 1, CLASSES.bins[0] + CLASSES.bins[1], requires_grad=True), CLASSES)
    assert float(margin(model, aim(40.0, 2.5, radius=2.0)).detach()) == 1.0
    assert float(margin(model, aim(4.5, 2.5, radius=100.0)).detach()) == -1.0
