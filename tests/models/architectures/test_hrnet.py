"""HRNet: parallel resolutions that exchange."""

import pytest
import torch
from torch import Tensor, nn

from robustpose.models import build
from robustpose.models.architectures.hrnet import Exchange, HRNet, Parallel, path


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def modules_of(model: HRNet) -> list[Parallel]:
    return [module for module in model.modules() if isinstance(module, Parallel)]


def test_four_resolutions_run_in_parallel() -> None:
    """A branch joins each stage, at half the resolution and twice the width; all last to the final exchange."""
    model = build("hrnet").eval()
    assert isinstance(model, HRNet)
    given: list[list[tuple[int, ...]]] = []
    made: list[list[tuple[int, ...]]] = []
    for module in modules_of(model):
        module.register_forward_pre_hook(lambda m, inputs: given.append([tuple(x.shape[1:]) for x in inputs[0]]))
        module.register_forward_hook(lambda m, inputs, out: made.append([tuple(x.shape[1:]) for x in out]))
    with torch.no_grad():
        model(torch.rand(1, 3, 128, 128))
    branches = [(16, 32, 32), (32, 16, 16), (64, 8, 8), (128, 4, 4)]
    counts = [2] + 3 * [3] + 2 * [4]
    assert given == [branches[:n] for n in counts]
    assert made == [branches[:n] for n in counts[:-1]] + [branches[:1]]


def test_every_branch_hears_every_other() -> None:
    torch.manual_seed(0)
    widths = (4, 8, 16, 32)
    exchange = Exchange(widths, outputs=4).eval()
    inputs = [torch.rand(1, width, 16 // 2**i, 16 // 2**i, requires_grad=True) for i, width in enumerate(widths)]
    outputs = exchange(inputs)
    for i, output in enumerate(outputs):
        assert output.shape == inputs[i].shape
        gradients = torch.autograd.grad(output.sum(), inputs, retain_graph=True)
        assert all((gradient != 0).any() for gradient in gradients), f"branch {i} is deaf"


def test_the_lowest_resolution_reaches_the_highest_and_the_heatmaps() -> None:
    """The last exchange in training mode: the lowest branch gets a gradient."""
    torch.manual_seed(0)
    model = build("hrnet")
    assert isinstance(model, HRNet)
    lowest: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, out: Tensor) -> None:
        out.retain_grad()
        lowest.append(out)

    modules_of(model)[-1].branches[3].register_forward_hook(keep)
    output = model(torch.rand(2, 3, 128, 128))
    output.stages[0].square().sum().backward()
    assert lowest[0].shape == (2, 128, 4, 4)
    assert lowest[0].grad is not None
    assert (lowest[0].grad != 0).any()
    assert all(parameter.grad is not None for parameter in model.parameters()), "a layer that nothing uses"


def test_an_exchange_is_the_sum_of_its_ways() -> None:
    torch.manual_seed(0)
    exchange = Exchange((4, 8, 16), outputs=1).eval()
    inputs = [torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4), torch.randn(1, 16, 2, 2)]
    (ways,) = exchange.paths
    assert isinstance(ways, nn.ModuleList)
    with torch.no_grad():
        expected = (inputs[0] + ways[1](inputs[1]) + ways[2](inputs[2])).clamp(min=0)
        torch.testing.assert_close(exchange(inputs)[0], expected)
        # Up by nearest neighbours: every block of 4x4 says one thing.
        up = ways[2](inputs[2])
    assert torch.equal(up, up[..., ::4, ::4].repeat_interleave(4, dim=2).repeat_interleave(4, dim=3))


def test_ways_down_stride_and_ways_up_are_1x1() -> None:
    down = [module for module in path((4, 8, 16, 32), 0, 3).modules() if isinstance(module, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in down] == [
        (4, 4, (3, 3), (2, 2)),
        (4, 4, (3, 3), (2, 2)),
        (4, 32, (3, 3), (2, 2)),
    ]
    up = [module for module in path((4, 8, 16, 32), 3, 1).modules() if isinstance(module, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in up] == [(32, 8, (1, 1), (1, 1))]


def test_published_hrnet_has_the_parameters_of_its_publication() -> None:
    """28.5 M: HRNet-W32, table 1 of arXiv 1902.09212."""
    model = build("hrnet", size="published")
    assert parameters(model) == pytest.approx(28.5e6, rel=0.02)
    assert isinstance(model, HRNet)
    assert [len(module.branches) for module in modules_of(model)] == [2] + 4 * [3] + 3 * [4]
    assert len(model.first) == 4
