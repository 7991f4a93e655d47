"""Every operator of ONNX graphs against ONNX's reference evaluator, and a few against numbers by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustpose.errors import RobustPoseError
from robustpose.models.importers.onnx import _input, _package, _planned, _weights
from robustpose.models.importers.onnx.graph import OnnxGraph
from robustpose.models.importers.onnx.ops import OPERATORS
from tests.models.importers.onnx_files import Array, model_of, node, onnx_package, reference

RNG = np.random.default_rng(0)


def floats(*shape: int) -> Array:
    return np.asarray(RNG.normal(size=shape), np.float32)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def graph_of(model: Any) -> OnnxGraph:
    """Plan a model's graph without a spec."""
    import hashlib

    onnx = _package()
    weights = _weights(onnx, model, Path(), hashlib.sha256(), file="net.onnx")
    source, shape = _input(model, weights, file="net.onnx")
    outputs = tuple(value.name for value in model.graph.output)
    return _planned(onnx, model, weights, source, outputs, one=shape[:1] == [1], file="net.onnx")


CASES: dict[str, tuple[str, tuple[str, ...], dict[str, Any], dict[str, Any]]] = {
    "Conv": ("Conv", ("picture", "w", "b"), {"w": floats(4, 3, 3, 3), "b": floats(4)}, {"pads": [1, 1, 1, 1]}),
    "Conv, asymmetric": (
        "Conv",
        ("picture", "w"),
        {"w": floats(4, 3, 3, 2)},
        {"pads": [0, 1, 2, 0], "strides": [2, 1], "dilations": [1, 2]},
    ),
    "Conv, SAME": (
        "Conv",
        ("picture", "w"),
        {"w": floats(4, 3, 3, 3)},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ),
    "Conv, groups": ("Conv", ("picture", "w"), {"w": floats(6, 1, 3, 3)}, {"group": 3}),
    "ConvTranspose": (
        "ConvTranspose",
        ("picture", "w", "b"),
        {"w": floats(3, 4, 4, 4), "b": floats(4)},
        {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    "ConvTranspose, asymmetric": (
        "ConvTranspose",
        ("picture", "w"),
        {"w": floats(3, 4, 3, 3)},
        {"strides": [2, 2], "pads": [0, 1, 1, 0], "output_padding": [1, 0]},
    ),
    "BatchNormalization": (
        "BatchNormalization",
        ("picture", "w", "b", "m", "v"),
        {"w": floats(3), "b": floats(3), "m": floats(3), "v": np.abs(floats(3))},
        {"epsilon": 1e-3},
    ),
    "InstanceNormalization": (
        "InstanceNormalization",
        ("picture", "w", "b"),
        {"w": floats(3), "b": floats(3)},
        {},
    ),
    "LayerNormalization": (
        "LayerNormalization",
        ("picture", "w", "b"),
        {"w": floats(8, 6), "b": floats(8, 6)},
        {"axis": 2},
    ),
    "MaxPool": ("MaxPool", ("picture",), {}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "MaxPool, asymmetric": (
        "MaxPool",
        ("picture",),
        {},
        {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]},
    ),
    "MaxPool, ceil": ("MaxPool", ("picture",), {}, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    "AveragePool": ("AveragePool", ("picture",), {}, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "AveragePool, pads": ("AveragePool", ("picture",), {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "AveragePool, pads count": (
        "AveragePool",
        ("picture",),
        {},
        {"kernel_shape": [3, 3], "pads": [0, 1, 1, 0], "count_include_pad": 1},
    ),
    "AveragePool, asymmetric": ("AveragePool", ("picture",), {}, {"kernel_shape": [3, 3], "pads": [0, 1, 1, 0]}),
    "GlobalAveragePool": ("GlobalAveragePool", ("picture",), {}, {}),
    "GlobalMaxPool": ("GlobalMaxPool", ("picture",), {}, {}),
    "Gemm": (
        "Gemm",
        ("flat", "w", "b"),
        {"w": floats(5, 144), "b": floats(5)},
        {"transB": 1, "alpha": 0.5, "beta": 2.0},
    ),
    "MatMul": ("MatMul", ("picture", "w"), {"w": floats(6, 5)}, {}),
    "Softmax": ("Softmax", ("picture",), {}, {"axis": 1}),
    "LogSoftmax": ("LogSoftmax", ("picture",), {}, {"axis": -1}),
    "Clip": ("Clip", ("picture", "a", "b"), {"a": np.float32(-0.5), "b": np.float32(0.75)}, {}),
    "Clip, above": ("Clip", ("picture", "", "b"), {"b": np.float32(0.25)}, {}),
    "HardSigmoid": ("HardSigmoid", ("picture",), {}, {"alpha": 0.3, "beta": 0.4}),
    "LeakyRelu": ("LeakyRelu", ("picture",), {}, {"alpha": 0.2}),
    "Elu": ("Elu", ("picture",), {}, {"alpha": 0.7}),
    "PRelu": ("PRelu", ("picture", "w"), {"w": np.abs(floats(3, 1, 1))}, {}),
    "Gelu": ("Gelu", ("picture",), {}, {}),
    "Gelu, tanh": ("Gelu", ("picture",), {}, {"approximate": "tanh"}),
    "Add": ("Add", ("picture", "w"), {"w": floats(3, 1, 1)}, {}),
    "Sub": ("Sub", ("w", "picture"), {"w": floats(1)}, {}),
    "Mul": ("Mul", ("picture", "picture"), {}, {}),
    "Div": ("Div", ("picture", "w"), {"w": 1 + np.abs(floats(6))}, {}),
    "Pow": ("Pow", ("picture", "w"), {"w": np.float32(2.0)}, {}),
    "Max": ("Max", ("picture", "w", "v"), {"w": floats(6), "v": floats(1)}, {}),
    "Min": ("Min", ("picture", "w"), {"w": floats(6)}, {}),
    "Sum": ("Sum", ("picture", "w", "picture"), {"w": floats(6)}, {}),
    "Mod": ("Mod", ("picture", "w"), {"w": np.float32(0.7)}, {"fmod": 1}),
    "Where": ("Where", ("c", "picture", "w"), {"c": RNG.random((8, 6)) > 0.5, "w": floats(1)}, {}),
    "ReduceMean": ("ReduceMean", ("picture", "axes"), {"axes": ints(2, 3)}, {}),
    "ReduceMean, all": ("ReduceMean", ("picture",), {}, {"keepdims": 0}),
    "ReduceSum": ("ReduceSum", ("picture", "axes"), {"axes": ints(-1)}, {"keepdims": 0}),
    "ReduceMax": ("ReduceMax", ("picture", "axes"), {"axes": ints(1)}, {}),
    "ReduceMin": ("ReduceMin", ("picture", "axes"), {"axes": ints(1)}, {}),
    "ReduceProd": ("ReduceProd", ("picture", "axes"), {"axes": ints(1, 2)}, {}),
    "ReduceL2": ("ReduceL2", ("picture", "axes"), {"axes": ints(3)}, {}),
    "Reshape": ("Reshape", ("picture", "s"), {"s": ints(0, -1, 4)}, {}),
    "Transpose": ("Transpose", ("picture",), {}, {"perm": [0, 2, 3, 1]}),
    "Flatten": ("Flatten", ("picture",), {}, {"axis": 2}),
    "Unsqueeze": ("Unsqueeze", ("picture", "a"), {"a": ints(1, -1)}, {}),
    "Slice": (
        "Slice",
        ("picture", "b", "e", "a", "s"),
        {"b": ints(1, -4), "e": ints(7, 99), "a": ints(2, 3), "s": ints(2, 1)},
        {},
    ),
    "Slice, backwards": (
        "Slice",
        ("picture", "b", "e", "a", "s"),
        {"b": ints(-1), "e": ints(-99), "a": ints(3), "s": ints(-2)},
        {},
    ),
    "Gather": ("Gather", ("picture", "i"), {"i": ints(2, 0, -1)}, {"axis": 1}),
    "Gather, one": ("Gather", ("picture", "i"), {"i": np.int64(3)}, {"axis": 2}),
    "GatherElements": (
        "GatherElements",
        ("picture", "i"),
        {"i": RNG.integers(-3, 3, size=(2, 2, 8, 6))},
        {"axis": 1},
    ),
    "GatherND": ("GatherND", ("picture", "i"), {"i": np.array([[0, 2], [1, 0], [1, -1]])}, {}),
    "Expand": ("Expand", ("w", "s"), {"s": ints(2, 1, 6), "w": floats(5, 1)}, {}),
    "Tile": ("Tile", ("picture", "r"), {"r": ints(1, 1, 2, 1)}, {}),
    "Pad": ("Pad", ("picture", "p", "v"), {"p": ints(0, 0, 1, 2, 0, 0, 3, 0), "v": np.float32(0.5)}, {}),
    "Pad, axes": ("Pad", ("picture", "p", "", "a"), {"p": ints(1, 2), "a": ints(-1)}, {}),
    "Pad, reflect": ("Pad", ("picture", "p"), {"p": ints(0, 0, 1, 2, 0, 0, 3, 0)}, {"mode": "reflect"}),
    "Pad, edge": ("Pad", ("picture", "p"), {"p": ints(0, 0, 1, 2, 0, 0, 3, 0)}, {"mode": "edge"}),
    "SpaceToDepth": ("SpaceToDepth", ("picture",), {}, {"blocksize": 2}),
    "Concat": ("Concat", ("picture", "picture"), {}, {"axis": 1}),
    "Dropout": ("Dropout", ("picture",), {}, {}),
    "Cast": ("Cast", ("picture",), {}, {"to": 1}),
}
PLAIN = (
    *("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Mish", "Neg", "Reciprocal", "Relu"),
    *("Sigmoid", "Sin", "Softplus", "Tanh"),
)
RESIZES = [
    (mode, way, rounding, sizes)
    for mode in ("nearest", "linear")
    for way in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
    for rounding in (
        ("round_prefer_floor", "floor", "ceil", "round_prefer_ceil") if mode == "nearest" else ("floor",)
    )
    for sizes in ((16, 12), (12, 9), (4, 3), (5, 11))
]


def agrees(model: Any, picture: Array | None = None, tolerance: float = 1e-5) -> None:
    picture = floats(2, 3, 8, 6) if picture is None else picture
    with torch.no_grad():
        (ours,) = graph_of(model)(torch.from_numpy(picture))
    theirs = reference(model, picture)
    assert tuple(ours.shape) == theirs.shape
    assert np.allclose(ours.numpy(), theirs, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_an_operator(case: str) -> None:
    kind, inputs, weights, attributes = CASES[case]
    flat = [node("Flatten", ["picture"], ["flat"])] if "flat" in inputs else []
    opset = 20 if kind == "Gelu" else 18
    agrees(model_of([*flat, node(kind, inputs, **attributes)], weights, opset=opset), tolerance=1e-4)


@pytest.mark.parametrize("kind", PLAIN)
def test_an_operator_of_one_tensor(kind: str) -> None:
    agrees(model_of([node(kind, ["picture"])]))


@pytest.mark.parametrize("kind", ["Log", "Sqrt"])
def test_an_operator_of_positive_numbers(kind: str) -> None:
    agrees(model_of([node(kind, ["picture"])]), np.abs(floats(2, 3, 8, 6)) + 0.1)


@pytest.mark.parametrize(("mode", "way", "rounding", "sizes"), RESIZES)
def test_resize(mode: str, way: str, rounding: str, sizes: tuple[int, int]) -> None:
    resize = node(
        "Resize",
        ["picture", "", "", "sizes"],
        mode=mode,
        coordinate_transformation_mode=way,
        nearest_mode=rounding,
    )
    agrees(model_of([resize], {"sizes": ints(2, 3, *sizes)}), floats(2, 3, 8, 6))


def test_resize_by_scales_and_cubic() -> None:
    scales = {"scales": np.array([1, 1, 2, 1.5], np.float32)}
    agrees(model_of([node("Resize", ["picture", "", "scales"], mode="linear")], scales))
    agrees(
        model_of(
            [node("Resize", ["picture", "", "scales"], mode="cubic")],
            {"scales": np.array([1, 1, 2, 2], np.float32)},
        )
    )


def test_shapes_computed_as_people_come() -> None:
    """x.reshape(x.shape[0], -1), as exporters write it."""
    nodes = [
        node("Shape", ["picture"], ["shape"]),
        node("Gather", ["shape", "zero"], ["people"], axis=0),
        node("Unsqueeze", ["people", "axis"], ["first"]),
        node("Concat", ["first", "rest"], ["to"], axis=0),
        node("Reshape", ["picture", "to"]),
    ]
    agrees(model_of(nodes, {"zero": np.int64(0), "axis": ints(0), "rest": ints(-1)}), floats(5, 3, 8, 6))


def test_split_depth_to_space_and_comparisons() -> None:
    nodes = [
        node("Split", ["picture"], ["a", "b"], axis=3, num_outputs=2),
        node("Less", ["a", "b"], ["less"]),
        node("Greater", ["a", "b"], ["more"]),
        node("Equal", ["a", "b"], ["same"]),
        node("Or", ["less", "same"], ["c"]),
        node("And", ["c", "less"], ["d"]),
        node("Not", ["more"], ["e"]),
        node("And", ["d", "e"], ["f"]),
        node("Where", ["f", "a", "b"]),
    ]
    agrees(model_of(nodes))
    for mode in ("DCR", "CRD"):
        agrees(model_of([node("DepthToSpace", ["picture"], blocksize=2, mode=mode)]), floats(2, 8, 3, 2))


def test_constants_are_computed_at_load() -> None:
    nodes = [
        node("Constant", [], ["three"], value_ints=[2, 3]),
        node("ConstantOfShape", ["three"], ["zeros"]),
        node("Size", ["zeros"], ["six"]),
        node("Range", ["start", "six", "step"], ["row"]),
        node("Cast", ["row"], ["row_float"], to=1),
        node("Add", ["picture", "row_float"]),
    ]
    model = model_of(nodes, {"start": np.int64(0), "step": np.int64(1)})
    agrees(model)
    assert len(graph_of(model).steps) == 1


def test_old_files_give_axes_pads_and_scales_as_attributes() -> None:
    nodes = [
        node("Upsample", ["picture", "scales"], ["up"], mode="nearest"),
        node("Unsqueeze", ["up"], ["five"], axes=[1]),
        node("Squeeze", ["five"], ["four"], axes=[1]),
        node("Slice", ["four"], ["cut"], starts=[1], ends=[9], axes=[2]),
        node("Pad", ["cut"], ["padded"], pads=[0, 0, 1, 1, 0, 0, 0, 0], value=0.5),
        node("Clip", ["padded"], ["clipped"], min=-1.0, max=1.0),
        node("ReduceSum", ["clipped"], ["summed"], axes=[3]),
        node("Softmax", ["summed"], axis=1),
    ]
    picture = floats(2, 3, 8, 6)
    model = model_of(nodes, {"scales": np.array([1, 1, 2, 2], np.float32)}, opset=9)
    (ours,) = graph_of(model)(torch.from_numpy(picture))
    up = picture.repeat(2, axis=2).repeat(2, axis=3)
    padded = np.pad(up[:, :, 1:9], ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=0.5)
    summed = padded.clip(-1, 1).sum(axis=3).reshape(2, -1)  # opset 9 takes all axes from the first on together
    weights = np.exp(summed - summed.max(axis=1, keepdims=True))
    assert np.allclose(ours.numpy().reshape(2, -1), weights / weights.sum(axis=1, keepdims=True), atol=1e-6)


def test_every_operator_is_tried_above() -> None:
    onnx_package()
    tried = {kind for kind, _, _, _ in CASES.values()} | {*PLAIN, "Log", "Sqrt", "Resize", "Shape", "Split"}
    tried |= {"Less", "Greater", "Equal", "Or", "And", "Not", "DepthToSpace", "ConstantOfShape", "Size", "Range"}
    tried |= {"Upsample", "Squeeze"}
    assert {*OPERATORS} - tried == set()


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        ("BatchNormalization", {"training_mode": 1}, "has training_mode = 1, expected 0"),
        ("Resize", {"antialias": 1}, "has antialias = 1, expected 0"),
        ("Resize", {"coordinate_transformation_mode": "tf_crop_and_resize"}, "tf_crop_and_resize"),
        ("Pad", {"mode": "mirror"}, "has mode = 'mirror'"),
        ("Cast", {"to": 8}, "makes values of type 8"),
        ("AveragePool", {"kernel_shape": [3]}, "must pool over two axes"),
    ],
)
def test_options_that_cannot_be_imported(kind: str, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(RobustPoseError, match=rf"net\.onnx: operator {kind} \(makes 'out'\).*{message}"):
        graph_of(model_of([node(kind, ["picture"], **attributes)]))
