"""Weights in files: rounding to float16 and reading them back."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from robustpose.models.weights import WeightFacts, load_facts, load_weights, packed, save_weights, unpacked


def facts(*, stored: str) -> WeightFacts:
    return WeightFacts(
        architecture="net",
        size="compact",
        sha256="",
        data="people",
        data_fingerprint="p",
        recipe={},
        samples=1,
        seconds=1.0,
        device="cpu",
        metric="PCKh@0.5",
        score=1.0,
        low=0.0,
        high=2.0,
        n=3,
        stored=stored,
    )


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


def test_levels_of_a_channel_by_hand() -> None:
    kernel = torch.tensor([[127.0, -64.0, 0.4], [0.0, 0.0, 0.0], [-2.54, 1.27, 0.02]])
    held = packed({"weight": kernel}, stored="int8")
    assert held["weight"].tolist() == [[127, -64, 0], [0, 0, 0], [-127, 64, 1]]
    assert held["weight"].dtype == torch.int8
    torch.testing.assert_close(held["weight.scale"][[0, 2]], torch.tensor([1.0, 0.02]))
    back = unpacked(held)
    assert list(back) == ["weight"]
    torch.testing.assert_close(
        back["weight"], torch.tensor([[127.0, -64.0, 0.0], [0.0, 0.0, 0.0], [-2.54, 1.28, 0.02]])
    )


def test_no_weight_moves_by_more_than_half_a_level_of_its_channel() -> None:
    state = model().state_dict()
    back = unpacked(packed(state, stored="int8"))
    assert back.keys() == state.keys()
    for name, value in state.items():
        if not value.is_floating_point() or value.ndim < 2:
            assert torch.equal(back[name], value), "biases, batch norms and counters are kept exactly"
            continue
        level = value.flatten(1).abs().amax(dim=1) / 127
        assert ((back[name] - value).flatten(1).abs() <= level[:, None] / 2 * 1.001).all()
        assert not torch.equal(back[name], value)


@pytest.mark.parametrize("stored", ["float16", "float32", "int8"])
def test_a_file_loads_as_what_was_packed(tmp_path: Path, stored: str) -> None:
    given, fresh = model(), model()
    nn.init.zeros_(fresh[0].weight)  # type: ignore[arg-type]
    path = tmp_path / "net.safetensors"
    sha256 = save_weights(given, path, facts(stored=stored)).sha256
    assert load_weights(fresh, path) == sha256 == load_facts(path).sha256
    expected = unpacked(packed(given.state_dict(), stored=stored))
    assert all(torch.equal(value, expected[name]) for name, value in fresh.state_dict().items())
    assert json.loads(path.with_suffix(".json").read_text())["stored"] == stored


def test_eight_bits_take_less_room_than_sixteen() -> None:
    def size(stored: str) -> int:
        held = packed(nn.Linear(256, 256).state_dict(), stored=stored)
        return sum(tensor.numel() * tensor.element_size() for tensor in held.values())

    assert size("int8") == 256 * 256 + 4 * 256 + 4 * 256
    assert size("float16") == 2 * (256 * 256 + 256)


def test_a_parameter_called_scale_stays_itself() -> None:
    state = {"scale": torch.ones(3), "norm.scale": torch.full((2,), 0.5)}
    assert unpacked(packed(state, stored="int8")).keys() == state.keys()
    assert unpacked(packed(state, stored="float16"))["norm.scale"].tolist() == [0.5, 0.5]
