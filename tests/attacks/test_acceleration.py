"""The fused copy that attacks search with: it computes the same function, or it is not used."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from robustpose.attacks import FusedModel, make_attack, run
from robustpose.attacks.acceleration import fused_copy
from robustpose.errors import RobustPoseError
from robustpose.models.heads import HeatmapHead
from robustpose.objectives import Margin, TrainingLoss
from robustpose.threats import Linf
from robustpose.types import PoseOutput
from tests.attacks.untidy import assert_same, state
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, tiny_batch

IMAGES = tiny_batch().images


class Normed(nn.Module):
    """Batch norms after a convolution, after a transposed one, after a sum and after another norm."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.skeleton, self.input_size, self.head = TRIO, TINY, HeatmapHead(input_size=TINY, heatmap_size=TINY)
        self.down = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.twice = nn.Conv2d(8, 8, 3, padding=1)
        self.after_twice, self.after_sum = nn.BatchNorm2d(8), nn.BatchNorm2d(8, affine=False)
        self.after_norm = nn.BatchNorm2d(8)
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.maps = nn.Conv2d(4, len(TRIO), 1)
        generator = torch.Generator().manual_seed(seed)
        for tensor in self.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
        for parameter in self.parameters():
            parameter.data -= 0.5
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        x: Tensor = self.down(images)
        x = self.after_twice(self.twice(torch.relu(self.twice(x))))
        return torch.relu(self.after_norm(self.after_sum(x + torch.tanh(x))))

    def forward(self, images: Tensor) -> PoseOutput:
        raw = self.maps(self.up(self.features(images)))
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def gradient(model: Normed, images: Tensor) -> Tensor:
    images = images.detach().requires_grad_(True)
    (found,) = torch.autograd.grad(model(images).stages[-1].square().sum(), images)
    assert isinstance(found, Tensor)
    return found


def test_batch_norms_are_folded_and_nothing_else_changes() -> None:
    model = Normed().double()
    images = IMAGES.double()
    before = state(model)
    fused = fused_copy(model, images[:2])
    assert isinstance(fused, Normed)
    torch.testing.assert_close(fused(images).stages[-1], model(images).stages[-1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient(fused, images), gradient(model, images), rtol=1e-8, atol=1e-8)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert [type(fused.down[1]), type(fused.up[1])] == [nn.Identity, nn.Identity]
    assert not isinstance(fused.after_twice, nn.Identity), "its convolution runs twice"
    assert_same(before, state(model))


def test_a_norm_of_the_batch_stays() -> None:
    model = Normed()
    model.after_sum = nn.BatchNorm2d(8, track_running_stats=False)
    fused = fused_copy(model.eval(), IMAGES[:2])
    assert isinstance(fused, Normed)
    assert isinstance(fused.after_sum, nn.BatchNorm2d)


class Leaking(Normed):
    """Another layer also reads the convolution's output."""

    def features(self, images: Tensor) -> Tensor:
        convolved = self.down[0](images)
        mixed: Tensor = torch.relu(self.down[1](convolved)) + convolved
        return mixed


class Drawing(Normed):
    def features(self, images: Tensor) -> Tensor:
        return super().features(images + 0.1 * torch.rand_like(images))


class Locked(Normed):
    """A module that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Blind(Normed):
    """A gradient that differs for the copy: it depends on the sum of the weights."""

    def features(self, images: Tensor) -> Tensor:
        images = images if isinstance(self.down[1], nn.BatchNorm2d) else images.detach() + 0 * images
        return super().features(images)


def hooked() -> Normed:
    model = Normed()
    model.maps.register_forward_hook(lambda *_: None)
    return model


def broken() -> Normed:
    model = Normed()
    model.maps.weight.data[0] = torch.nan
    return model


@pytest.mark.parametrize("make", [Leaking, Drawing, Locked, Blind, hooked, broken, LinearPose])
def test_what_does_not_agree_is_not_used(make: type[Normed]) -> None:
    assert fused_copy(make().eval(), IMAGES[:2]) is None


class Counting(Normed):
    """Counts its own passes, not its copy's."""

    passes = 0

    def forward(self, images: Tensor) -> PoseOutput:
        if isinstance(self.down[1], nn.BatchNorm2d):
            type(self).passes += 1
        return super().forward(images)


def test_the_first_pass_is_the_models_own() -> None:
    model = Counting()
    fused = FusedModel(model)
    first = fused(IMAGES)
    assert Counting.passes == 1
    assert torch.equal(first.stages[-1], model(IMAGES).stages[-1])
    second = fused(IMAGES)
    used = Counting.passes
    assert used <= 5, "to copy it and to hold the copy against it"
    torch.testing.assert_close(second.stages[-1], first.stages[-1])
    fused(IMAGES)
    assert Counting.passes == used, "the copy is searched"


@pytest.mark.parametrize("attack", ["igsm", "apgd"])
@pytest.mark.parametrize("objective", [TrainingLoss("last"), Margin()])
def test_an_attack_finds_what_it_finds_without_the_copy(attack: str, objective: TrainingLoss | Margin) -> None:
    model, batch = Normed(), tiny_batch()

    class Plain:
        skeleton, input_size, head = model.skeleton, model.input_size, model.head

        def __call__(self, images: Tensor, /) -> PoseOutput:
            output = model(images)
            assert isinstance(output, PoseOutput)
            return output

    made = make_attack(attack, targeted=False, steps=10)
    ours = run(made, model, batch, threat=Linf(8 / 255), objective=objective)
    theirs = run(made, Plain(), batch, threat=Linf(8 / 255), objective=objective)
    torch.testing.assert_close(ours.output.stages[-1], theirs.output.stages[-1], rtol=0.01, atol=0.01)
    assert (ours.images == theirs.images).float().mean() > 0.97
    assert (ours.forwards, ours.backwards) == (theirs.forwards, theirs.backwards)


@pytest.mark.parametrize("make", [Normed, TinyHeatmaps])
def test_search_in_bf16_is_scored_in_fp32(make: type[Normed] | type[TinyHeatmaps]) -> None:
    model, batch = make().eval(), tiny_batch()
    attack = make_attack("igsm", targeted=False, steps=5)
    before = state(model)
    found = run(attack, model, batch, threat=Linf(8 / 255), objective=TrainingLoss("last"), search="bf16")
    exact = run(attack, model, batch, threat=Linf(8 / 255), objective=TrainingLoss("last"))
    assert found.output.stages[-1].dtype == torch.float32
    assert torch.equal(found.output.stages[-1], model(found.images).stages[-1])
    assert not torch.equal(found.images, exact.images), "bf16 rounds, so some sign must differ"
    assert (found.images == exact.images).float().mean() > 0.6
    assert_same(before, state(model))


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(RobustPoseError, match="unknown search 'bf61'; did you mean 'bf16'"):
        FusedModel(TinyHeatmaps(), search="bf61")


def test_side_effects_of_the_copy() -> None:
    """Gradients, modes, hooks and the random state of a model in train mode are unchanged."""
    model = Normed().train()
    model.down.eval()
    model.maps.requires_grad_(True)
    model.maps.weight.grad = torch.ones_like(model.maps.weight)
    before = state(model)
    batch = replace(tiny_batch(), images=IMAGES.clone())
    run(make_attack("igsm", targeted=False), model, batch, threat=Linf(8 / 255), objective=Margin())
    assert_same(before, state(model))
