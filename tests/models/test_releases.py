"""Models released by others: every tensor is loaded into its layer, and the outputs agree."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models.releases import MPII_MEAN, pytorch_pose_hourglass

K = 16
DEPTH = 4
State = dict[str, Tensor]


def release(
    *, stacks: int, modules: int = 1, stem: int = 4, planes: int = 8, k: int = K, counters: bool = True
) -> State:
    """Make a state dict of pytorch-pose's HourglassNet; a block gives twice its planes."""
    generator = torch.Generator().manual_seed(3)
    state: State = {}

    def convolution(name: str, inputs: int, outputs: int, kernel: int) -> None:
        spread = (inputs * kernel * kernel) ** -0.5
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * spread
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator)

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = torch.rand(width, generator=generator) + 0.5
        state[f"{name}.bias"] = torch.randn(width, generator=generator)
        state[f"{name}.running_mean"] = torch.randn(width, generator=generator)
        state[f"{name}.running_var"] = torch.rand(width, generator=generator) + 0.5
        if counters:
            state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def block(name: str, inputs: int, half: int) -> None:
        norm(f"{name}.bn1", inputs)
        convolution(f"{name}.conv1", inputs, half, 1)
        norm(f"{name}.bn2", half)
        convolution(f"{name}.conv2", half, half, 3)
        norm(f"{name}.bn3", half)
        convolution(f"{name}.conv3", half, 2 * half, 1)
        if inputs != 2 * half:
            convolution(f"{name}.downsample.0", inputs, 2 * half, 1)

    convolution("conv1", 3, stem, 7)
    norm("bn1", stem)
    block("layer1.0", stem, stem)
    block("layer2.0", 2 * stem, 2 * stem)
    block("layer3.0", 4 * stem, planes)
    width = 2 * planes
    for i in range(stacks):
        for scale in range(DEPTH):
            for place in range(4 if scale == 0 else 3):
                for j in range(modules):
                    block(f"hg.{i}.hg.{scale}.{place}.{j}", width, planes)
        for j in range(modules):
            block(f"res.{i}.{j}", width, planes)
        convolution(f"fc.{i}.0", width, width, 1)
        norm(f"fc.{i}.1", width)
        convolution(f"score.{i}", width, k, 1)
        if i < stacks - 1:
            convolution(f"fc_.{i}", width, width, 1)
            convolution(f"score_.{i}", k, width, 1)
    return state


def conv(state: State, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], stride=stride, padding=weight.shape[-1] // 2)


def norm_relu(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.relu(F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"]))


def blocks(state: State, name: str, x: Tensor) -> Tensor:
    j = 0
    while f"{name}.{j}.conv1.weight" in state:
        at, y = f"{name}.{j}", x
        for n in (1, 2, 3):
            y = conv(state, f"{at}.conv{n}", norm_relu(state, f"{at}.bn{n}", y))
        x = y + (conv(state, f"{at}.downsample.0", x) if f"{at}.downsample.0.weight" in state else x)
        j += 1
    return x


def hourglass(state: State, name: str, x: Tensor, *, scale: int) -> Tensor:
    low = blocks(state, f"{name}.{scale}.1", F.max_pool2d(x, 2))
    if scale > 0:
        low = hourglass(state, name, low, scale=scale - 1)
    else:
        low = blocks(state, f"{name}.0.3", low)
    low = blocks(state, f"{name}.{scale}.2", low)
    return blocks(state, f"{name}.{scale}.0", x) + F.interpolate(low, scale_factor=2)


def their_outputs(state: State, images: Tensor, *, stacks: int) -> list[Tensor]:
    """Run the model of pytorch-pose, layer by layer."""
    x = norm_relu(state, "bn1", conv(state, "conv1", images - torch.tensor(MPII_MEAN)[:, None, None], stride=2))
    x = F.max_pool2d(blocks(state, "layer1", x), 2)
    x = blocks(state, "layer3", blocks(state, "layer2", x))
    scores: list[Tensor] = []
    for i in range(stacks):
        y = blocks(state, f"res.{i}", hourglass(state, f"hg.{i}.hg", x, scale=DEPTH - 1))
        y = norm_relu(state, f"fc.{i}.1", conv(state, f"fc.{i}.0", y))
        scores.append(conv(state, f"score.{i}", y))
        if i < stacks - 1:
            x = x + conv(state, f"fc_.{i}", y) + conv(state, f"score_.{i}", scores[-1])
    return scores


@pytest.mark.parametrize(("stacks", "modules"), [(2, 1), (8, 1), (2, 2)])
def test_the_outputs_are_theirs(stacks: int, modules: int) -> None:
    state = release(stacks=stacks, modules=modules)
    model = pytorch_pose_hourglass(state, input_size=(64, 64))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = model(images).stages, their_outputs(state, images, stacks=stacks)
    assert len(ours) == stacks
    for given, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_saved_by_data_parallel_and_without_counters() -> None:
    plain = release(stacks=2)
    wrapped = {f"module.{name}": tensor for name, tensor in release(stacks=2, counters=False).items()}
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = pytorch_pose_hourglass(plain, input_size=(64, 64))(images).stages[-1]
        given = pytorch_pose_hourglass(wrapped, input_size=(64, 64))(images).stages[-1]
    assert torch.equal(given, expected)


def test_the_state_is_not_written_to() -> None:
    state = release(stacks=2)
    before = {name: tensor.clone() for name, tensor in state.items()}
    pytorch_pose_hourglass(state, input_size=(64, 64))
    assert list(state) == list(before)
    assert all(torch.equal(state[name], before[name]) for name in state)


@pytest.mark.parametrize(("stacks", "expected"), [(2, 6_730_912), (8, 25_594_624)])
def test_the_released_models_in_full(stacks: int, expected: int) -> None:
    """6.73 M and 25.59 M parameters: what the layers of hg_s2_b1 and hg_s8_b1 hold, biases and all."""
    state = release(stacks=stacks, stem=64, planes=128)
    learned = [tensor for name, tensor in state.items() if "running" not in name and "num_batches" not in name]
    assert sum(tensor.numel() for tensor in learned) == expected
    model = pytorch_pose_hourglass(state)
    assert model.input_size == (256, 256)
    assert model.head.heatmap_size == (64, 64)
    assert not model.training
    inner = model.state_dict()["hourglasses.1.0.inner.inner.inner.inner.0.conv2.weight"]
    assert torch.equal(inner, state["hg.1.hg.0.3.0.conv2.weight"])


def test_states_of_other_models_are_one_line() -> None:
    lacking = release(stacks=2)
    del lacking["hg.0.hg.2.1.0.conv2.weight"]
    surplus = release(stacks=2) | {"conv9.weight": torch.zeros(1)}
    misshapen = release(stacks=2)
    misshapen["score.1.weight"] = torch.zeros(K, 3, 1, 1)
    for state in ({}, {"fc.weight": torch.zeros(2, 2)}, lacking, surplus, misshapen):
        with pytest.raises(RobustPoseError, match="not a stacked hourglass of pytorch-pose") as caught:
            pytorch_pose_hourglass(state, input_size=(64, 64))
        assert "\n" not in str(caught.value)
    with pytest.raises(RobustPoseError, match="16 keypoints, got 17"):
        pytorch_pose_hourglass(release(stacks=2, k=17), input_size=(64, 64))
