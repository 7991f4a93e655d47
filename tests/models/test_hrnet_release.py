"""HRNets of the official code: every tensor is loaded into its layer, and the outputs agree."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models import build
from robustpose.models.releases import pose_hrnet
from robustpose.skeletons import COCO_17, MPII_16

State = dict[str, Tensor]
WIDTH = 4
MODULES = {"stage2": 1, "stage3": 4, "stage4": 3}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def release(*, width: int = WIDTH, k: int = 16, counters: bool = True) -> State:
    """Make a state dict of pose_hrnet with all tensors different."""
    generator = torch.Generator().manual_seed(5)
    state: State = {}

    def unit(conv: str, norm: str, inputs: int, outputs: int, kernel: int) -> None:
        spread = (2 / (inputs * kernel * kernel)) ** 0.5
        state[f"{conv}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * spread
        state[f"{norm}.weight"] = torch.rand(outputs, generator=generator) + 0.5
        state[f"{norm}.bias"] = torch.randn(outputs, generator=generator) * 0.1
        state[f"{norm}.running_mean"] = torch.randn(outputs, generator=generator) * 0.1
        state[f"{norm}.running_var"] = torch.rand(outputs, generator=generator) + 0.5
        if counters:
            state[f"{norm}.num_batches_tracked"] = torch.tensor(len(state))

    widths = [width * 2**i for i in range(4)]
    unit("conv1", "bn1", 3, 64, 3)
    unit("conv2", "bn2", 64, 64, 3)
    for i in range(4):
        for j, (inputs, outputs, kernel) in enumerate(
            [(64 if i == 0 else 256, 64, 1), (64, 64, 3), (64, 256, 1)], 1
        ):
            unit(f"layer1.{i}.conv{j}", f"layer1.{i}.bn{j}", inputs, outputs, kernel)
    unit("layer1.0.downsample.0", "layer1.0.downsample.1", 64, 256, 1)
    unit("transition1.0.0", "transition1.0.1", 256, widths[0], 3)
    unit("transition1.1.0.0", "transition1.1.0.1", 256, widths[1], 3)
    for at, branch in (("transition2", 2), ("transition3", 3)):
        unit(f"{at}.{branch}.0.0", f"{at}.{branch}.0.1", widths[branch - 1], widths[branch], 3)
    for n, (stage, modules) in enumerate(MODULES.items(), start=2):
        for m in range(modules):
            here = f"{stage}.{m}"
            for b in range(n):
                for block in range(4):
                    for j in (1, 2):
                        at = f"{here}.branches.{b}.{block}"
                        unit(f"{at}.conv{j}", f"{at}.bn{j}", widths[b], widths[b], 3)
            for to in range(1 if stage == "stage4" and m == modules - 1 else n):
                for source in range(n):
                    at = f"{here}.fuse_layers.{to}.{source}"
                    if source > to:
                        unit(f"{at}.0", f"{at}.1", widths[source], widths[to], 1)
                    for k_ in range(to - source):
                        outputs = widths[to] if k_ == to - source - 1 else widths[source]
                        unit(f"{at}.{k_}.0", f"{at}.{k_}.1", widths[source], outputs, 3)
    state["final_layer.weight"] = torch.randn(k, width, 1, 1, generator=generator)
    state["final_layer.bias"] = torch.randn(k, generator=generator)
    return state


def apply(state: State, conv: str, norm: str, x: Tensor, *, stride: int = 1, relu: bool = True) -> Tensor:
    weight = state[f"{conv}.weight"]
    x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    x = F.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"])
    return F.relu(x) if relu else x


def block(state: State, at: str, x: Tensor, *, convolutions: int) -> Tensor:
    y = x
    for j in range(1, convolutions + 1):
        y = apply(state, f"{at}.conv{j}", f"{at}.bn{j}", y, relu=j < convolutions)
    if f"{at}.downsample.0.weight" in state:
        x = apply(state, f"{at}.downsample.0", f"{at}.downsample.1", x, relu=False)
    return F.relu(x + y)


def fuse(state: State, at: str, x: Tensor, *, source: int, to: int) -> Tensor:
    if source > to:
        raised = apply(state, f"{at}.0", f"{at}.1", x, relu=False)
        return F.interpolate(raised, scale_factor=2 ** (source - to), mode="nearest")
    for k in range(to - source):
        x = apply(state, f"{at}.{k}.0", f"{at}.{k}.1", x, stride=2, relu=k < to - source - 1)
    return x


def their_heatmaps(state: State, images: Tensor) -> Tensor:
    """Run the model of the official code, layer by layer."""
    x = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    x = apply(state, "conv2", "bn2", apply(state, "conv1", "bn1", x, stride=2), stride=2)
    for i in range(4):
        x = block(state, f"layer1.{i}", x, convolutions=3)
    fine = apply(state, "transition1.0.0", "transition1.0.1", x)
    branches = [fine, apply(state, "transition1.1.0.0", "transition1.1.0.1", x, stride=2)]
    for n, (stage, modules) in enumerate(MODULES.items(), start=2):
        if n > 2:
            at = f"transition{n - 1}.{n - 1}.0"
            branches = [*branches, apply(state, f"{at}.0", f"{at}.1", branches[-1], stride=2)]
        for m in range(modules):
            for b in range(n):
                for i in range(4):
                    branches[b] = block(state, f"{stage}.{m}.branches.{b}.{i}", branches[b], convolutions=2)
            fused = []
            for to in range(n):
                at = f"{stage}.{m}.fuse_layers.{to}"
                if not any(name.startswith(f"{at}.") for name in state):
                    continue
                ways = [fuse(state, f"{at}.{j}", branches[j], source=j, to=to) for j in range(n)]
                fused.append(F.relu(torch.stack(ways).sum(dim=0)))
            branches = fused
    return F.conv2d(branches[0], state["final_layer.weight"], state["final_layer.bias"])


@pytest.mark.parametrize(("k", "skeleton"), [(16, MPII_16), (17, COCO_17)])
def test_the_outputs_are_theirs(k: int, skeleton: object) -> None:
    state = release(k=k)
    model = pose_hrnet(state, input_size=(64, 96))
    assert model.skeleton is skeleton
    assert not model.training
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        (ours,), theirs = model(images).stages, their_heatmaps(state, images)
    assert ours.shape == (2, k, 16, 24)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def test_saved_by_data_parallel_and_without_counters() -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in release(counters=False).items()}
    expected, given = (pose_hrnet(state).state_dict() for state in (release(), wrapped))
    assert all(torch.equal(given[name], expected[name]) for name in expected if "num_batches" not in name)


def test_w32_is_the_published_model() -> None:
    state = release(width=32)
    learned = [tensor for name, tensor in state.items() if "running" not in name and "num_batches" not in name]
    published = build("hrnet", size="published").state_dict()
    assert sum(tensor.numel() for tensor in learned) == pytest.approx(28.5e6, rel=0.002), (
        "28.5 M (arXiv 1902.09212)"
    )
    loaded = pose_hrnet(state).state_dict()
    assert {name: tensor.shape for name, tensor in loaded.items()} == {
        name: tensor.shape for name, tensor in published.items()
    }


def test_states_of_other_models_are_one_line() -> None:
    lacking = release()
    del lacking["stage3.2.fuse_layers.2.0.0.0.weight"]
    surplus = release() | {"incre_modules.0.weight": torch.zeros(1)}
    misshapen = release() | {"conv2.weight": torch.zeros(64, 3, 3, 3)}
    classifier = {name: tensor for name, tensor in release().items() if not name.startswith("final_layer")}
    for state, message in (
        ({}, "not a pose_hrnet: final_layer.weight is missing"),
        (classifier, "not a pose_hrnet: final_layer.weight is missing"),
        (lacking, r"in our names: missing: stages\.1\.2\.exchange\.paths\.2\.0\.0\.0\.weight$"),
        (release() | {"stage2.fuse_layers": torch.zeros(1)}, r"unexpected: stages\.0\.fuse_layers$"),
        (surplus, r"unexpected: incre_modules\.0\.weight$"),
        (misshapen, r"of another shape: stem\.1\.0\.weight \(64, 3, 3, 3\) for \(64, 64, 3, 3\)$"),
        (release(k=21), r"expected 16 maps \(MPII\) or 17 \(COCO\), got 21"),
    ):
        with pytest.raises(RobustPoseError, match=message) as caught:
            pose_hrnet(state)
        assert "\n" not in str(caught.value)
