"""Whole TF.js graph models: files that are used, and files that cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustpose.errors import RobustPoseError
from robustpose.models.importers.tfjs import load_tfjs
from robustpose.models.importers.tfjs.files import read_files
from robustpose.models.importers.tfjs.graph import inputs_and_outputs, read_graph
from tests.models.importers.tfjs_cases import layer
from tests.models.importers.tfjs_files import Array, Files, Op, numbers, text, tfjs_files, write

SIDE = 6
PICTURE = (1, SIDE, SIDE, 3)
SPEC_TOML = f"""
name = "small"
format = "tfjs"
skeleton = ["left_hand", "right_hand"]
input_size = [{SIDE}, {SIDE}]
channels = "RGB"
stages = ["out"]
head = "heatmap"
heatmap_size = [{SIDE}, {SIDE}]
sigma = 1.0
"""


def floats(*shape: int) -> Array:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


WEIGHTS = (floats(3, 3, 3, 4), floats(3, 3, 4, 2))


def small_model(**how: Any) -> Files:
    """Return a model of two 3x3 convolutions: 'first' has 4 channels, 'out' 2."""
    first, second = (layer("Conv2D", weights) for weights in WEIGHTS)
    return tfjs_files(
        Op("Conv2D", first.inputs, "first", first.attributes),
        Op("Conv2D", ("first", *second.inputs[1:]), "out", second.attributes),
        picture=PICTURE,
        **how,
    )


SMALL = small_model(shards=3)


def changed(files: Files, change: Callable[[dict[str, Any]], object]) -> Files:
    model = json.loads(files["model.json"])
    change(model)
    return files | {"model.json": json.dumps(model).encode()}


def outputs(folder: Path, files: Files, *names: str) -> tuple[torch.Tensor, ...]:
    x = torch.linspace(-1, 1, 2 * SIDE * SIDE * 3).reshape(2, *PICTURE[1:])
    graph = read_graph(read_files(write(folder, files)), PICTURE, outputs=names)
    return tuple(graph(x))


def refusal(folder: Path, files: Files, *names: str) -> str:
    model = write(folder, files)
    with pytest.raises(RobustPoseError) as caught:
        read_graph(read_files(model), PICTURE, outputs=names)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


def test_a_model_of_a_spec(tmp_path: Path) -> None:
    path = write(tmp_path / "net", SMALL)
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC_TOML)
    model = load_tfjs(path, spec=spec)
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    (raw,) = model(images).stages
    expected = torch.nn.functional.conv2d(images, torch.from_numpy(WEIGHTS[0]).permute(3, 2, 0, 1), padding=1)
    expected = torch.nn.functional.conv2d(expected, torch.from_numpy(WEIGHTS[1]).permute(3, 2, 0, 1), padding=1)
    torch.testing.assert_close(raw, expected, atol=1e-5, rtol=1e-5)
    assert not model.training
    assert not list(model.parameters())
    assert torch.equal(load_tfjs(path.parent, spec=spec)(images).stages[0], raw)
    assert load_tfjs(path, spec=spec).fingerprint == model.fingerprint


def test_fingerprint_follows_the_shards(tmp_path: Path) -> None:
    other = dict(SMALL)
    name = sorted(other)[0]
    other[name] = other[name][:-1] + bytes([other[name][-1] ^ 1])
    first, second = (read_files(write(tmp_path / str(i), files)) for i, files in enumerate((SMALL, other)))
    assert first.sha256 != second.sha256
    assert first.sha256 == read_files(write(tmp_path / "again", SMALL)).sha256


def test_a_spec_of_another_format(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC_TOML.replace("tfjs", "tflite"))
    with pytest.raises(
        RobustPoseError,
        match=r"is a spec for tflite models \(format = 'tflite'\), but the model is opened as tfjs",
    ):
        load_tfjs(write(tmp_path, SMALL), spec=spec)


def test_no_spec_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(
        RobustPoseError, match=r"input is 'picture' of shape \[1, 6, 6, 3\], its outputs are 'out'"
    ):
        load_tfjs(write(tmp_path, SMALL))


def test_any_tensor_can_be_asked_for(tmp_path: Path) -> None:
    first, out = outputs(tmp_path, SMALL, "first", "out")
    assert (first.shape, out.shape) == ((2, SIDE, SIDE, 4), (2, SIDE, SIDE, 2))
    files = read_files(write(tmp_path, SMALL))
    assert len(read_graph(files, PICTURE, outputs=["first"]).steps) == 1
    assert inputs_and_outputs(files)[1].names == ("out",)
    assert "did you mean 'out'" in refusal(tmp_path, SMALL, "oute")
    assert "'first' has no output 1" in refusal(tmp_path, SMALL, "first:1")


def test_the_size_of_a_free_image_is_the_specs(tmp_path: Path) -> None:
    files = changed(SMALL, lambda model: model["modelTopology"]["node"][0]["attr"].pop("shape"))
    read = read_files(write(tmp_path, files))
    assert inputs_and_outputs(read)[0].shapes == ((-1, -1, -1, -1),)
    assert read_graph(read, (1, 9, 5, 3))(torch.rand(2, 9, 5, 3))[0].shape == (2, 9, 5, 2)


@pytest.mark.parametrize("stored", ["float16", "uint16", "uint8"])
def test_weights_kept_in_fewer_bits(tmp_path: Path, stored: str) -> None:
    """Each weight comes back within half a step of its scale, and the model computes with those."""
    files = read_files(write(tmp_path, small_model(stored=stored)))
    for weights, kept in zip(WEIGHTS, files.weights.values(), strict=True):
        levels = {"float16": 2**11, "uint16": 2**16 - 1, "uint8": 2**8 - 1}[stored]
        span = np.abs(weights).max() if stored == "float16" else weights.max() - weights.min()
        assert kept.dtype == torch.float32
        assert np.abs(kept.numpy() - weights).max() <= 0.51 * span / levels + 1e-6
        assert np.abs(kept.numpy() - weights).max() > 0
    exact = outputs(tmp_path / "exact", SMALL)[0]
    assert float((outputs(tmp_path / "net", small_model(stored=stored))[0] - exact).abs().max()) < 0.5


def test_whole_numbers_by_hand(tmp_path: Path) -> None:
    """Scale 0.5 and minimum -1 make of the bytes 0, 3, 5 the whole numbers -1, 1 (from 0.5) and 2 (from 1.5)."""
    files = tfjs_files(Op("Reshape", ("picture", np.zeros(3, np.int32))), picture=PICTURE)

    def kept(model: dict[str, Any]) -> None:
        model["weightsManifest"][0]["weights"][0]["quantization"] = {"dtype": "uint8", "scale": 0.5, "min": -1}

    files = changed(files, kept) | {"group1-shard1of1.bin": bytes([0, 3, 5])}
    (numbers_,) = read_files(write(tmp_path, files)).weights.values()
    assert numbers_.tolist() == [-1, 1, 2]


def test_unknown_operators_are_named_at_once(tmp_path: Path) -> None:
    files = tfjs_files(
        Op("Relu", ("picture",), "first"),
        Op("ArgMax", ("first", np.array(1, np.int32)), "second"),
        Op("GatherNd", ("first", "second")),
        picture=PICTURE,
    )
    message = refusal(tmp_path, files)
    assert "operators ArgMax (makes 'second'), GatherNd (makes 'out') are not supported" in message
    assert "`stages`" in message
    outputs(tmp_path, files, "first")  # what comes before them is of use


def test_rounding_the_image_is_refused(tmp_path: Path) -> None:
    cast = Op("Cast", ("picture",), attributes={"DstT": {"type": "DT_INT32"}})
    assert "which have no gradient" in refusal(tmp_path, tfjs_files(cast, picture=PICTURE))
    floor = Op("FloorDiv", ("picture", np.ones(3, np.float32)))
    assert "which has no gradient" in refusal(tmp_path, tfjs_files(floor, picture=PICTURE))


def test_a_image_of_whole_numbers_is_not_rounded(tmp_path: Path) -> None:
    cast = Op("Cast", ("picture",), attributes={"SrcT": {"type": "DT_INT32"}, "DstT": {"type": "DT_FLOAT"}})
    files = tfjs_files(cast, picture=PICTURE, dtype="DT_INT32")
    x = 255 * torch.rand(2, *PICTURE[1:])
    assert torch.equal(read_graph(read_files(write(tmp_path, files)), PICTURE)(x)[0], x)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (layer("Conv2D", floats(3, 3, 3, 2), padding={"s": "!"}), "has an attribute that cannot be read: '!'"),
        (layer("Conv2D", floats(3, 3, 3, 2), padding={"s": "bm9uZQ=="}), "has padding 'none', expected SAME"),
        (layer("Conv2D", floats(3, 3, 3, 2), data_format=text("NCHW")), "has its channels first"),
        (layer("Conv2D", floats(3, 3, 3, 2), strides=numbers(2, 1, 1, 1)), "has strides [2, 1, 1, 1]"),
        (layer("Conv2D", "picture"), "needs 'picture' at load"),
        (layer("Conv2D"), "has no input 1"),
        (layer("Conv2D", floats(3, 3, 5, 2)), "does not fit its inputs"),
        (Op("Reshape", ("picture", np.array([1, 7], np.int32))), "reshapes [1, 6, 6, 3] to [1, 7]"),
        (Op("Squeeze", ("picture",), attributes={"squeeze_dims": numbers(1)}), "not all of size 1"),
        (Op("ConcatV2", ("picture", "picture", np.array(7, np.int32))), "has axis 7 for a tensor of 4 axes"),
        (Op("Cast", ("picture",), attributes={"DstT": {"type": "DT_STRING"}}), "has DstT DT_STRING"),
        (Op("AddV2", ("picture", floats(5))), "does not fit its inputs"),
    ],
)
def test_an_operator_that_cannot_be_used(tmp_path: Path, op: Op, message: str) -> None:
    refused = refusal(tmp_path, tfjs_files(op, picture=PICTURE))
    assert message in refused
    assert f"operator {op.op} (makes 'out')" in refused


def first_weight(model: dict[str, Any], **values: Any) -> None:
    model["weightsManifest"][0]["weights"][0].update(values)


DAMAGE: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda model: model.pop("modelTopology"), "it has no modelTopology"),
    (lambda model: model.update(format="layers-model"), "convert it to one with tensorflowjs_converter"),
    (lambda model: model["modelTopology"].pop("node"), "convert it to one with tensorflowjs_converter"),
    (lambda model: model["weightsManifest"].clear(), "has no weights for 'constant_0'"),
    (lambda model: model["weightsManifest"][0].pop("paths"), "is truncated or damaged"),
    (lambda model: model["weightsManifest"][0].update(paths=["/etc/passwd"]), "names weights outside its folder"),
    (lambda model: model["weightsManifest"][0].update(paths=["../w.bin"]), "names weights outside its folder"),
    (lambda model: first_weight(model, dtype="string"), "weight 'constant_0' is string, expected one of float32"),
    (
        lambda model: first_weight(model, quantization={"dtype": "int4"}),
        "is stored as int4, expected one of float16",
    ),
    (lambda model: first_weight(model, shape=[3, 3, 3, 999]), "one is truncated or missing"),
    (lambda model: first_weight(model, shape=[-1, -2]), "one is truncated or missing"),
    (lambda model: first_weight(model, shape=[3, 3]), "its weights"),
    (lambda model: model["modelTopology"]["node"][3].update(input=["out", "constant_0"]), "has a loop at"),
    (lambda model: model["modelTopology"]["node"][2].update(input=["gone"]), "there is no node 'gone'"),
    (lambda model: model["modelTopology"]["node"][2].update(input=["picture:3", "constant_0"]), "'picture:3'"),
    (
        lambda model: model["modelTopology"]["node"][0].update(op="Const"),
        "must have one input, the image; has 0",
    ),
    (lambda model: model["modelTopology"]["node"][1].update(op="Placeholder"), "has 2: 'picture', 'constant_0'"),
    (lambda model: model["modelTopology"]["node"].append(model["modelTopology"]["node"][1]), "two nodes have one"),
    (lambda model: model["modelTopology"].update(node=[1, 2]), "is truncated or damaged"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGE)
def test_damaged_model(tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    assert message in refusal(tmp_path, changed(SMALL, change))


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\xff\xfe", b"[1, 2]", b"null", b"[" * 100_000])
def test_not_tfjs(tmp_path: Path, content: bytes) -> None:
    assert "is not the model.json of a TF.js graph model" in refusal(tmp_path, {"model.json": content})


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match=r"gone\.json: no such file"):
        load_tfjs(tmp_path / "gone.json")
    with pytest.raises(RobustPoseError, match=r"model\.json: no such file"):
        load_tfjs(tmp_path)
    files = {name: content for name, content in SMALL.items() if "shard2" not in name}
    with pytest.raises(RobustPoseError, match=r"group1-shard2of3\.bin: no such file"):
        read_files(write(tmp_path, files))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, sum(len(part) for name, part in SMALL.items() if name != "model.json")))
def test_truncated_shards(tmp_path_factory: pytest.TempPathFactory, missing: int) -> None:
    files = dict(SMALL)
    for name in sorted(set(files) - {"model.json"}, reverse=True):
        cut = min(missing, len(files[name]))
        files[name], missing = files[name][: len(files[name]) - cut], missing - cut
    assert "one is truncated or missing" in refusal(tmp_path_factory.mktemp("cut"), files)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, len(SMALL["model.json"]) - 1), st.binary(min_size=1, max_size=4))
def test_damaged_json(tmp_path_factory: pytest.TempPathFactory, place: int, patch: bytes) -> None:
    content = SMALL["model.json"]
    damaged = SMALL | {"model.json": content[:place] + patch + content[place + len(patch) :]}
    model = write(tmp_path_factory.mktemp("damaged"), damaged)
    try:
        read_graph(read_files(model), PICTURE)
    except RobustPoseError as error:
        assert str(error).startswith(str(model.parent))
