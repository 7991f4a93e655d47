"""Stacked hourglass: the input of a stack, and parameter counts."""

import pytest
import torch
from torch import Tensor, nn

from robustpose.models import build
from robustpose.models.architectures.hourglass import StackedHourglass


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def tiny(*, stacks: int = 2, mean: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> StackedHourglass:
    torch.manual_seed(0)
    model = StackedHourglass(stacks=stacks, channels=8, modules=1, stem=(4, 8, 8), input_size=(64, 64), mean=mean)
    return model.eval()


def test_a_stack_sees_the_one_before() -> None:
    """Its input is the input of the last stack, plus that one's features and heatmaps, each through a 1x1."""
    model = tiny()
    inputs: list[Tensor] = []
    features: list[Tensor] = []
    for stack in model.hourglasses:
        stack.register_forward_pre_hook(lambda module, given: inputs.append(given[0]))
        stack.register_forward_hook(lambda module, given, made: features.append(made))
    with torch.no_grad():
        output = model(torch.rand(1, 3, 64, 64))
        for i in range(2):
            torch.testing.assert_close(output.stages[i], model.to_heatmaps[i](features[i]))
        handed_on = model.from_features[0](features[0]) + model.from_heatmaps[0](output.stages[0])
    torch.testing.assert_close(inputs[1], inputs[0] + handed_on)


def test_the_mean_is_taken_off_first_and_is_no_weight() -> None:
    mean = (0.25, 0.5, 0.75)
    plain, shifted = tiny(), tiny(mean=mean)
    assert list(plain.state_dict()) == list(shifted.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = plain(images - torch.tensor(mean)[:, None, None]).stages[-1]
        assert torch.equal(shifted(images).stages[-1], expected)
        assert not torch.equal(plain(images).stages[-1], expected)


def residual(inputs: int, outputs: int) -> int:
    """Three batch norms, 1x1, 3x3 and 1x1 (with bias) at half the width, and a 1x1 shortcut where it must."""
    half = outputs // 2
    norms = 2 * (inputs + half + half)
    convolutions = inputs * half + 9 * half * half + half * outputs + outputs
    return norms + convolutions + (0 if inputs == outputs else inputs * outputs + outputs)


def stacked_hourglass(*, stacks: int, channels: int, modules: int, stem: int, k: int = 16) -> int:
    start = 3 * stem * 49 + 2 * stem + residual(stem, 2 * stem) + residual(2 * stem, 2 * stem)
    start += residual(2 * stem, channels)
    # Four scales of stay, down and up, the innermost once more, and one place after the hourglass.
    each = (4 * 3 + 1 + 1) * modules * residual(channels, channels)
    each += channels * channels + 2 * channels + channels * k + k
    between = channels * channels + channels + k * channels + channels
    return start + stacks * each + (stacks - 1) * between


@pytest.mark.parametrize(("name", "stacks", "expected"), [("shg2", 2, 6_562_144), ("shg8", 8, 25_402_816)])
def test_published_models_have_the_parameters_of_their_drawing(name: str, stacks: int, expected: int) -> None:
    """256 channels, 1 module a place, as in the authors' release; counted by hand, layer by layer."""
    assert stacked_hourglass(stacks=stacks, channels=256, modules=1, stem=64) == expected
    assert parameters(build(name, size="published")) == expected


def test_shg8_has_the_size_of_the_authors_release() -> None:
    """25,434,112, counted from src/models/hg.lua of pose-hg-train: ours and biases before batch norms."""
    biases = 64 + 2 * 64 + 2 * 64 + 2 * 128 + 8 * (14 * 2 * 128 + 256)
    assert parameters(build("shg8", size="published")) + biases == 25_434_112


def test_shg2_has_the_size_that_others_publish() -> None:
    """6.73 M for 2 stacks in the public PyTorch port (bearpaw/pytorch-pose, hg_s2_b1).

    That port's second and third modules of the stem give 256 channels where the original and ours give 128 and
    256; and its convolutions before batch norms have biases, 8,256 in all.
    """
    ours = parameters(build("shg2", size="published"))
    wider = residual(128, 256) + residual(256, 256) - residual(128, 128) - residual(128, 256)
    biases = 64 + 64 + 64 + 4 * 128 + 2 * 14 * 2 * 128 + 2 * 256
    assert ours + wider + biases == 6_730_912


def test_compact_stacks_are_alike() -> None:
    """8-SHG is 2-SHG with six more stacks of the same width and modules."""
    two, eight = build("shg2"), build("shg8")
    shapes = {name: tuple(tensor.shape) for name, tensor in eight.state_dict().items()}
    for name, tensor in two.state_dict().items():
        assert shapes[name] == tuple(tensor.shape)
    each = stacked_hourglass(stacks=2, channels=64, modules=1, stem=16)
    each -= stacked_hourglass(stacks=1, channels=64, modules=1, stem=16)
    assert parameters(eight) == parameters(two) + 6 * each
