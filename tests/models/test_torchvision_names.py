"""ResNet-50s released by others: every tensor is loaded into its layer; errors name tensors that do not fit."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models import build
from robustpose.models.architectures.resdec import ResDec, backbone
from robustpose.models.torchvision_names import pose_resnet_50, resnet_50_backbone

State = dict[str, Tensor]
BLOCKS = {"layer1": (64, 3), "layer2": (128, 4), "layer3": (256, 6), "layer4": (512, 3)}
"""Width of the 3x3s and number of blocks of torchvision's stages."""


def draw(state: State, name: str, *shape: int) -> None:
    """Make a tensor that differs from all others of the state."""
    generator = torch.Generator().manual_seed(len(state))
    fan = max(1, torch.Size(shape[1:]).numel())
    state[name] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5


def norm(state: State, name: str, width: int, *, counters: bool) -> None:
    for part in ("weight", "bias", "running_mean", "running_var"):
        draw(state, f"{name}.{part}", width)
    state[f"{name}.weight"] = 1 + 0.1 * state[f"{name}.weight"].clamp(-2, 2)
    state[f"{name}.running_var"] = 1 + state[f"{name}.running_var"].abs()
    if counters:
        state[f"{name}.num_batches_tracked"] = torch.tensor(len(state))


def torchvision_state(*, counters: bool = True, classifier: bool = True) -> State:
    state: State = {}
    draw(state, "conv1.weight", 64, 3, 7, 7)
    norm(state, "bn1", 64, counters=counters)
    inputs = 64
    for layer, (width, blocks) in BLOCKS.items():
        for i in range(blocks):
            block = f"{layer}.{i}"
            for j, shape in enumerate([(width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)], 1):
                draw(state, f"{block}.conv{j}.weight", *shape)
                norm(state, f"{block}.bn{j}", shape[0], counters=counters)
            if i == 0:
                draw(state, f"{block}.downsample.0.weight", 4 * width, inputs, 1, 1)
                norm(state, f"{block}.downsample.1", 4 * width, counters=counters)
            inputs = 4 * width
    if classifier:
        draw(state, "fc.weight", 10, 2048)
        draw(state, "fc.bias", 10)
    return state


def pose_state(*, maps: int = 16) -> State:
    state = torchvision_state(classifier=False)
    for i, inputs in enumerate((2048, 256, 256)):
        draw(state, f"deconv_layers.{3 * i}.weight", inputs, 256, 4, 4)
        norm(state, f"deconv_layers.{3 * i + 1}", 256, counters=True)
    draw(state, "final_layer.weight", maps, 256, 1, 1)
    draw(state, "final_layer.bias", maps)
    return state


def same(ours: State, theirs: State, pairs: dict[str, str]) -> bool:
    return all(torch.equal(ours[mine], theirs[other]) for mine, other in pairs.items())


def test_every_tensor_of_torchvision_lands_where_it_should() -> None:
    theirs = torchvision_state()
    ours = resnet_50_backbone(theirs)
    assert list(ours) != []
    assert set(ours) == set(backbone("published").state_dict())
    assert same(
        ours,
        theirs,
        {
            "stem.0.weight": "conv1.weight",
            "stem.1.running_mean": "bn1.running_mean",
            "stages.0.conv1.weight": "layer1.0.conv1.weight",
            "stages.0.skip.0.weight": "layer1.0.downsample.0.weight",
            "stages.2.bn3.bias": "layer1.2.bn3.bias",
            "stages.3.conv2.weight": "layer2.0.conv2.weight",
            "stages.7.skip.1.running_var": "layer3.0.downsample.1.running_var",
            "stages.12.bn2.num_batches_tracked": "layer3.5.bn2.num_batches_tracked",
            "stages.13.skip.0.weight": "layer4.0.downsample.0.weight",
            "stages.15.conv3.weight": "layer4.2.conv3.weight",
        },
    )
    # Nothing is lost and nothing comes twice.
    kept = {name: tensor for name, tensor in theirs.items() if not name.startswith("fc.")}
    assert len(ours) == len(kept)
    assert sorted(float(tensor.double().sum()) for tensor in ours.values()) == pytest.approx(
        sorted(float(tensor.double().sum()) for tensor in kept.values())
    )


