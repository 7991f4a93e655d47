"""DLCM: the maps of bones and limbs, their losses, and the passes up and down the hierarchy."""

from math import exp

import pytest
import torch
from torch import Tensor

from robustpose.models import build
from robustpose.models.architectures.dlcm import BONES, LIMBS, Compositional, PartsHead
from robustpose.models.heads import HeatmapHead
from robustpose.skeletons import MPII_16

HEAD = PartsHead(
    joints=HeatmapHead(input_size=(20, 20), heatmap_size=(5, 5)),
    keypoints=3,
    bones=((0, 1), (1, 2)),
    limbs=((0, 1),),
)
"""Three keypoints, two bones between them, one limb; cell i lies at pixel 4 i + 1.5."""


def at(*cells: tuple[int, int]) -> Tensor:
    return torch.tensor([cells]) * 4 + 1.5


def tiny() -> Compositional:
    torch.manual_seed(0)
    return Compositional(channels=32, stem=4, input_size=(64, 64)).eval()


def test_a_bone_is_a_ridge_between_its_ends() -> None:
    level = HEAD.encode(at((1, 2), (3, 2), (3, 2)))[0, 3]
    near, far = [0.6065307, 1.0, 1.0, 1.0, 0.6065307], [0.3678794, 0.6065307, 0.6065307, 0.6065307, 0.3678794]
    edge = [0.0820850, 0.1353353, 0.1353353, 0.1353353, 0.0820850]
    torch.testing.assert_close(level, torch.tensor([edge, far, near, far, edge]), atol=1e-6, rtol=0)


def test_a_slanted_bone() -> None:
    """From (0, 0) to (2, 2): (1, 0) is 1/sqrt 2 from it, (2, 0) sqrt 2, (3, 2) 1 from its end, (4, 4) sqrt 8."""
    bone = HEAD.encode(at((0, 0), (2, 2), (2, 2)))[0, 3]
    assert [bone[0, 0].item(), bone[1, 1].item(), bone[2, 2].item()] == pytest.approx([1.0, 1.0, 1.0])
    assert bone[0, 1].item() == bone[1, 0].item() == pytest.approx(exp(-0.25))
    assert bone[0, 2].item() == pytest.approx(exp(-1.0))
    assert bone[2, 3].item() == pytest.approx(exp(-0.5))
    assert bone[4, 4].item() == pytest.approx(exp(-4.0))


def test_a_bone_of_no_length_is_a_keypoint() -> None:
    drawn = HEAD.encode(at((1, 2), (3, 1), (3, 1)))[0]
    torch.testing.assert_close(drawn[4], drawn[1])


def test_levels_and_their_order() -> None:
    """3 keypoints; 2 bones and 3 ends; 1 limb, the higher of its bones, and 3 ends."""
    keypoints = at((0, 1), (3, 2), (4, 4))
    drawn = HEAD.encode(keypoints)[0]
    ends = HEAD.joints.encode(keypoints)[0]
    assert HEAD.levels == (3, 5, 4)
    assert drawn.shape == (12, 5, 5)
    for start in (0, 5, 9):
        assert torch.equal(drawn[start : start + 3], ends)
    assert torch.equal(drawn[8], torch.maximum(drawn[3], drawn[4]))
    decoded, scores = HEAD.decode(drawn[None])
    torch.testing.assert_close(decoded, keypoints)
    torch.testing.assert_close(scores, torch.ones(1, 3))


def test_the_bones_and_limbs_of_the_paper() -> None:
    """16 keypoints, 12 bones, 6 limbs; the two bones of a limb meet where it bends."""
    model = tiny()
    assert model.head.levels == (16, 12 + 16, 6 + 16)
    assert len(set(BONES)) == 12
    assert sorted(row for limb in LIMBS for row in limb) == list(range(12))
    bends = [set(BONES[a]) & set(BONES[b]) for a, b in LIMBS]
    assert bends == [
        {"right_knee"},
        {"left_knee"},
        {"pelvis"},
        {"upper_neck"},
        {"right_elbow"},
        {"left_elbow"},
    ]
    assert model.head.bones[0] == (0, 1)
    assert model.head.bones[6] == (7, 8)
    for a, b in model.head.bones:
        pair = (MPII_16.keypoints[a], MPII_16.keypoints[b])
        assert pair in MPII_16.limbs or pair[::-1] in MPII_16.limbs


@pytest.mark.parametrize(
    ("channel", "expected"),
    [(0, 1 / 3), (3, 1 / 5), (4, 1 / 5), (5, 1 / 5), (8, 0.5 / 4), (11, 0.5 / 4)],
)
def test_an_error_of_one_on_one_map(channel: int, expected: float) -> None:
    """Each level is the mean over its maps; the highest weighs half, for it is in two stages."""
    target = HEAD.encode(at((0, 1), (3, 2), (4, 4)))
    raw = target.clone()
    raw[:, channel] += 1.0
    loss = HEAD.loss(raw, target, torch.ones(1, 3, dtype=torch.bool))
    assert loss.tolist() == pytest.approx([expected])


