"""rp.perturb: adversarial images of a batch, from any module, with nothing left behind."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import robustpose as rp
from robustpose import attacks
from robustpose.api.losses import each_image
from robustpose.api.perturbing import towards
from robustpose.models import OpenedModel
from robustpose.objectives import OBJECTIVES
from robustpose.threats import Linf
from robustpose.types import Batch
from tests.conftest import TINY, LinearPose, TinyHeatmaps, tiny_batch

EPS = 8 / 255


class Maps(nn.Module):
    """A module as users have it: images in, three heatmaps out, without a word about them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = TinyHeatmaps()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.norm(self.inner(x).stages[-1])
        return maps


class Points(nn.Module):
    """The same for coordinates in pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = LinearPose()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner(x).keypoints + 0.5
        return found


def rough(n: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """People whose images lie on no 8-bit levels."""
    batch = tiny_batch(n)
    images = torch.rand(batch.images.shape, generator=torch.Generator().manual_seed(n))
    return images, batch.keypoints, batch.visible


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "apgd", "square", "fmn"])
def test_it_is_the_attack_of_the_runner(heatmaps: TinyHeatmaps, attack: str) -> None:
    images, keypoints, visible = rough()
    adv = rp.perturb(heatmaps, images, keypoints, visible, attack=attack, steps=None if attack == "fgsm" else 4)
    batch = Batch.from_tensors(images, keypoints, visible, skeleton=heatmaps.skeleton)
    made: Any = attacks.make_attack(attack, targeted=False, steps=None if attack == "fgsm" else 4)
    if attack == "pgd":  # four steps of an eighth would not reach the budget
        made = rp.PGD(steps=4, step_size=2.5 / 4)
    expected = attacks.run(
        made,
        heatmaps,
        batch,
        threat=Linf(EPS),
        objective=OBJECTIVES[attacks.attack_spec(attack).default_objective],
        round_to_8bit=False,
    )
    assert torch.equal(adv, expected.images)
    assert attack == "fmn" or (adv - images).abs().max() > 0.9 * EPS
    assert not adv.requires_grad


def test_autopose_and_attack_objects(heatmaps: TinyHeatmaps) -> None:
    images, keypoints, visible = rough(12)
    strong = rp.perturb(heatmaps, images, keypoints, visible, attack="autopose", steps=40)
    batch = Batch.from_tensors(images, keypoints, visible, skeleton=heatmaps.skeleton)
    made = attacks.make_attack("autopose", targeted=False, steps=40)
    expected = attacks.run(made, heatmaps, batch, threat=Linf(EPS), round_to_8bit=False)
    assert torch.equal(strong, expected.images)
    named = rp.perturb(heatmaps, images, keypoints, visible, attack="pgd", steps=3)
    given = rp.perturb(heatmaps, images, keypoints, visible, attack=rp.PGD(steps=3, step_size=2.5 / 3))
    assert torch.equal(named, given)
    short = rp.perturb(heatmaps, images, keypoints, visible, attack=rp.PGD(steps=3))
    assert torch.isclose((short - images).abs().max(), torch.tensor(3 / 8 * EPS)), "objects are run as they are"
    search = rp.perturb(heatmaps, images, keypoints, visible, attack=rp.Square(steps=9))
    assert torch.equal(search, rp.perturb(heatmaps, images, keypoints, visible, attack="square", steps=9))


def test_a_loss_of_ones_own_has_the_closed_form_of_a_linear_model(linear: LinearPose) -> None:
    images, keypoints, _ = rough()
    weights = torch.randn(2 * 3, generator=torch.Generator().manual_seed(1))

    def loss(output: Any, targets: Tensor) -> Tensor:
        found: Tensor = output.stages[-1].flatten(1) @ weights - targets.sum(dim=(1, 2))
        return found

    adv = rp.perturb(linear, images, keypoints, loss=loss, attack="fgsm", eps="4/255")
    best = (images + 4 / 255 * (linear.W.detach().T @ weights).sign().reshape(images.shape[1:])).clamp(0, 1)
    assert torch.allclose(adv, best, atol=1e-7)
    away = rp.perturb(linear, images, keypoints, loss=loss, attack="fgsm", eps="4/255", targeted=True)
    worst = (images - 4 / 255 * (linear.W.detach().T @ weights).sign().reshape(images.shape[1:])).clamp(0, 1)
    assert torch.allclose(away, worst, atol=1e-7)


def test_a_loss_that_is_one_number_is_taken_for_each_image_alone() -> None:
    model = Maps().eval()
    images, _, visible = rough()
    target, weight = torch.rand(3, 3, 4, 6), visible[..., None, None].float()

    def mean(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return ((output - target).square() * weight).mean()

    def apart(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return (output - target).square() * weight

    one, each = (
        rp.perturb(model, images, target, weight, loss=loss, attack="apgd", steps=5) for loss in (mean, apart)
    )
    assert torch.equal(one, each)
    outputs = {"maps": (torch.arange(6.0).reshape(3, 2),), "name": "x"}
    found = each_image(lambda output, _: output["maps"][0].sum(), outputs, [torch.zeros(3)], count=3)
    assert found.tolist() == [1.0, 5.0, 9.0]


def test_a_loss_sees_the_normalised_image() -> None:
    model = Maps().eval()
    images, target, _ = rough()
    mean, std = torch.tensor([0.4, 0.5, 0.6])[:, None, None], torch.tensor([0.2, 0.3, 0.25])[:, None, None]

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.model(((x - mean) / std).flip(1))
            return found

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return output.square()

    spec = {"mean": [0.4, 0.5, 0.6], "std": (0.2, 0.3, 0.25), "channels": "BGR"}
    ours = rp.perturb(model, images, target, loss=loss, spec=spec, steps=3)
    assert torch.equal(ours, rp.perturb(Inside().eval(), images, target, loss=loss, steps=3))


@pytest.mark.parametrize(
    ("model", "brief", "full"),
    [
        (Maps(), {"head": "heatmap", "sigma": 1.0}, {"head": "heatmap", "sigma": 1.0, "heatmap_size": [4, 6]}),
        (Maps(), {"sigma": 1.5}, {"head": "heatmap", "sigma": 1.5, "heatmap_size": [4, 6]}),
        (
            Points(),
            {"head": "coordinates", "unit": "pixels"},
            {"head": "coordinates", "unit": "pixels", "columns": ["x", "y"]},
        ),
    ],
)
def test_a_spec_may_leave_out_what_the_module_tells(
    model: nn.Module, brief: dict[str, Any], full: dict[str, Any]
) -> None:
    images, keypoints, visible = rough()
    names = [f"keypoint_{number}" for number in range(3)]
    rest = {
        "name": "own",
        "format": "torch",
        "channels": "RGB",
        "skeleton": names,
        "input_size": list(TINY),
        "stages": ["output"],
    }
    ours = rp.perturb(model, images, keypoints, visible, spec=brief, steps=3)
    assert torch.equal(ours, rp.perturb(model, images, keypoints, visible, spec={**rest, **full}, steps=3))
    assert (ours - images).abs().max() > 0.9 * EPS


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_models_and_images_of_other_precision(dtype: torch.dtype) -> None:
    images, keypoints, visible = rough()
    model, given = TinyHeatmaps().eval().to(dtype), images.to(dtype)
    adv = rp.perturb(model, given, keypoints, visible, steps=5)
    assert adv.dtype == dtype
    assert (adv.double() - given.double()).abs().max() <= EPS + 1e-6
    assert 0 <= adv.min() <= adv.max() <= 1
    same = rp.perturb(deepcopy(model).float(), given.float(), keypoints, visible, steps=5)
    assert torch.equal(towards(same, given.float(), dtype) if dtype != torch.float64 else same.double(), adv)
    assert model.stem.weight.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rounding_to_half_precision_never_grows_a_change(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(20_000, generator=generator).to(dtype).float()
    adv = (images + EPS * (2 * torch.rand(20_000, generator=generator) - 1)).clamp(0, 1)
    rounded = towards(adv, images, dtype)
    assert ((rounded.float() - images).abs() <= (adv - images).abs()).all()
    moved = rounded != adv.to(dtype)
    assert moved.any(), "the test is only a test where plain rounding moves values outwards"
    step = torch.finfo(dtype).eps
    assert ((rounded.float() - adv).abs() <= step * adv.clamp_min(2**-14)).all(), "the neighbour is the next value"


CONTEXTS: tuple[Callable[[], AbstractContextManager[Any]], ...] = (
    torch.no_grad,
    torch.inference_mode,
    lambda: torch.autocast("cpu", dtype=torch.bfloat16),
)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_callers_context_changes_nothing(
    heatmaps: TinyHeatmaps, context: Callable[[], AbstractContextManager[Any]]
) -> None:
    images, keypoints, visible = rough()
    expected = rp.perturb(heatmaps, images, keypoints, visible, steps=3)
    maps = Maps().eval()
    with context():
        adv = rp.perturb(heatmaps, images.clone(), keypoints.clone(), visible, steps=3)
        rp.perturb(maps, images.clone(), images.clone(), loss=lambda output, _: output.square(), steps=2)
    assert torch.equal(adv, expected)


@pytest.mark.parametrize("with_loss", [False, True])
def test_nothing_is_left_behind(with_loss: bool) -> None:
    model = Maps().train()
    images, keypoints, visible = rough()
    images.requires_grad_()
    model(images).sum().backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    grads = [parameter.grad for parameter in model.parameters()]
    copies = [None if grad is None else grad.clone() for grad in grads]
    arguments = [each.detach().clone() for each in (images, keypoints, visible)]
    state = torch.get_rng_state()
    how: dict[str, Any] = {"loss": lambda output, *_: output.square()} if with_loss else {"spec": {"sigma": 1.0}}
    rp.perturb(model, images, keypoints, visible, steps=3, **how)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is grad for parameter, grad in zip(model.parameters(), grads, strict=True))
    assert all(
        grad is None or (copy is not None and torch.equal(grad, copy))
        for grad, copy in zip(grads, copies, strict=True)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip((images, keypoints, visible), arguments, strict=True))


def test_adversarial_training_lowers_the_loss_under_attack() -> None:
    model = Maps().train()
    images, keypoints, visible = rough(6)
    target = torch.rand(6, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)

    def under_attack() -> float:
        adv = rp.perturb(model, images, target, loss=lambda output, t: (output - t).square(), steps=5)
        model.eval()
        with torch.no_grad():
            loss = float((model(adv) - target).square().mean())
        model.train()
        return loss

    before = under_attack()
    for step in range(20):
        adv = rp.perturb(model, images, keypoints, visible, spec={"sigma": 1.0}, attack="fgsm", seed=step)
        optimiser.zero_grad()
        (model(adv) - target).square().mean().backward()
        optimiser.step()
    assert under_attack() < 0.7 * before


def test_what_else_a_model_may_be(heatmaps: TinyHeatmaps) -> None:
    images, keypoints, visible = rough()
    expected = rp.perturb(heatmaps, images, keypoints, visible, steps=2)
    opened = rp.load_model(heatmaps)
    assert isinstance(opened, OpenedModel)
    for model in (opened, nn.DataParallel(heatmaps)):
        assert torch.equal(rp.perturb(model, images, keypoints, visible, steps=2), expected)
    adv = rp.perturb("shg2", torch.rand(1, 3, 128, 128), 127 * torch.rand(1, 16, 2), attack="fgsm")
    assert adv.shape == (1, 3, 128, 128)


def test_what_else_images_may_be(heatmaps: TinyHeatmaps) -> None:
    batch = tiny_batch(3)
    levels = (batch.images * 255).round().to(torch.uint8)
    expected = rp.perturb(heatmaps, batch.images, batch.keypoints, batch.visible, steps=2)
    ours = rp.perturb(heatmaps, levels, batch.keypoints, batch.visible.int(), steps=2)
    assert torch.equal(ours, expected)
    arrays: Any = (batch.images.numpy(), batch.keypoints.numpy().astype(np.float64), batch.visible.numpy())
    assert torch.equal(rp.perturb(heatmaps, *arrays, steps=2), expected)
    rounded = rp.perturb(heatmaps, batch.images, batch.keypoints, batch.visible, steps=2, round_to_8bit=True)
    assert torch.equal((rounded * 255).round() / 255, rounded)
    assert not torch.equal((expected * 255).round() / 255, expected)


def test_seeds_differ_and_repeat(heatmaps: TinyHeatmaps) -> None:
    images, keypoints, visible = rough()
    first, again, other = (
        rp.perturb(heatmaps, images, keypoints, visible, attack=rp.PGD(steps=2, restarts=3), seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
