"""Chained: which keypoints are inputs of which, in which order, and how a map is embedded."""

import pytest
import torch
from torch import Tensor, nn

from robustpose.models import build
from robustpose.models.architectures.chained import FROM_THE_HEAD, Chained, Deception, take_in
from robustpose.skeletons import MPII_16

K = len(MPII_16)


def tiny(order: tuple[str, ...] = FROM_THE_HEAD) -> Chained:
    torch.manual_seed(0)
    model = Chained(blocks=(1, 1, 1), width=4, hidden=8, kernel=2, input_size=(64, 64), order=order)
    return model.eval()


def watched(model: Chained) -> list[Tensor]:
    """Collect each keypoint's map as it is found."""
    found: list[Tensor] = []
    for deception in model.deceptions:
        deception.register_forward_hook(lambda module, given, made: found.append(made))
    return found


def test_a_keypoint_hangs_on_every_earlier_one_and_on_no_later_one() -> None:
    model = tiny()
    found = watched(model)
    model(torch.rand(1, 3, 64, 64))
    assert len(found) == K
    for later in range(K):
        gradients = torch.autograd.grad(found[later].sum(), found, retain_graph=True, allow_unused=True)
        for earlier, gradient in enumerate(gradients):
            if earlier < later:
                assert gradient is not None and gradient.abs().max() > 0, (earlier, later)
            elif earlier > later:
                assert gradient is None, (earlier, later)


def test_an_earlier_map_reaches_the_next_hidden_state_directly() -> None:
    """The dependence is direct: each pair of keypoints has weights of its own."""
    model = tiny()
    assert [len(earlier) for earlier in model.take_in] == list(range(1, K))  # type: ignore[arg-type]
    with torch.no_grad():
        before = model(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))).stages[0]
        last = model.take_in[K - 2]
        assert isinstance(last, nn.ModuleList)
        for parameter in last[0].parameters():
            parameter.add_(1.0)
        after = model(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))).stages[0]
    changed = [name for k, name in enumerate(MPII_16.keypoints) if not torch.equal(before[:, k], after[:, k])]
    assert changed == [FROM_THE_HEAD[-1]]


def test_maps_come_in_the_skeletons_order() -> None:
    model = tiny()
    found = watched(model)
    (raw,) = model(torch.rand(2, 3, 64, 64)).stages
    assert raw.shape == (2, 16, 16, 16)
    for place, name in enumerate(FROM_THE_HEAD):
        assert torch.equal(raw[:, MPII_16.index(name)], found[place][:, 0])


def test_each_keypoint_is_found_after_a_neighbour() -> None:
    assert FROM_THE_HEAD[0] == "head_top"
    assert sorted(FROM_THE_HEAD) == sorted(MPII_16.keypoints)
    for place, name in enumerate(FROM_THE_HEAD[1:], start=1):
        earlier = FROM_THE_HEAD[:place]
        assert any(name in limb and (set(limb) - {name}) <= set(earlier) for limb in MPII_16.limbs), name


def test_the_order_is_free_and_complete() -> None:
    model = tiny(order=MPII_16.keypoints)
    found = watched(model)
    (raw,) = model(torch.rand(1, 3, 64, 64)).stages
    assert torch.equal(raw, torch.cat(found, dim=1))
    with pytest.raises(ValueError, match="every keypoint of mpii_16 once"):
        tiny(order=FROM_THE_HEAD[:-1])


def test_deception_sums_three_kernels_twice() -> None:
    """Kernels of ones, one channel: 1 becomes four 3s; their sums, by hand, are 18, 21 and 27."""
    model = Deception(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.start.weight[0, 0] = 1.0
        for doubling in model.doublings:
            assert isinstance(doubling, nn.ModuleList)
            for deconvolve in doubling:
                assert isinstance(deconvolve.weight, Tensor)
                deconvolve.weight.fill_(1.0)
        model.end.weight[0, 0, 1, 1] = 1.0
        drawn = model(torch.ones(1, 2, 1, 1))
    expected = torch.tensor(
        [[18.0, 21, 21, 18], [21, 27, 27, 21], [21, 27, 27, 21], [18, 21, 21, 18]],
    )
    assert torch.equal(drawn[0, 0], expected)


@pytest.mark.parametrize(("kernel", "seen"), [(1, 1 / 16), (2, 1.0)])
def test_how_much_of_a_map_is_seen(kernel: int, seen: float) -> None:
    """1x1 convolutions of stride 2, as in the paper studied, skip cells; 2x2 skip none."""
    torch.manual_seed(0)
    model = take_in(4, kernel=kernel).eval()
    drawn = torch.rand(1, 1, 32, 32, requires_grad=True)
    hidden = model(drawn)
    assert hidden.shape == (1, 4, 8, 8)
    (gradient,) = torch.autograd.grad(hidden.square().sum(), drawn)
    assert (gradient != 0).float().mean() == pytest.approx(seen)


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_published_chained_has_the_parameters_of_the_studied_code() -> None:
    """ResNet-34 without its classifier, 64 hidden channels; counted from the layers of that code.

    It also holds layers that it never calls: a 16th step of 16 inputs and the heads' batch norms, 145,600 in all.
    """
    trunk = 21_797_672 - 513_000
    start = 512 * 64 + 64
    head = 64 * 32 + 32 + 2 * (32 * 32 * (4 + 16 + 36) + 3 * 32) + 9 * 32 + 1
    step = 64 * 64 + 64 + 2 * 64
    pair = 64 + 64 + 2 * (64 * 64 + 64 + 2 * 64)
    called = trunk + start + 16 * head + 15 * step + 120 * pair
    uncalled = step + 16 * pair + 16 * 2 * 64
    model = build("chained", size="published")
    assert parameters(model) == called == 24_302_288
    assert uncalled == 145_600
    assert parameters(model) == pytest.approx(called + uncalled, rel=0.02)


@pytest.mark.parametrize("size", ["compact", "published"])
def test_maps_are_32_by_32(size: str) -> None:
    model = build("chained", size=size)
    assert isinstance(model, Chained)
    assert model.head.heatmap_size == (32, 32)
