"""Models that are given, rounded or read wrongly, against models that were changed by hand."""

import contextlib
import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.faults import FAULTS, Level, OnModel
from robustpose.faults.inputs import normalisation_of
from robustpose.models.architectures.layers import IMAGENET_MEAN, IMAGENET_STD, Standardise
from robustpose.models.heads import HeatmapHead
from robustpose.types import PoseModel, PoseOutput
from tests.conftest import TINY, LinearPose, TinyHeatmaps
from tests.faults.spots import SpotFinder

MODELS = [(name, level) for name, spec in FAULTS.items() for level in spec.levels if isinstance(spec.act, OnModel)]


class Normalising(TinyHeatmaps):
    """Tiny heatmaps behind ImageNet's mean and deviation, with a buffer that forward passes would change."""

    def __init__(self) -> None:
        super().__init__()
        self.before = Standardise()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(self.norm(self.before(images)))


def images(n: int = 3) -> Tensor:
    return torch.rand(n, 3, *TINY, generator=torch.Generator().manual_seed(0))


def faulty(name: str, level: Level, model: PoseModel) -> PoseModel:
    act = FAULTS[name].act
    assert isinstance(act, OnModel)
    return act.change(model, level, images(8))


def raw(model: Callable[[Tensor], PoseOutput], given: Tensor | None = None) -> Tensor:
    with torch.no_grad():
        return model(images() if given is None else given).stages[-1]


@pytest.mark.parametrize(("name", "level"), MODELS)
def test_the_model_stays_as_it_is(name: str, level: Level) -> None:
    model = Normalising().eval()
    before = copy.deepcopy(model.state_dict())
    state = torch.random.get_rng_state()
    answer = raw(model)
    with contextlib.suppress(RobustPoseError):
        raw(faulty(name, level, model))
    assert all(torch.equal(values, before[key]) for key, values in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(raw(model), answer)


def test_what_the_model_is_given() -> None:
    model = Normalising().eval()
    mean, std = (torch.tensor(each)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_STD))

    def without(given: Tensor) -> Tensor:
        return raw(lambda x: TinyHeatmaps.forward(model, model.norm(x)), given)

    assert torch.allclose(raw(faulty("mean-std", "forgotten", model)), without(images()), atol=1e-5)
    twice = ((images() - mean) / std - mean) / std
    assert torch.allclose(raw(faulty("mean-std", "applied twice", model)), without(twice), atol=1e-5)
    assert torch.equal(raw(faulty("colour-order", "BGR", model)), raw(model, images()[:, [2, 1, 0]]))
    assert torch.equal(raw(faulty("value-range", "[0, 255]", model)), raw(model, images() * 255))
    plain = TinyHeatmaps().eval()
    needless = raw(faulty("mean-std", "applied though unneeded", plain))
    assert torch.allclose(needless, raw(plain, (images() - mean) / std), atol=1e-6)
    assert normalisation_of(plain) is None


def test_a_mirrored_image_whose_sides_are_not_swapped() -> None:
    """Colours still tell the spots apart, so that a finder by colour is right; a linear model's x is mirrored."""
    spot = torch.zeros(1, 3, 48, 60)
    spot[0, 0, 10, 7] = spot[0, 1, 20, 50] = spot[0, 2, 30, 33] = 1.0
    finder = SpotFinder()
    found = faulty("mirrored", "sides not swapped", finder)(spot).keypoints
    assert found[0] == pytest.approx(torch.tensor([[7.0, 10], [50, 20], [33, 30]]).double(), abs=1e-3)
    linear = LinearPose()
    with torch.no_grad():
        x, y = faulty("mirrored", "sides not swapped", linear)(images()).keypoints.unbind(-1)
        mirrored = linear(images().flip(-1)).keypoints
    assert torch.allclose(x, TINY[1] - 1 - mirrored[..., 0])
    assert torch.equal(y, mirrored[..., 1])