def test_the_features_are_theirs() -> None:
    """Of the layers in torchvision's order and with its strides, written out."""
    state = torchvision_state()
    trunk = backbone("published").eval()
    trunk.load_state_dict(resnet_50_backbone(state))
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def normed(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(
            x,
            state[f"{name}.running_mean"],
            state[f"{name}.running_var"],
            state[f"{name}.weight"],
            state[f"{name}.bias"],
        )

    x = F.relu(normed(F.conv2d(images, state["conv1.weight"], stride=2, padding=3), "bn1"))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    for layer, (_, blocks) in BLOCKS.items():
        for i in range(blocks):
            block, stride = f"{layer}.{i}", 2 if layer != "layer1" and i == 0 else 1
            y = F.relu(normed(F.conv2d(x, state[f"{block}.conv1.weight"]), f"{block}.bn1"))
            y = F.conv2d(y, state[f"{block}.conv2.weight"], stride=stride, padding=1)
            y = F.conv2d(F.relu(normed(y, f"{block}.bn2")), state[f"{block}.conv3.weight"])
            if i == 0:
                x = F.conv2d(x, state[f"{block}.downsample.0.weight"], stride=stride)
                x = normed(x, f"{block}.downsample.1")
            x = F.relu(normed(y, f"{block}.bn3") + x)
    with torch.no_grad():
        torch.testing.assert_close(trunk(images), x, rtol=1e-3, atol=1e-3)


def test_files_without_counters_and_with_a_prefix_are_read() -> None:
    plain = resnet_50_backbone(torchvision_state())
    old = torchvision_state(counters=False)
    bare = resnet_50_backbone({f"module.{name}": tensor for name, tensor in old.items()})
    assert set(bare) == set(plain)
    assert int(bare["stem.1.num_batches_tracked"]) == 0


@pytest.mark.parametrize(("maps", "skeleton"), [(16, "mpii_16"), (17, "coco_17")])
def test_every_tensor_of_pose_resnet_lands_where_it_should(maps: int, skeleton: str) -> None:
    theirs = pose_state(maps=maps)
    model = pose_resnet_50({f"module.{name}": tensor for name, tensor in theirs.items()})
    assert not model.training
    assert model.skeleton.name == skeleton
    assert model.standardise.channels == "BGR"
    ours = model.state_dict()
    assert len(ours) == len(theirs)
    assert same(
        ours,
        theirs,
        {
            "backbone.stem.0.weight": "conv1.weight",
            "backbone.stages.13.conv2.weight": "layer4.0.conv2.weight",
            "decoder.up.0.weight": "deconv_layers.0.weight",
            "decoder.up.4.running_var": "deconv_layers.4.running_var",
            "decoder.up.6.weight": "deconv_layers.6.weight",
            "decoder.up.7.bias": "deconv_layers.7.bias",
            "decoder.to_maps.weight": "final_layer.weight",
            "decoder.to_maps.bias": "final_layer.bias",
        },
    )
    published = build("resdec", size="published")
    assert isinstance(published, ResDec)
    assert {name for name, _ in model.named_parameters()} == {name for name, _ in published.named_parameters()}


def test_what_does_not_fit_is_named() -> None:
    missing = torchvision_state()
    del missing["layer3.1.conv2.weight"]
    with pytest.raises(
        RobustPoseError, match=r"not a state dict of torchvision's ResNet-50.*missing: stages\.8\.conv2"
    ):
        resnet_50_backbone(missing)
    surplus = torchvision_state() | {"layer5.0.conv1.weight": torch.zeros(1), "surprise": torch.zeros(1)}
    with pytest.raises(RobustPoseError, match=r"unexpected: layer5\.0\.conv1\.weight, surprise$"):
        resnet_50_backbone(surplus)
    narrow = torchvision_state() | {"conv1.weight": torch.zeros(32, 3, 7, 7)}
    with pytest.raises(RobustPoseError, match=r"shape: stem\.0\.weight \(32, 3, 7, 7\) for \(64, 3, 7, 7\)"):
        resnet_50_backbone(narrow)
    with pytest.raises(RobustPoseError, match=r"missing: stem\.0\.weight, .* and \d+ more"):
        resnet_50_backbone({})


def test_what_is_no_pose_net_is_named() -> None:
    with pytest.raises(RobustPoseError, match=r"final_layer\.bias is missing"):
        pose_resnet_50(torchvision_state())
    with pytest.raises(RobustPoseError, match=r"expected 16 maps \(MPII\) or 17 \(COCO\), got 14"):
        pose_resnet_50({"final_layer.bias": torch.zeros(14)})
    state = pose_state()
    del state["deconv_layers.3.weight"]
    with pytest.raises(RobustPoseError, match=r"missing: decoder\.up\.3\.weight"):
        pose_resnet_50(state)
