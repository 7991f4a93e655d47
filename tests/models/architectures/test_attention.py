"""Attention-HG: the conditional random field, whose features are weighed, and by which maps."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustpose.models import build
from robustpose.models.architectures.attention import (
    Attention,
    AttentionHourglass,
    HourglassResidual,
    PartAttention,
    ScaledHourglass,
    Stack,
    mean_field,
)


def tiny(stacks: int = 2) -> AttentionHourglass:
    torch.manual_seed(0)
    model = AttentionHourglass(stacks=stacks, channels=8, stem=4, kernel=3, input_size=(64, 64))
    return model.eval()


def test_mean_field_by_hand() -> None:
    """A kernel that adds the four neighbours, on scores with corners 0, edges 1 and centre -2.

    Round one starts from the scores: corner sigmoid(0 + 1 + 1), edge sigmoid(1 + 0 + 0 - 2), centre
    sigmoid(-2 + 4); each further round adds the neighbours' beliefs to the scores.
    """
    cross = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        cross.weight.copy_(torch.tensor([[[[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]]]))
        assert cross.bias is not None
        cross.bias.zero_()
    unary = torch.tensor([[[[0.0, 1, 0], [1, -2, 1], [0, 1, 0]]]])
    rounds = {
        1: (0.8807971, 0.2689414, 0.8807971),
        2: (0.6313198, 0.9744787, 0.2840959),
        3: (0.8753329, 0.9273539, 0.8696554),
    }
    for iterations, (corner, edge, centre) in rounds.items():
        with torch.no_grad():
            belief = mean_field(unary, cross, iterations=iterations)[0, 0]
        expected = torch.tensor([[corner, edge, corner], [edge, centre, edge], [corner, edge, corner]])
        torch.testing.assert_close(belief, expected, atol=1e-6, rtol=0)


def test_three_rounds_share_one_kernel() -> None:
    torch.manual_seed(0)
    attention = Attention(4, maps=2, kernel=5)
    calls: list[Tensor] = []
    attention.spread.register_forward_hook(lambda module, given, made: calls.append(made))
    with torch.no_grad():
        drawn = attention(torch.rand(1, 4, 6, 6))
    assert len(calls) == 3
    assert drawn.shape == (1, 2, 6, 6)
    assert ((drawn > 0) & (drawn < 1)).all()
    # Each map spreads by itself: 5x5 weights and a bias.
    assert sum(parameter.numel() for parameter in attention.spread.parameters()) == 2 * 26


def test_part_attention_is_a_copy_of_the_features_for_each_keypoint() -> None:
    """The paper's form: weigh a copy of the features by the keypoint's own map, then score it."""
    torch.manual_seed(0)
    parts = PartAttention(6, keypoints=3, kernel=3)
    nn.init.normal_(parts.bias)
    features = torch.rand(2, 6, 5, 5)
    with torch.no_grad():
        given = parts(features)
        maps = parts.attention(features)
        for k in range(3):
            weighed = features * maps[:, k : k + 1]
            expected = F.conv2d(weighed, parts.score.weight[k : k + 1], parts.bias[k].reshape(1))
            torch.testing.assert_close(given[:, k : k + 1], expected)
    assert not torch.allclose(maps[:, 0], maps[:, 1])


def test_a_keypoints_attention_is_its_own() -> None:
    torch.manual_seed(0)
    parts = PartAttention(6, keypoints=3, kernel=3)
    features = torch.rand(1, 6, 5, 5)
    with torch.no_grad():
        before = parts(features)
        parts.attention.unary.weight[1] += 1.0
        parts.attention.spread.weight[1] += 1.0
        after = parts(features)
    assert [torch.equal(before[:, k], after[:, k]) for k in range(3)] == [True, False, True]


def test_features_are_weighed_by_the_sum_of_all_scales_maps() -> None:
    """The maps of 2x2, 4x4, 8x8 and 16x16, each from the features of its own scale, raised and added."""
    for stack in tiny().stacks:
        assert isinstance(stack, Stack)
        weighed: list[Tensor] = []
        stack.to_heatmaps.register_forward_pre_hook(lambda module, given, to=weighed: to.append(given[0]))
        x = torch.rand(1, 8, 16, 16)
        with torch.no_grad():
            stack(x)
            scales = stack.hourglass(x)
            refined = stack.second(stack.first(scales[-1]))
            maps = [draw(scale) for draw, scale in zip(stack.holistic, [*scales[:3], refined], strict=True)]
        assert [tuple(drawn.shape) for drawn in maps] == [(1, 1, side, side) for side in (2, 4, 8, 16)]
        summed = sum(F.interpolate(drawn, size=(16, 16), mode="nearest") for drawn in maps)
        torch.testing.assert_close(weighed[0], refined * summed)


def test_no_attention_no_score() -> None:
    """If every holistic map is 0, a stack outputs its bias."""
    stack = tiny().stacks[0]
    assert isinstance(stack, Stack)
    with torch.no_grad():
        for attention in stack.holistic:
            assert isinstance(attention, Attention)
            assert attention.unary.bias is not None
            attention.unary.bias.fill_(-1000.0)
        _, heatmaps = stack(torch.rand(1, 8, 16, 16))
    assert isinstance(stack.to_heatmaps, nn.Conv2d)
    assert stack.to_heatmaps.bias is not None
    torch.testing.assert_close(heatmaps, stack.to_heatmaps.bias[None, :, None, None].expand_as(heatmaps))


def test_the_later_half_attends_to_parts_and_the_last_is_wide() -> None:
    for stacks, parts in ((2, [False, True]), (8, [False] * 4 + [True] * 4)):
        model = tiny(stacks)
        assert [isinstance(stack.to_heatmaps, PartAttention) for stack in model.stacks] == parts
        widths = [stack.second[0].out_channels for stack in model.stacks]  # type: ignore[index,union-attr]
        assert widths == [8] * (stacks - 1) + [16]


def test_units_at_each_scale() -> None:
    """Finest first: 3, 2, 1 and 1 modules beside the way down; all but the first are hourglass residuals."""
    scale: object = ScaledHourglass(4, depth=4)
    found = []
    while isinstance(scale, ScaledHourglass):
        found.append([isinstance(unit, HourglassResidual) for unit in scale.stay])
        scale = scale.inner
    assert found == [[False, True, True], [False, True], [False], [False]]


def test_an_hourglass_residual_adds_a_branch_of_half_the_resolution() -> None:
    torch.manual_seed(0)
    unit = HourglassResidual(4).eval()
    x = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        added = unit(x) - unit.residual(x)
    blocks = added.reshape(1, 4, 4, 2, 4, 2)
    torch.testing.assert_close(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks), atol=1e-6, rtol=1e-5)
    assert added.std() > 0


def residual(inputs: int, outputs: int) -> int:
    half = outputs // 2
    norms = 2 * (inputs + half + half)
    convolutions = inputs * half + half + 9 * half * half + half + half * outputs + outputs
    return norms + convolutions + (0 if inputs == outputs else inputs * outputs + outputs)


def official(*, stacks: int = 8, c: int = 256, k: int = 16, kernel: int = 11) -> int:
    """Count the layers of the official train/models/hg-attention.lua, every convolution with its bias."""
    unit = residual(c, c) + 2 * (2 * c + 9 * c * c + c)
    total = 3 * 64 * 49 + 64 + 2 * 64 + 2 * residual(64, 64) + residual(64, 128)
    total += 2 * residual(128, 128) + residual(128, c)
    for i in range(1, stacks + 1):
        width = 2 * c if i == stacks else c
        attention = 9 * width + 1 + kernel * kernel + 1
        total += (4 + 4 * 2 + 1) * residual(c, c) + 3 * unit
        total += c * width + width * width + 6 * width + attention
        total += k * (attention + width + 1) if i > 4 else width * k + k
        if i < stacks:
            total += k * c + c + c * c + 3 * c
    return total


def test_published_has_the_parameters_of_the_official_code() -> None:
    """58.3 M by the official code (the paper gives no number).

    Ours has three more attention maps a stack, and no bias before a batch norm.
    """
    ours = sum(parameter.numel() for parameter in build("attention_hg", size="published").parameters())
    assert ours == 58_324_192
    assert ours == pytest.approx(official(), rel=0.02)
