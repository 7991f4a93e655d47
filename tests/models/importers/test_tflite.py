"""Whole .tflite files: models that others trained against the LiteRT runtime, and unusable files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from robustpose.errors import RobustPoseError
from robustpose.models.importers.tflite import load_tflite
from robustpose.models.importers.tflite.graph import inputs_and_outputs, read_graph
from robustpose.types import PoseModel
from tests.models.importers.tflite_files import REAL_MODELS, Array, Op, real_path, runtime_outputs, tflite_bytes
from tests.models.real_people import real_people, share_found

PEOPLE = 40


def real_model(name: str) -> Path:
    return real_path(f"models/{name}.tflite")


@pytest.mark.parametrize("name", REAL_MODELS)
def test_agrees_with_the_runtime_on_real_people(name: str) -> None:
    path = real_model(name)
    model = load_tflite(path)
    people = real_people(model.input_size, 3)
    with torch.no_grad():
        stages = model(people.images).stages
        prepared = model.prepare(people.images)
    for row in range(len(people)):
        (theirs,) = runtime_outputs(path.read_bytes(), prepared[row : row + 1].numpy())
        ours = stages[-1][row].permute(1, 2, 0).numpy()
        assert np.abs(ours - theirs[0]).max() < 1e-5
        assert np.abs(theirs).max() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_MODELS)
def test_finds_real_people(name: str) -> None:
    model = load_tflite(real_model(name))
    people = real_people(model.input_size, PEOPLE)
    assert len(people) == PEOPLE
    assert share_found(model, people) > 0.5


@pytest.mark.parametrize("name", REAL_MODELS)
def test_batch_is_its_people_one_by_one(name: str) -> None:
    model = load_tflite(real_model(name))
    images = torch.rand(3, 3, *model.input_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = model(images).stages[-1]
        apart = torch.cat([model(image).stages[-1] for image in torch.split(images, 1)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_gradient_of_a_whole_model_is_right() -> None:
    model = load_tflite(real_model("eff_RT_LITE")).double()
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(1, 3, 224, 224, generator=generator, dtype=torch.float64).requires_grad_()
    weights = torch.randn(model(images).stages[-1].shape, generator=generator, dtype=torch.float64)

    def total(x: Tensor) -> Tensor:
        raw: Tensor = model(x).stages[-1]
        return (raw * weights).sum()

    (gradient,) = torch.autograd.grad(total(images), images)
    assert (gradient != 0).float().mean() > 0.9
    with torch.no_grad():
        for _ in range(3):
            direction = torch.randn(images.shape, generator=generator, dtype=torch.float64)
            step = 1e-8 * direction  # small, or many a relu6 bends within it
            measured = float(total(images + step) - total(images - step)) / 2e-8
            assert measured == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_is_a_frozen_pose_model_in_eval_mode() -> None:
    model = load_tflite(real_model("hourglass"))
    assert isinstance(model, PoseModel)
    assert not model.training
    assert not list(model.parameters())
    assert not any(buffer.requires_grad for buffer in model.buffers())
    assert model.name == "hourglass_aic"
    assert model.skeleton.name == "aic_14"
    assert len(model.fingerprint) == 64
    assert model.fingerprint == load_tflite(real_model("hourglass")).fingerprint


@pytest.mark.parametrize("name", REAL_MODELS)
def test_no_memory_moves_between_convolutions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = read_graph(real_model(name).read_bytes(), file=name)
    side = load_tflite(real_model(name)).input_size[0]
    convolve, seen = functional.conv2d, []

    def watched(image: Tensor, weight: Tensor, *others: Any) -> Tensor:
        seen.append(image.is_contiguous(memory_format=torch.channels_last))
        seen.append(weight.is_contiguous(memory_format=torch.channels_last))
        return convolve(image, weight, *others)

    monkeypatch.setattr(functional, "conv2d", watched)
    with torch.no_grad():
        graph(torch.rand(2, side, side, 3))
    assert len(seen) > 40
    assert all(seen)


# What follows needs no model of others.

SIDE = 6


def floats(*shape: int) -> Array:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


CONV = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def small_model() -> bytes:
    """Return a model of two 3x3 convolutions: 'first' has 4 channels, 'out' 2."""
    return tflite_bytes(
        Op("CONV_2D", ("picture", floats(4, 3, 3, 3), floats(4)), ("first",), "Conv2DOptions", CONV),
        Op("CONV_2D", ("first", floats(2, 3, 3, 4), floats(2)), ("out",), "Conv2DOptions", CONV),
        picture=(1, SIDE, SIDE, 3),
    )


SMALL = small_model()


def refusal(content: bytes, *outputs: str) -> str:
    with pytest.raises(RobustPoseError) as caught:
        read_graph(content, file="net.tflite", outputs=outputs)
    message = str(caught.value)
    assert message.startswith("net.tflite: ")
    assert "\n" not in message
    return message


def test_any_tensor_can_be_asked_for() -> None:
    first, out = read_graph(SMALL, file="net", outputs=("first", "out"))(torch.rand(2, SIDE, SIDE, 3))
    assert first.shape == (2, SIDE, SIDE, 4)
    assert out.shape == (2, SIDE, SIDE, 2)
    assert len(read_graph(SMALL, file="net", outputs=("first",)).steps) == 1


def test_unknown_tensor() -> None:
    assert "did you mean 'out'" in refusal(SMALL, "ou")


def test_inputs_and_outputs() -> None:
    inputs, outputs = inputs_and_outputs(SMALL, file="net")
    assert (inputs.names, inputs.shapes) == (("picture",), ((1, SIDE, SIDE, 3),))
    assert (outputs.names, outputs.shapes) == (("out",), ((1, SIDE, SIDE, 2),))


@pytest.mark.parametrize("content", [b"", b"TFL", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(4000)])
def test_not_tflite(content: bytes) -> None:
    assert "is not a TensorFlow Lite file" in refusal(content)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(8, len(SMALL) - 1))
def test_truncated(length: int) -> None:
    x = torch.rand(1, SIDE, SIDE, 3)
    try:
        graph = read_graph(SMALL[:length], file="net.tflite")
    except RobustPoseError as error:
        assert str(error).startswith("net.tflite: ")
        assert "\n" not in str(error)
    else:  # what was cut off is not part of the model
        assert torch.equal(graph(x)[0], read_graph(SMALL, file="net")(x)[0])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(8, len(SMALL) - 1), st.binary(min_size=1, max_size=4))
def test_damaged(place: int, patch: bytes) -> None:
    damaged = SMALL[:place] + patch + SMALL[place + len(patch) :]
    try:
        read_graph(damaged, file="net.tflite")
    except RobustPoseError as error:
        assert str(error).startswith("net.tflite: ")


@pytest.mark.parametrize("name", REAL_MODELS)
@pytest.mark.parametrize("share", [0.0, 1e-5, 0.001, 0.3, 0.9, 0.999])
def test_truncated_real_model(name: str, share: float, tmp_path: Path) -> None:
    content = real_model(name).read_bytes()
    path = tmp_path / "net.tflite"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(RobustPoseError, match=r"net\.tflite: "):
        load_tflite(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match=r"gone\.tflite: no such file"):
        load_tflite(tmp_path / "gone.tflite")
    with pytest.raises(RobustPoseError, match="cannot be read"):
        load_tflite(tmp_path)


def test_unknown_operator() -> None:
    content = tflite_bytes(
        Op("RELU", ("picture",), ("first",)),
        Op("COS", ("first",), ("out",), "CosOptions"),
        picture=(1, SIDE, SIDE, 3),
    )
    message = refusal(content)
    assert "operator COS (makes 'out') is not supported" in message
    assert "`stages`" in message
    read_graph(content, file="net", outputs=("first",))  # what comes before it is of use


def test_unknown_operators_are_named_at_once() -> None:
    content = tflite_bytes(
        Op("COS", ("picture",), ("first",), "CosOptions"),
        Op("COS", ("first",), ("second",), "CosOptions"),
        Op("SIN", ("second",)),
        picture=(1, SIDE, SIDE, 3),
    )
    message = refusal(content)
    assert "operators COS (makes 'first'), SIN (makes 'out') are not supported" in message


def test_quantised_activations() -> None:
    content = tflite_bytes(
        Op("RELU", ("picture",)),
        picture=(1, SIDE, SIDE, 3),
        shapes={"out": (1, SIDE, SIDE, 3)},
        types={"picture": "int8", "out": "int8"},
        scaled=("picture", "out"),
    )
    message = refusal(content)
    assert "is quantised (tensor 'picture' is INT8)" in message
    assert "float or float16 file" in message


def test_quantised_weights() -> None:
    weights = np.ones((4, 3, 3, 3), np.int8)
    content = tflite_bytes(
        Op("DEQUANTIZE", (weights,), ("weights",), "DequantizeOptions"),
        Op("CONV_2D", ("picture", "weights", floats(4)), table="Conv2DOptions", fields=CONV),
        picture=(1, SIDE, SIDE, 3),
        shapes={"weights": (4, 3, 3, 3), "out": (1, SIDE, SIDE, 4)},
        scaled=("constant 0",),
    )
    assert "is quantised (tensor 'constant 0' is INT8)" in refusal(content)


def test_a_image_of_bytes_is_not_quantised() -> None:
    content = tflite_bytes(
        Op("CAST", ("picture",), table="CastOptions", fields={"InDataType": 3, "OutDataType": 0}),
        picture=(1, SIDE, SIDE, 3),
        types={"picture": "uint8"},
    )
    x = 255 * torch.rand(2, SIDE, SIDE, 3)
    assert torch.equal(read_graph(content, file="net")(x)[0], x)


def test_several_inputs() -> None:
    content = tflite_bytes(
        Op("ADD", ("picture", "other"), table="AddOptions"),
        picture=(1, SIDE, SIDE, 3),
        inputs=("picture", "other"),
        shapes={"out": (1, SIDE, SIDE, 3)},
    )
    assert "must have one input, the image; has 2: 'picture', 'other'" in refusal(content)


def test_several_graphs() -> None:
    op = Op("RELU", ("picture",))
    content = tflite_bytes(op, picture=(1, SIDE, SIDE, 3), shapes={"out": (1, SIDE, SIDE, 3)}, graphs=2)
    assert "must have one graph, has 2" in refusal(content)


def test_weights_that_the_model_computes() -> None:
    content = tflite_bytes(
        Op("RESHAPE", ("picture", np.array([4, 3, 3, 3], np.int32)), ("weights",), "ReshapeOptions"),
        Op("CONV_2D", ("picture", "weights", floats(4)), table="Conv2DOptions", fields=CONV),
        picture=(1, SIDE, SIDE, 3),
        shapes={"weights": (4, 3, 3, 3), "out": (1, SIDE, SIDE, 4)},
    )
    assert "needs 'weights' at load" in refusal(content)
