"""Checkpoints by name: what is in the file decides the model, MMPose's names are known, nothing runs code."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

import robustpose as rp
from robustpose.errors import RobustPoseError
from robustpose.models.architectures.resdec import ResDec
from robustpose.models.architectures.resnet import Bottleneck, ResNet
from robustpose.models.architectures.rtmpose import RTMPose
from robustpose.models.heads import HeatmapHead, SimCCHead
from robustpose.models.importers.release import open_release
from robustpose.models.released import RELEASES, lattice_in, without_parts
from robustpose.models.torchvision_names import DEPTHS
from robustpose.skeletons import COCO_17, MPII_16
from tests.models import test_hrnet_release, test_torchvision_names
from tests.models.test_releases import release as hourglass_state

State = dict[str, Tensor]


def rtmpose_state(
    *, width: int = 8, blocks: tuple[int, ...] = (1, 2, 1, 1), k: int = 17, size: tuple[int, int] = (64, 96)
) -> State:
    """Make a state dict of MMPose's RTMPose, written from its layer names, each tensor unlike every other."""
    generator = torch.Generator().manual_seed(11)
    state: State = {}

    def draw(name: str, *shape: int, scale: float = 1.0) -> None:
        fan = max(1, torch.Size(shape[1:]).numel())
        state[name] = torch.randn(shape, generator=generator) * scale * (2 / fan) ** 0.5

    def conv(name: str, inputs: int, outputs: int, kernel: int, groups: int = 1) -> None:
        draw(f"{name}.conv.weight", outputs, inputs // groups, kernel, kernel)
        state[f"{name}.bn.weight"] = torch.rand(outputs, generator=generator) + 0.5
        state[f"{name}.bn.bias"] = torch.randn(outputs, generator=generator) * 0.1
        state[f"{name}.bn.running_mean"] = torch.randn(outputs, generator=generator) * 0.1
        state[f"{name}.bn.running_var"] = torch.rand(outputs, generator=generator) + 0.5
        state[f"{name}.bn.num_batches_tracked"] = torch.tensor(len(state))

    half = width // 2
    conv("backbone.stem.0", 3, half, 3)
    conv("backbone.stem.1", half, half, 3)
    conv("backbone.stem.2", half, width, 3)
    for stage, count in enumerate(blocks, start=1):
        inner, at = width * 2**stage, 1 if stage < 4 else 2
        conv(f"backbone.stage{stage}.0", inner // 2, inner, 3)
        if stage == 4:
            conv("backbone.stage4.1.conv1", inner, inner // 2, 1)
            conv("backbone.stage4.1.conv2", 2 * inner, inner, 1)
        for name in ("main_conv", "short_conv"):
            conv(f"backbone.stage{stage}.{at}.{name}", inner, inner // 2, 1)
        conv(f"backbone.stage{stage}.{at}.final_conv", inner, inner, 1)
        for block in range(count):
            here = f"backbone.stage{stage}.{at}.blocks.{block}"
            conv(f"{here}.conv1", inner // 2, inner // 2, 3)
            conv(f"{here}.conv2.depthwise_conv", inner // 2, inner // 2, 5, groups=inner // 2)
            conv(f"{here}.conv2.pointwise_conv", inner // 2, inner // 2, 1)
        draw(f"backbone.stage{stage}.{at}.attention.fc.weight", inner, inner, 1, 1)
        draw(f"backbone.stage{stage}.{at}.attention.fc.bias", inner, scale=0.1)
    hidden, keys = 24, 128
    draw("head.final_layer.weight", k, 16 * width, 7, 7)
    draw("head.final_layer.bias", k, scale=0.1)
    draw("head.mlp.0.g", 1)
    draw("head.mlp.1.weight", hidden, size[0] // 32 * (size[1] // 32))
    draw("head.gau.gamma", 2, keys)
    draw("head.gau.beta", 2, keys)
    draw("head.gau.o.weight", hidden, 2 * hidden)
    draw("head.gau.uv.weight", 4 * hidden + keys, hidden)
    draw("head.gau.ln.g", 1)
    draw("head.gau.res_scale.scale", hidden)
    draw("head.cls_x.weight", 2 * size[1], hidden)
    draw("head.cls_y.weight", 2 * size[0], hidden)
    return state


def their_logits(state: State, images: Tensor, *, blocks: tuple[int, ...] = (1, 2, 1, 1)) -> Tensor:
    """Run MMPose's RTMPose, layer by layer, on functions of torch."""

    def conv(name: str, x: Tensor, *, stride: int = 1, depthwise: bool = False) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        x = F.conv2d(
            x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=len(weight) if depthwise else 1
        )
        mean, variance, weight, bias = (
            state[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.silu(F.batch_norm(x, mean, variance, weight, bias))

    def scale_norm(x: Tensor, g: Tensor) -> Tensor:
        size: Tensor = torch.linalg.vector_norm(x, dim=2, keepdim=True) / math.sqrt(x.shape[2])
        return x / size.clamp(min=1e-5) * g

    mean, std = (
        torch.tensor(each)[:, None, None] for each in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    )
    x = (255 * images - mean) / std
    for number, stride in enumerate((2, 1, 1)):
        x = conv(f"backbone.stem.{number}", x, stride=stride)
    for stage, count in enumerate(blocks, start=1):
        x = conv(f"backbone.stage{stage}.0", x, stride=2)
        if stage == 4:
            y = conv("backbone.stage4.1.conv1", x)
            pools = [F.max_pool2d(y, kernel, 1, kernel // 2) for kernel in (5, 9, 13)]
            x = conv("backbone.stage4.1.conv2", torch.cat([y, *pools], 1))
        here = f"backbone.stage{stage}.{2 if stage == 4 else 1}"
        short, main = conv(f"{here}.short_conv", x), conv(f"{here}.main_conv", x)
        for block in range(count):
            y = conv(f"{here}.blocks.{block}.conv1", main)
            y = conv(f"{here}.blocks.{block}.conv2.depthwise_conv", y, depthwise=True)
            y = conv(f"{here}.blocks.{block}.conv2.pointwise_conv", y)
            main = y if stage == 4 else main + y
        joined = torch.cat([main, short], 1)
        pooled = F.adaptive_avg_pool2d(joined, 1)
        fc = f"{here}.attention.fc"
        x = conv(
            f"{here}.final_conv",
            joined * F.hardsigmoid(F.conv2d(pooled, state[f"{fc}.weight"], state[f"{fc}.bias"])),
        )
    x = F.conv2d(x, state["head.final_layer.weight"], state["head.final_layer.bias"], padding=3).flatten(2)
    x = F.linear(scale_norm(x, state["head.mlp.0.g"]), state["head.mlp.1.weight"])
    e = state["head.gau.o.weight"].shape[1]
    uv = F.silu(F.linear(scale_norm(x, state["head.gau.ln.g"]), state["head.gau.uv.weight"]))
    u, v, base = uv[..., :e], uv[..., e : 2 * e], uv[..., 2 * e :]
    q, k = (base * state["head.gau.gamma"][row] + state["head.gau.beta"][row] for row in (0, 1))
    kernel = F.relu(torch.bmm(q, k.permute(0, 2, 1)) / math.sqrt(128)).square()
    x = x * state["head.gau.res_scale.scale"] + F.linear(u * torch.bmm(kernel, v), state["head.gau.o.weight"])
    return torch.cat([F.linear(x, state[f"head.cls_{axis}.weight"]) for axis in "xy"], dim=-1)


def saved(state: Any, path: Path) -> Path:
    torch.save(state, path)
    return path


def test_rtmpose_computes_what_mmpose_does(tmp_path: Path) -> None:
    state = rtmpose_state()
    content = {"meta": {"epoch": 420, "sigmas": np.ones(17)}, "state_dict": state}
    opened = open_release(f"mmpose_rtmpose:{saved(content, tmp_path / 'rtmpose-t_coco.pth')}")
    model = opened.module
    assert model.input_size == (64, 96)
    assert model.skeleton == COCO_17
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    expected = their_logits(state, images)
    with torch.no_grad():
        output = model(images)
    torch.testing.assert_close(output.stages[0], 10 * expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    places = [expected[..., :192].argmax(-1), expected[..., 192:].argmax(-1)]
    assert torch.equal(output.keypoints, torch.stack(places, -1) / 2), "bin b lies at pixel b / 2, as in its codec"
    assert isinstance(model.head, SimCCHead)
    assert model.head.sigma == (math.sqrt(12), math.sqrt(8))


def test_rtmposes_training_loss_is_that_of_its_configuration() -> None:
    """KL of softmax(10 label) and softmax(10 output), where labels are Gaussians of height 1; summed over bins."""
    head = SimCCHead(input_size=(64, 96), sigma=(3.0, 2.0), lattice="corners", peak=10.0)
    keypoints = torch.tensor([[[20.0, 30.5], [50.0, 8.0]]])
    raw = torch.randn(1, 2, 320, generator=torch.Generator().manual_seed(0))
    losses = []
    for axis, (at, width, sigma) in enumerate(((raw[..., :192], 192, 3.0), (raw[..., 192:], 128, 2.0))):
        bins = torch.arange(width)
        label = torch.exp(-((bins - 2 * keypoints[..., axis : axis + 1]) ** 2) / (2 * sigma**2))
        losses.append(F.kl_div(at.log_softmax(-1), (10 * label).softmax(-1), reduction="none").sum(-1))
    expected = torch.stack(losses).sum(dim=0).mean(dim=1)
    ours = head.loss(raw, head.encode(keypoints), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    perfect = head.encode(keypoints)
    margins = head.margins(keypoints, torch.full((1, 2), 4.0))(perfect, torch.tensor([0]))
    assert (margins < -0.8).all(), "about -1 for the training target"


@pytest.mark.parametrize(
    ("width", "blocks", "size", "millions"),
    [
        (24, (1, 1, 1, 1), (256, 192), 3.34),
        (32, (1, 2, 2, 1), (256, 192), 5.47),
        (48, (2, 4, 4, 2), (256, 192), 13.59),
        (64, (3, 6, 6, 3), (256, 192), 27.66),
        (48, (2, 4, 4, 2), (384, 288), 13.72),
        (64, (3, 6, 6, 3), (384, 288), 27.79),
    ],
)
def test_rtmposes_have_their_published_numbers_of_parameters(
    width: int, blocks: tuple[int, int, int, int], size: tuple[int, int], millions: float
) -> None:
    with torch.device("meta"):
        model = RTMPose(width=width, blocks=blocks, hidden=256, input_size=size, skeleton=COCO_17)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2) == millions


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["head", "keypoint_head"])
def test_mmposes_names_of_both_versions(tmp_path: Path, prefix: str) -> None:
    plain = test_torchvision_names.pose_state(maps=17)
    theirs = {
        (f"{prefix}." if name.startswith(("deconv", "final")) else "backbone.") + name: tensor
        for name, tensor in plain.items()
    }
    assert without_parts(theirs).keys() == plain.keys()
    path = saved({"state_dict": theirs}, tmp_path / "td-hm_res50_8xb64-210e_coco-256x192-04af38ce.pth")
    model: Any = open_release(f"mmpose_res50:{path}").module
    assert model.input_size == (256, 192)
    assert model.standardise.channels == "RGB"
    assert torch.equal(model.state_dict()["decoder.to_maps.weight"], plain["final_layer.weight"])
    assert model.head == HeatmapHead(
        input_size=(256, 192), heatmap_size=(64, 48), sigma=2.0, decoding="quarter", lattice="corners"
    )


@pytest.mark.slow
def test_hrnet_of_the_official_code_and_of_mmpose(tmp_path: Path) -> None:
    plain = test_hrnet_release.release(width=32, k=17)
    official: Any = open_release(f"pose_hrnet_w32:{saved(plain, tmp_path / 'pose_hrnet_w32_384x288.pth')}").module
    assert official.input_size == (384, 288)
    assert official.head.sigma == 3.0
    assert official.head.decoding == "quarter"
    state = {("head." if name.startswith("final") else "backbone.") + name: each for name, each in plain.items()}
    save_file(state, tmp_path / "td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192.safetensors")
    (path,) = tmp_path.glob("*.safetensors")
    theirs: Any = open_release(f"mmpose_hrnet_w32:{path}").module
    assert theirs.head.lattice == "ends"
    assert all(torch.equal(a, b) for a, b in zip(official.parameters(), theirs.parameters(), strict=True))
    mpii: Any = open_release(
        f"pose_hrnet_w32@128x128:{saved(test_hrnet_release.release(width=32), tmp_path / 'a.pth')}"
    )
    assert mpii.module.input_size == (128, 128)
    assert mpii.module.skeleton == MPII_16
    with pytest.raises(RobustPoseError, match=r"a\.pth: not a pose_hrnet_w48: its width is 32$"):
        open_release(f"pose_hrnet_w48:{tmp_path / 'a.pth'}")


@pytest.mark.parametrize(("depth", "millions"), [(50, 34.0), (101, 53.0), (152, 68.6)])
def test_deeper_simple_baselines(depth: int, millions: float) -> None:
    """34.0, 53.0 and 68.6 million parameters, by their README."""
    with torch.device("meta"):
        trunk = ResNet(blocks=DEPTHS[depth], width=64, block=Bottleneck)
        model = ResDec(backbone=trunk, width=256, input_size=(256, 192), sigma=2.0, skeleton=COCO_17)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 1) == millions


@pytest.mark.slow
def test_a_hourglass_and_the_path_of_a_defence(tmp_path: Path) -> None:
    path = saved({"epoch": 3, "state_dict": hourglass_state(stacks=2)}, tmp_path / "model_best.pth")
    model: Any = rp.load_model(f"release:pytorch_pose_hg:{path}").module
    assert model.input_size == (256, 256)
    assert rp.load_model(f"flip:release:pytorch_pose_hg@64x64:{path}").module.input_size == (64, 64)


def test_files_that_would_run_code_are_not_opened(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return (Path.touch, (marker,))

    path = saved({"state_dict": rtmpose_state(), "optimizer": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(RobustPoseError, match=r"evil\.pth: opening it needs getattr, which may run code"):
        open_release(f"mmpose_rtmpose:{path}")
    assert not marker.exists()


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no checkpoint")
    saved({"state_dict": {}}, tmp_path / "empty.pth")
    saved([1, 2], tmp_path / "list.pth")
    saved(rtmpose_state(k=133), tmp_path / "whole.pth")
    saved({"x.weight": torch.ones(2)}, tmp_path / "other.pth")
    lacking = rtmpose_state()
    del lacking["backbone.stage2.1.blocks.1.conv2.pointwise_conv.bn.bias"]
    saved({**lacking, "head.more": torch.ones(1)}, tmp_path / "lacking.pth")
    lines = {
        "mmpose_rtm:x": "unknown release 'mmpose_rtm'; did you mean 'mmpose_rtmpose'?",
        "mmpose_rtmpose": "release:mmpose_rtmpose: name the checkpoint, as in release:mmpose_rtmpose:FILE.pth",
        "mmpose_rtmpose:none.pth": "none.pth: no such file",
        "mmpose_rtmpose@1x2:none.pth": "the input size must be written as 256x192, multiples of 32, got '1x2'",
        f"mmpose_rtmpose:{tmp_path}/text.pth": f"{tmp_path}/text.pth: no checkpoint of torch (",
        f"mmpose_rtmpose:{tmp_path}/empty.pth": f"{tmp_path}/empty.pth: holds no state dict",
        f"mmpose_rtmpose:{tmp_path}/list.pth": f"{tmp_path}/list.pth: holds no state dict",
        f"mmpose_rtmpose:{tmp_path}/whole.pth": "not an RTMPose of MMPose for COCO: 133 keypoints, expected 17",
        f"mmpose_rtmpose:{tmp_path}/other.pth": "other.pth: not an RTMPose of MMPose: backbone.stem.2.conv",
        f"mmpose_rtmpose:{tmp_path}/lacking.pth": (
            f"{tmp_path}/lacking.pth: not a state dict of an RTMPose of MMPose; in our names: missing: "
            "backbone.stage2.1.blocks.1.conv2.pointwise_conv.bn.bias; unexpected: classify.more"
        ),
        f"mmpose_rtmpose@96x64:{tmp_path}/lacking.pth": (
            f"{tmp_path}/lacking.pth: an RTMPose of MMPose of 64x96, but 96x64 is asked for"
        ),
    }
    for place, line in lines.items():
        with pytest.raises(RobustPoseError, match=re.escape(line)) as caught:
            open_release(place)
        assert "\n" not in str(caught.value)
    with pytest.raises(RobustPoseError, match="takes no spec"):
        open_release("mmpose_rtmpose:x.pth", tmp_path / "spec.toml")


def test_names_tell_lattices() -> None:
    assert lattice_in("td-hm_hrnet-w48_udp-8xb32-210e_coco-256x192.pth") == "ends"
    assert lattice_in("td-hm_hrnet-w48_8xb32-210e_coco-256x192.pth") == "corners"
    assert all(release.summary for release in RELEASES.values())
