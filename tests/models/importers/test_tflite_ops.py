"""Every operator against the LiteRT runtime, on files of one or two operators made here."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from robustpose.models.importers.graph import PlannedGraph
from robustpose.models.importers.tflite.graph import read_graph
from robustpose.models.importers.tflite.ops import OPERATORS
from tests.models.importers.tflite_files import Array, Op, runtime_outputs, tflite_bytes

PICTURE = (1, 7, 6, 4)
SAME, VALID = 0, 1
ACT = "FusedActivationFunction"
RNG = np.random.default_rng(7)


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: Any) -> Array:
    return np.array(values, dtype=np.int32)


def conv(
    kernel: tuple[int, int] = (3, 3), *, weights: Array | None = None, activation: int = 0, **fields: Any
) -> Op:
    kinds = {
        "Padding": SAME,
        "StrideH": 1,
        "StrideW": 1,
        "DilationHFactor": 1,
        "DilationWFactor": 1,
        ACT: activation,
    }
    kinds |= fields
    held = floats(5, *kernel, 4) if weights is None else weights
    return Op("CONV_2D", ("picture", held, floats(len(held))), table="Conv2DOptions", fields=kinds)


def depthwise(multiplier: int = 1, kernel: tuple[int, int] = (3, 3), *, activation: int = 0, **fields: Any) -> Op:
    kinds = {
        "Padding": SAME,
        "StrideH": 1,
        "StrideW": 1,
        "DepthMultiplier": multiplier,
        ACT: activation,
        "DilationHFactor": 1,
        "DilationWFactor": 1,
    } | fields
    weights, bias = floats(1, *kernel, 4 * multiplier), floats(4 * multiplier)
    return Op("DEPTHWISE_CONV_2D", ("picture", weights, bias), table="DepthwiseConv2DOptions", fields=kinds)


def transpose(
    size: tuple[int, int], kernel: tuple[int, int], stride: int = 2, *, bias: bool = False, padding: int = SAME
) -> Op:
    inputs: list[str | Array] = [
        ints(1, *size, 3),
        floats(3, *kernel, 4),
        "picture",
        *([floats(3)] if bias else []),
    ]
    fields = {"Padding": padding, "StrideH": stride, "StrideW": stride}
    return Op("TRANSPOSE_CONV", inputs, table="TransposeConvOptions", fields=fields)


def pool(operator: str, kernel: tuple[int, int], stride: int, padding: int, activation: int = 0) -> Op:
    fields = {
        "Padding": padding,
        "StrideH": stride,
        "StrideW": stride,
        "FilterHeight": kernel[0],
        "FilterWidth": kernel[1],
        "FusedActivationFunction": activation,
    }
    return Op(operator, ("picture",), table="Pool2DOptions", fields=fields)


def resize(operator: str, size: tuple[int, int], *, corners: bool = False, centres: bool = False) -> Op:
    table = "ResizeBilinearOptions" if "BILINEAR" in operator else "ResizeNearestNeighborOptions"
    fields = {"AlignCorners": corners, "HalfPixelCenters": centres}
    return Op(operator, ("picture", ints(*size)), table=table, fields=fields)


def binary(operator: str, table: str = "", other: Array | str | None = None, *, activation: int = 0) -> Op:
    second = floats(1, 1, 4) if other is None else other
    return Op(operator, ("picture", second), table=table, fields={ACT: activation} if activation else {})


def reduce(operator: str, *axes: int, keep: bool) -> Op:
    return Op(operator, ("picture", ints(*axes)), table="ReducerOptions", fields={"KeepDims": keep})


def strided(begin: Array, end: Array, steps: Array, **masks: int) -> Op:
    return Op("STRIDED_SLICE", ("picture", begin, end, steps), table="StridedSliceOptions", fields=masks)


def unary(operator: str, table: str = "", **fields: Any) -> Op:
    return Op(operator, ("picture",), table=table, fields=fields)


CASES: Mapping[str, tuple[Op, ...]] = {
    "conv same": (conv(),),
    "conv valid": (conv(Padding=VALID),),
    "conv stride 2 same": (conv(StrideH=2, StrideW=2),),
    "conv stride 2 valid": (conv(StrideH=2, StrideW=2, Padding=VALID),),
    "conv strides differ": (conv(StrideH=2, StrideW=3),),
    "conv even kernel": (conv((2, 4)),),
    "conv even kernel stride 2": (conv((4, 2), StrideH=2, StrideW=2),),
    "conv dilated": (conv(DilationHFactor=2, DilationWFactor=2),),
    "conv dilated valid": (conv(DilationHFactor=2, DilationWFactor=1, Padding=VALID),),
    "conv 1x1 stride 2": (conv((1, 1), StrideH=2, StrideW=2),),
    "conv grouped": (conv(weights=floats(6, 3, 3, 2)),),
    "conv relu": (conv(activation=1),),
    "conv relu -1 to 1": (conv(activation=2),),
    "conv relu6": (conv(activation=3),),
    "depthwise": (depthwise(),),
    "depthwise stride 2": (depthwise(StrideH=2, StrideW=2, activation=3),),
    "depthwise valid": (depthwise(Padding=VALID),),
    "depthwise 1x1": (depthwise(1, (1, 1), activation=1),),
    "depthwise 1x1 multiplier 2": (depthwise(2, (1, 1)),),
    "depthwise 1x1 stride 2": (depthwise(1, (1, 1), StrideH=2, StrideW=2),),
    "depthwise multiplier 3": (depthwise(3),),
    "depthwise multiplier 2 stride 2": (depthwise(2, (5, 5), StrideH=2, StrideW=2),),
    "depthwise dilated": (depthwise(DilationHFactor=2, DilationWFactor=2),),
    "transpose even": (transpose((14, 12), (4, 4)),),
    "transpose 3x3": (transpose((14, 12), (3, 3)),),
    "transpose odd output": (transpose((13, 11), (3, 3)),),
    "transpose odd output even kernel": (transpose((13, 11), (4, 2)),),
    "transpose kernel under stride": (transpose((14, 12), (1, 1)),),
    "transpose 2x2": (transpose((14, 12), (2, 2)),),
    "transpose valid": (transpose((15, 13), (3, 3), padding=VALID),),
    "transpose stride 3": (transpose((21, 18), (5, 5), 3),),
    "transpose with bias": (transpose((14, 12), (4, 4), bias=True),),
    "transpose odd output with bias": (transpose((13, 11), (3, 3), bias=True),),
    "transpose stride 1": (transpose((7, 6), (3, 3), 1),),
    "max pool same": (pool("MAX_POOL_2D", (2, 2), 2, SAME),),
    "max pool valid": (pool("MAX_POOL_2D", (3, 2), 2, VALID),),
    "max pool 3 same": (pool("MAX_POOL_2D", (3, 3), 1, SAME, 1),),
    "average pool same": (pool("AVERAGE_POOL_2D", (3, 3), 1, SAME),),
    "average pool same odd": (pool("AVERAGE_POOL_2D", (2, 2), 2, SAME),),
    "average pool same 5": (pool("AVERAGE_POOL_2D", (5, 4), 2, SAME, 3),),
    "average pool valid": (pool("AVERAGE_POOL_2D", (2, 3), 2, VALID),),
    **{
        f"{operator} to {size}, corners {corners}, centres {centres}": (
            resize(operator, size, corners=corners, centres=centres),
        )
        for operator in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
        for size in ((14, 12), (13, 9), (3, 4), (7, 6), (1, 1))
        for corners, centres in ((False, False), (True, False), (False, True))
    },
    "add constant": (binary("ADD", "AddOptions"),),
    "add itself": (binary("ADD", "AddOptions", "picture"),),
    "add relu": (binary("ADD", "AddOptions", activation=1),),
    "sub relu6": (binary("SUB", "SubOptions", activation=3),),
    "mul": (binary("MUL", "MulOptions", floats(1, 7, 6, 1)),),
    "mul relu -1 to 1": (binary("MUL", "MulOptions", activation=2),),
    "div": (binary("DIV", "DivOptions", floats(4) + 5),),
    "maximum": (binary("MAXIMUM", "MaximumMinimumOptions"),),
    "minimum": (binary("MINIMUM", "MaximumMinimumOptions"),),
    "squared difference": (binary("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),),
    "pow": (
        Op("ABS", ("picture",), ("positive",), "AbsOptions"),
        Op("POW", ("positive", np.array(2.5, np.float32)), table="PowOptions"),
    ),
    "prelu": (binary("PRELU", other=floats(1, 1, 4)),),
    "concatenation": (
        unary("TANH"),
        Op(
            "CONCATENATION",
            ("picture", "out", floats(1, 7, 6, 2)),
            ("joined",),
            "ConcatenationOptions",
            {"Axis": -1},
        ),
    ),
    "concatenation of rows": (
        Op("CONCATENATION", ("picture", "picture"), table="ConcatenationOptions", fields={"Axis": 1}),
    ),
    "pad": (Op("PAD", ("picture", ints([0, 0], [1, 2], [0, 3], [0, 1])), table="PadOptions"),),
    "padv2": (
        Op(
            "PADV2",
            ("picture", ints([0, 0], [1, 0], [2, 1], [0, 0]), np.array(2.5, np.float32)),
            table="PadV2Options",
        ),
    ),
    **{
        f"mirror pad {mode}": (
            Op(
                "MIRROR_PAD",
                ("picture", ints([0, 0], [2, 3], [1, 0], [0, 0])),
                table="MirrorPadOptions",
                fields={"Mode": mode},
            ),
        )
        for mode in (0, 1)
    },
    "logistic": (unary("LOGISTIC"),),
    "tanh": (unary("TANH"),),
    "relu": (unary("RELU"),),
    "relu6": (unary("RELU6"),),
    "relu -1 to 1": (unary("RELU_N1_TO_1"),),
    "leaky relu": (unary("LEAKY_RELU", "LeakyReluOptions", Alpha=0.3),),
    "elu": (unary("ELU"),),
    "gelu": (unary("GELU", "GeluOptions", Approximate=False),),
    "gelu by tanh": (unary("GELU", "GeluOptions", Approximate=True),),
    "hard swish": (unary("HARD_SWISH", "HardSwishOptions"),),
    "softmax": (unary("SOFTMAX", "SoftmaxOptions", Beta=1.5),),
    "abs": (unary("ABS", "AbsOptions"),),
    "neg": (unary("NEG", "NegOptions"),),
    "exp": (unary("EXP", "ExpOptions"),),
    "square": (unary("SQUARE", "SquareOptions"),),
    "sqrt": (Op("EXP", ("picture",), ("positive",), "ExpOptions"), Op("SQRT", ("positive",))),
    "rsqrt": (Op("EXP", ("picture",), ("positive",), "ExpOptions"), Op("RSQRT", ("positive",))),
    "reshape": (Op("RESHAPE", ("picture", ints(1, 42, 4)), table="ReshapeOptions"),),
    "reshape to -1": (Op("RESHAPE", ("picture", ints(1, -1, 2)), table="ReshapeOptions"),),
    "reshape and back": (
        Op("RESHAPE", ("picture", ints(42, 4)), ("rows",), "ReshapeOptions"),
        Op("RESHAPE", ("rows", ints(1, 6, 7, 4)), table="ReshapeOptions"),
    ),
    "reshape by shape": (
        Op("SHAPE", ("picture",), ("shape",), "ShapeOptions", {"OutType": 2}),
        Op(
            "STRIDED_SLICE",
            ("shape", ints(0), ints(1), ints(1)),
            ("n",),
            "StridedSliceOptions",
            {"ShrinkAxisMask": 1},
        ),
        Op("PACK", ("n", ints(28)[0], ints(6)[0]), ("new",), "PackOptions", {"ValuesCount": 3, "Axis": 0}),
        Op("RESHAPE", ("picture", "new"), table="ReshapeOptions"),
    ),
    "expand and squeeze": (
        Op("EXPAND_DIMS", ("picture", ints(2)), ("more",), "ExpandDimsOptions"),
        Op("SQUEEZE", ("more",), table="SqueezeOptions", fields={"SqueezeDims": [2]}),
    ),
    "transpose": (Op("TRANSPOSE", ("picture", ints(0, 3, 1, 2)), table="TransposeOptions"),),
    "mean": (reduce("MEAN", 1, 2, keep=False),),
    "mean of negative axes": (reduce("MEAN", -2, -3, keep=True),),
    "sum": (reduce("SUM", 3, keep=True),),
    "reduce max": (reduce("REDUCE_MAX", 1, keep=False),),
    "reduce min": (reduce("REDUCE_MIN", 3, keep=False),),
    "slice": (Op("SLICE", ("picture", ints(0, 1, 2, 0), ints(1, 3, -1, 2)), table="SliceOptions"),),
    "strided slice": (strided(ints(0, 1, 0, 1), ints(1, 6, 6, 4), ints(1, 2, 3, 1)),),
    "strided slice masks": (
        strided(ints(0, 1, 3, 1), ints(0, -1, 2, 0), ints(1, 1, 1, 2), BeginMask=0b0101, EndMask=0b1101),
    ),
    "strided slice shrinks": (strided(ints(0, 0, -1, 0), ints(1, 7, 0, 4), ints(1, 1, 1, 1), ShrinkAxisMask=4),),
    "strided slice backwards": (
        strided(ints(0, 0, 0, 0), ints(0, 0, 0, 0), ints(1, 1, -2, -1), BeginMask=15, EndMask=15),
    ),
    "strided slice shrinks and backwards": (
        strided(ints(0, 2, 5, 0), ints(1, 3, 1, 4), ints(1, 1, -2, 1), ShrinkAxisMask=2),
    ),
    "split": (
        Op("SPLIT", (np.array(3, np.int32), "picture"), ("a", "b"), "SplitOptions", {"NumSplits": 2}),
        Op("CONCATENATION", ("b", "a"), table="ConcatenationOptions", fields={"Axis": 3}),
    ),
    "split v": (
        Op(
            "SPLIT_V",
            ("picture", ints(1, 3), np.array(3, np.int32)),
            ("a", "b"),
            "SplitVOptions",
            {"NumSplits": 2},
        ),
        Op("CONCATENATION", ("b", "a"), table="ConcatenationOptions", fields={"Axis": 3}),
    ),
    "unpack and pack": (
        Op("UNPACK", ("picture",), ("a", "b", "c", "d"), "UnpackOptions", {"Num": 4, "Axis": -1}),
        Op("PACK", ("d", "a", floats(1, 7, 6)), table="PackOptions", fields={"ValuesCount": 3, "Axis": 3}),
    ),
    "depth to space": (unary("DEPTH_TO_SPACE", "DepthToSpaceOptions", BlockSize=2),),
    "space to depth": (
        Op("PAD", ("picture", ints([0, 0], [0, 1], [0, 0], [0, 0])), ("even",), "PadOptions"),
        Op("SPACE_TO_DEPTH", ("even",), table="SpaceToDepthOptions", fields={"BlockSize": 2}),
    ),
    "fully connected": (
        Op(
            "FULLY_CONNECTED",
            ("picture", floats(5, 168), floats(5)),
            table="FullyConnectedOptions",
            fields={ACT: 1},
        ),
    ),
    "fully connected keeps axes": (
        Op(
            "FULLY_CONNECTED",
            ("picture", floats(5, 4)),
            table="FullyConnectedOptions",
            fields={"KeepNumDims": True},
        ),
    ),
    "float16 weights": (
        Op("DEQUANTIZE", (floats(5, 3, 3, 4).astype(np.float16),), ("weights",), "DequantizeOptions"),
        Op(
            "CONV_2D",
            ("picture", "weights", floats(5)),
            table="Conv2DOptions",
            fields={"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1},
        ),
    ),
    "cast": (
        Op("CAST", (ints(1, 2, 3, 4),), ("numbers",), "CastOptions", {"InDataType": 2, "OutDataType": 0}),
        Op("MUL", ("picture", "numbers"), table="MulOptions"),
    ),
}


def content_of(case: str) -> bytes:
    ops = CASES[case]
    types = {"shape": "int32", "n": "int32", "new": "int32"}
    return tflite_bytes(*ops, picture=PICTURE, outputs=ops[-1].outputs, types=types)


def graph_of(case: str) -> PlannedGraph:
    return read_graph(content_of(case), file=case)


def pictures(n: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(n, *PICTURE[1:], generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


def test_every_operator_is_tried() -> None:
    assert {op.operator for ops in CASES.values() for op in ops} >= set(OPERATORS)


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_runtime(case: str) -> None:
    content = content_of(case)
    x = pictures(1)
    expected = runtime_outputs(content, x.numpy())
    given = read_graph(content, file=case)(x)
    for ours, theirs in zip(given, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_batch_is_its_people_one_by_one(case: str) -> None:
    graph, x = graph_of(case), pictures(3)
    (together,) = graph(x)
    torch.testing.assert_close(
        together, torch.cat([graph(one)[0] for one in torch.split(x, 1)]), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_right(case: str) -> None:
    graph = graph_of(case).double()
    assert gradcheck(graph, pictures(2, torch.float64).requires_grad_(), fast_mode=True)