def test_a_part_counts_where_all_its_keypoints_do() -> None:
    """Without the first keypoint: its own maps, the first bone and the limb are left out."""
    target = HEAD.encode(at((0, 1), (3, 2), (4, 4)))
    visible = torch.tensor([[False, True, True]])
    counted = []
    for channel in range(12):
        raw = target.clone()
        raw[:, channel] += 1.0
        if HEAD.loss(raw, target, visible).item() > 0:
            counted.append(channel)
    assert counted == [1, 2, 4, 6, 7, 10, 11]


def test_the_sum_over_the_stages_is_the_sum_of_five_errors() -> None:
    model = tiny()
    maps = outputs(model)
    stages = model(torch.rand(2, 3, 64, 64)).stages
    keypoints = torch.rand(2, 16, 2) * 63
    target = model.head.encode(keypoints)
    ours = sum(model.head.loss(raw, target, torch.ones(2, 16, dtype=torch.bool)) for raw in stages)
    low, middle, high = torch.split(target, [16, 28, 22], dim=1)
    errors = [
        (raw - truth).square().mean(dim=(1, 2, 3))
        for raw, truth in zip(maps, (low, middle, high, middle, low), strict=True)
    ]
    torch.testing.assert_close(ours, torch.stack(errors).sum(dim=0))


def outputs(model: Compositional) -> list[Tensor]:
    """Collect the output of each hourglass, in order."""
    found: list[Tensor] = []
    for layer in model.to_maps:
        layer.register_forward_hook(lambda module, given, made: found.append(made))
    return found


def test_up_then_down() -> None:
    """Keypoints, bones, limbs, bones again, keypoints again: each hangs on all before it, on none after."""
    model = tiny()
    maps = outputs(model)
    up, down = model(torch.rand(1, 3, 64, 64)).stages
    assert [m.shape[1] for m in maps] == [16, 28, 22, 28, 16]
    assert torch.equal(up, torch.cat([maps[0], maps[1], maps[2]], dim=1))
    assert torch.equal(down, torch.cat([maps[4], maps[3], maps[2]], dim=1))
    for later in range(5):
        gradients = torch.autograd.grad(maps[later].sum(), maps, retain_graph=True, allow_unused=True)
        for earlier, gradient in enumerate(gradients):
            if earlier < later:
                assert gradient is not None and gradient.abs().max() > 0, (earlier, later)
            elif earlier > later:
                assert gradient is None, (earlier, later)


def test_the_way_down_sees_its_own_level_of_the_way_up() -> None:
    model = tiny()
    maps = outputs(model)
    inputs: list[Tensor] = []
    for hourglass in model.hourglasses:
        hourglass.register_forward_pre_hook(lambda module, given: inputs.append(given[0]))
    with torch.no_grad():
        model(torch.rand(1, 3, 64, 64))
    assert torch.equal(inputs[3][:, :28], maps[1])
    assert torch.equal(inputs[4][:, :16], maps[0])
    assert all(given.shape[1] == 32 for given in inputs)


def test_the_keypoints_are_the_refined_ones() -> None:
    model = tiny()
    maps = outputs(model)
    with torch.no_grad():
        output = model(torch.rand(1, 3, 64, 64))
    expected, _ = model.head.joints.decode(maps[4])
    assert torch.equal(output.keypoints, expected)


def residual(inputs: int, outputs: int) -> int:
    half = outputs // 2
    norms = 2 * (inputs + half + half)
    convolutions = inputs * half + half + 9 * half * half + half + half * outputs + outputs
    return norms + convolutions + (0 if inputs == outputs else inputs * outputs + outputs)


def test_published_dlcm_has_the_parameters_of_its_layout() -> None:
    """15.4 M: the successor's src/models/dlmscm.lua with plain residual modules, every convolution with its bias.

    Five hourglasses of 13 modules with no module behind them, the maps, what is handed on, the room made.
    """
    c, maps = 256, (16, 28, 22, 28, 16)
    total = 3 * 64 * 49 + 3 * 64 + residual(64, 128) + residual(128, 128) + residual(128, c)
    total += sum(13 * residual(c, c) + c * c + 3 * c + c * count + count for count in maps)
    total += sum(c * c + c + count * c + c for count in maps[:-1])
    total += residual(c, c - 28) + residual(c, c - 16)
    ours = sum(parameter.numel() for parameter in build("dlcm", size="published").parameters())
    assert ours == 15_410_474
    assert ours == pytest.approx(total, rel=0.02)