def by_hand(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """Copy a model with the weights of its convolutions changed."""
    changed = copy.deepcopy(model)
    for module in changed.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = change(module.weight.data)
    return changed


def quantised(weight: Tensor) -> Tensor:
    """Round to 8 bits for each output channel, with numpy, as the formula says: scale = max |w| / 127.5.

    In 32 bits: the largest weight lies on a tie between two steps.
    """
    flat = weight.numpy().reshape(len(weight), -1)
    scale = (np.abs(flat).max(axis=1, keepdims=True) / 127.5).astype(np.float32)
    rounded = np.clip(np.round(flat * (1 / scale)), -128, 127) * scale
    return torch.from_numpy(rounded.reshape(weight.shape))


@pytest.mark.parametrize(
    ("level", "change"),
    [
        ("fp16", lambda weight: weight.half().float()),
        ("bf16", lambda weight: weight.bfloat16().float()),
        ("int8 weights", quantised),
    ],
)
def test_rounded_weights_are_those_of_a_model_rounded_by_hand(
    level: str, change: Callable[[Tensor], Tensor]
) -> None:
    model = TinyHeatmaps().eval()
    found = raw(faulty("precision", level, model))
    assert torch.allclose(found, raw(by_hand(model, change)), atol=1e-5)
    assert not torch.equal(found, raw(model))


class OneLayer(nn.Module):
    """Coordinates by one linear layer, so that what is quantised can be computed by hand."""

    def __init__(self) -> None:
        super().__init__()
        like = LinearPose()
        self.skeleton, self.input_size, self.head = like.skeleton, like.input_size, like.head
        self.layer = nn.Linear(3 * TINY[0] * TINY[1], 6)
        generator = torch.Generator().manual_seed(1)
        self.layer.weight.data = torch.randn(self.layer.weight.shape, generator=generator) / 20

    def forward(self, images: Tensor) -> PoseOutput:
        raw = self.layer(images.flatten(1)).reshape(-1, 3, 2)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def test_folding_batch_normalisation_changes_nothing() -> None:
    """The docstring's claim: a scale for each output channel takes up the factor of the normalisation."""
    beside = OneLayer().eval()
    factors = torch.tensor([0.1, 3.0, 1.0, 0.5, 7.0, 2.0])
    folded = copy.deepcopy(beside)
    folded.layer.weight.data = beside.layer.weight * factors[:, None]
    folded.layer.bias.data = beside.layer.bias * factors
    after = raw(faulty("precision", "int8 weights", beside)).flatten(1) * factors
    # The largest weight of a channel lies on a tie between two steps; every other one is rounded alike.
    step = folded.layer.weight.abs().amax(dim=1) / 127.5
    assert ((raw(faulty("precision", "int8 weights", folded)).flatten(1) - after).abs() <= step).all()
    assert ((raw(folded).flatten(1) - after).abs() > step).any(), "more than a tie is rounded"


def test_int8_rounds_what_goes_into_a_layer() -> None:
    """Calibrated on [0, 1], an input is a multiple of about 1/255; beyond the range it is clipped."""
    model = OneLayer().eval()
    act = FAULTS["precision"].act
    assert isinstance(act, OnModel)
    even = torch.linspace(0, 1, 4 * 3 * TINY[0] * TINY[1]).reshape(4, 3, *TINY)
    made = act.change(model, "int8", even)
    weights = by_hand_linear(model)
    rounded = raw(weights, (images() * 255).round() / 255)
    assert torch.allclose(raw(made), rounded, atol=3e-3)
    assert torch.allclose(raw(made, images() * 0 + 2.0), raw(weights, images() * 0 + 1.0), atol=2e-2)
    fine = raw(faulty("precision", "int8 weights", model), images() * 0 + 2.0)
    assert not torch.allclose(fine, raw(weights, images() * 0 + 1.0), atol=2e-2)


def by_hand_linear(model: OneLayer) -> nn.Module:
    changed = copy.deepcopy(model)
    changed.layer.weight.data = quantised(model.layer.weight.data)
    return changed


def test_heatmaps_read_otherwise() -> None:
    model = TinyHeatmaps().eval()
    height, width = TINY
    maps = raw(model)
    for name, level, changes in (
        ("decoding", "quarter", {"decoding": "quarter"}),
        ("heatmap-cells", "corners", {"lattice": "corners"}),
        ("heatmap-cells", "ends", {"lattice": "ends"}),
    ):
        head = HeatmapHead(input_size=TINY, heatmap_size=(height // 2, width // 2), **changes)  # type: ignore[arg-type]
        with torch.no_grad():
            assert torch.equal(faulty(name, level, model)(images()).keypoints, head.decode(maps)[0])
    with torch.no_grad():
        apart = faulty("heatmap-cells", "corners", model)(images()).keypoints - model(images()).keypoints
    assert apart == pytest.approx(-0.5), "half a stride of 2, less half a pixel"


@pytest.mark.parametrize(
    ("name", "level", "model", "message"),
    [
        ("mean-std", "forgotten", TinyHeatmaps(), "it takes images in \\[0, 1\\], without a mean"),
        ("mean-std", "applied though unneeded", Normalising(), "it needs a mean and a standard deviation"),
        ("decoding", "quarter", LinearPose(), "it predicts coordinates, not plain heatmaps"),
        ("decoding", "argmax", TinyHeatmaps(), "argmax is its own decoding"),
        ("heatmap-cells", "centres", TinyHeatmaps(), "its cells lie at centres"),
        (
            "precision",
            "int8",
            LinearPose(),
            "no convolution or linear layer that could be quantised runs in torch",
        ),
        ("precision", "int4", TinyHeatmaps(), "unknown level of fault precision 'int4'"),
        ("value-range", "[0, 256]", TinyHeatmaps(), "unknown level of fault value-range"),
        ("colour-order", "GBR", TinyHeatmaps(), "unknown level of fault colour-order 'GBR'; did you mean 'BGR'"),
    ],
)
def test_a_fault_that_does_not_apply_says_why(name: str, level: Level, model: PoseModel, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        faulty(name, level, model)
