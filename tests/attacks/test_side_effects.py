"""An attack has no side effects on the model: modes, gradients, buffers and random state are unchanged."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from robustpose.attacks import (
    ATTACKS,
    AttackError,
    make_perturbing,
    predict,
    run,
)
from robustpose.models.untouched import untouched
from robustpose.objectives import OBJECTIVES
from robustpose.threats import make_threat
from robustpose.types import PoseOutput
from tests.attacks.untidy import EPS, PERTURBING, Returns, Untidy, assert_same, attack, state
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch


def raising(images: Tensor) -> Tensor:
    raise KeyboardInterrupt


def _served(name: str) -> list[str]:
    """The objectives that an attack can raise on a heatmap model."""
    spec = ATTACKS[name]
    parts, blind = spec.needs_parts, spec.needs != "gradients"
    return [
        each
        for each, known in OBJECTIVES.items()
        if (known.needs_radius or not parts) and (each != "keypoints" or blind)
    ]


@pytest.mark.parametrize(("name", "objective"), [(name, each) for name in PERTURBING for each in _served(name)])
def test_side_effects_there_are_none(name: str, objective: str) -> None:
    model, batch = Untidy(), tiny_batch()
    before, gradient = state(model), model.stem.weight.grad
    made = make_perturbing(name, targeted=False, steps=None if name == "fgsm" else 12)
    default = ATTACKS[name].default_threat
    threat = make_threat(default, EPS if default == "linf" else 3)
    run(made, model, batch, threat=threat, objective=OBJECTIVES[objective])
    assert_same(before, state(model))
    assert model.stem.weight.grad is gradient
    assert model.second.weight.grad is None
    assert model.seen
    assert set(model.seen) == {(False, False)}, "the model must see eval mode and frozen weights"


def test_the_model_comes_back_from_an_attack_that_raises() -> None:
    model = Untidy()
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        attack(Returns(raising), model, tiny_batch())
    assert_same(before, state(model))
    with pytest.raises(AttackError):
        attack(Returns(lambda images: images - 1), model, tiny_batch())
    assert_same(before, state(model))


def test_a_prediction_leaves_no_trace() -> None:
    model, batch = Untidy(), tiny_batch()
    before = state(model)
    first = predict(model, batch.images, ids=batch.ids)
    assert_same(before, state(model))
    assert torch.equal(first.keypoints, predict(model, batch.images, ids=batch.ids).keypoints)
    assert not first.stages[-1].requires_grad


def test_buffers_that_forward_rebinds_come_back() -> None:
    class Rebinding(TinyHeatmaps):
        def __init__(self) -> None:
            super().__init__()
            self.calls: Tensor
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, images: Tensor) -> PoseOutput:
            self.calls = self.calls + 1
            return super().forward(images)

    model = Rebinding()
    kept = model.calls
    attack(make_perturbing("igsm", targeted=False), model, tiny_batch())
    assert float(model.calls) == 0.0
    assert model.calls is kept


def test_attacks_work_where_the_caller_has_switched_gradients_off() -> None:
    model, batch = TinyHeatmaps(), tiny_batch()
    expected = attack(make_perturbing("igsm", targeted=False), model, batch)
    with torch.no_grad():
        assert torch.equal(attack(make_perturbing("igsm", targeted=False), model, batch).images, expected.images)


def test_a_model_in_channels_last() -> None:
    batch = tiny_batch()
    expected = attack(make_perturbing("fgsm", targeted=False), TinyHeatmaps(), batch)
    model = TinyHeatmaps()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    strides = [p.stride() for p in model.parameters()]
    attacked = attack(make_perturbing("fgsm", targeted=False), model, batch)
    assert (attacked.images == expected.images).float().mean() > 0.99
    assert [p.stride() for p in model.parameters()] == strides
    last = replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last))
    assert torch.equal(attack(make_perturbing("fgsm", targeted=False), model, last).images, attacked.images)


def test_a_model_that_is_no_module() -> None:
    inner = LinearPose()

    class Plain:
        skeleton, input_size, head = inner.skeleton, inner.input_size, inner.head

        def __call__(self, images: Tensor, /) -> PoseOutput:
            output = inner(images)
            assert isinstance(output, PoseOutput)
            return output

    batch = tiny_batch()
    expected = attack(make_perturbing("igsm", targeted=False), inner, batch)
    assert torch.equal(attack(make_perturbing("igsm", targeted=False), Plain(), batch).images, expected.images)


def test_untouched_lets_anything_else_through() -> None:
    with untouched(object()):
        pass
