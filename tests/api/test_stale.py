"""A model whose weights changed is another model, in memory and in a folder of results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import robustpose as rp
from robustpose.models.content import content_of
from tests.conftest import LinearPose, TinyHeatmaps, tiny_batch


class Tempered(TinyHeatmaps):
    """A model with a plain attribute that changes its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = 1.0
        self.offsets = torch.zeros(1)
        self.table = np.zeros(1)


def _step(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3)


def _data(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(-1.0)  # which torch's version counters do not see


def _shared(model: nn.Module) -> None:
    first = next(model.parameters())
    first.detach().numpy()[..., 0] = 2.0


CHANGES = (_step, _data, _shared)


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_is_trained_on_is_another(linear: LinearPose, tmp_path: Path, change: Any) -> None:
    opened, batch = rp.load_model(linear), tiny_batch(4)
    first = rp.attack(opened, batch, attack="fgsm", out=tmp_path)
    before = first.keypoints.clone()
    change(linear)
    second = rp.attack(opened, batch, attack="fgsm", out=tmp_path)
    fresh = rp.attack(linear, batch, attack="fgsm")
    assert torch.equal(second.keypoints, fresh.keypoints)
    assert not torch.equal(second.keypoints, before)
    assert len({first.plan.models[0].fingerprint, second.plan.models[0].fingerprint}) == 2
    assert first.plan.models[0].fingerprint == opened.fingerprint, (
        "an earlier result stays that of its own weights"
    )


def test_the_same_weights_are_the_same_model(heatmaps: TinyHeatmaps) -> None:
    opened = rp.load_model(heatmaps)
    assert opened.current() is opened
    heatmaps.train()
    kept = {name: value.clone() for name, value in heatmaps.state_dict().items()}
    _step(heatmaps)
    changed = opened.current()
    assert changed.fingerprint != opened.fingerprint
    assert changed.current() is changed
    heatmaps.load_state_dict(kept)
    assert opened.current() is opened


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 2.0), ("offsets", torch.ones(1)), ("table", np.ones(1))]
)
def test_plain_attributes_count(name: str, value: object) -> None:
    one, other = Tempered().eval(), Tempered().eval()
    assert content_of(one) == content_of(other)
    assert rp.load_model(one).fingerprint == rp.load_model(other).fingerprint
    setattr(other, name, value)
    assert content_of(one) != content_of(other)
    assert rp.load_model(one).fingerprint != rp.load_model(other).fingerprint


def test_a_shipped_model_that_is_trained_on() -> None:
    opened = rp.load_model("shg2")
    assert opened.current() is opened
    with torch.no_grad():
        next(opened.module.parameters()).add_(1e-3)  # type: ignore[attr-defined]
    assert opened.current().fingerprint != opened.fingerprint


def test_people_that_are_written_over_stay_as_they_were(linear: LinearPose) -> None:
    batch = tiny_batch(3)
    people = rp.load_data(batch)
    images, keypoints, fingerprint = batch.images.clone(), batch.keypoints.clone(), people.fingerprint
    batch.images.zero_()
    batch.keypoints.zero_()
    loaded = people.load([0, 1, 2], input_size=(8, 12))
    assert torch.equal(loaded.images, images)
    assert torch.equal(loaded.keypoints, keypoints)
    assert people.fingerprint == fingerprint != rp.load_data(batch).fingerprint
