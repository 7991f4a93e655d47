"""Files of one or two operators for each operator imported from TF.js, and the outputs of TF.js.

`python -m tests.models.importers.tfjs_cases` asks TF.js anew and writes tfjs_golden.npz: see tfjs_files.HOME.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.models.importers.tfjs_files import (
    HOME,
    Array,
    Files,
    Job,
    Op,
    flag,
    kind,
    number,
    numbers,
    real,
    run_tfjs,
    text,
    texts,
    tfjs_at_hand,
    tfjs_files,
    write,
)

PICTURE = (1, 7, 6, 4)
GOLDEN = Path(__file__).with_name("tfjs_golden.npz")
SAME, VALID = text("SAME"), text("VALID")
RNG = np.random.default_rng(11)
PEOPLE = np.random.default_rng(12).standard_normal((2, *PICTURE[1:])).astype(np.float32)
"""Two images, given to TF.js one by one."""


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: Any) -> Array:
    return np.array(values, dtype=np.int32)


def whole(value: int) -> Array:
    return np.array(value, dtype=np.int32)


def layer(
    op: str, *inputs: str | Array, stride: int = 1, dilation: int = 1, padding: Any = SAME, **attributes: Any
) -> Op:
    held = {
        "strides": numbers(1, stride, stride, 1),
        "dilations": numbers(1, dilation, dilation, 1),
        "padding": padding,
        "data_format": text("NHWC"),
    }
    return Op(op, ("picture", *inputs), attributes=held | attributes)


def fused(op: str, weight: Array, *words: str, channels: int, **attributes: Any) -> Op:
    inputs: list[Array] = [weight]
    if "BiasAdd" in words:
        inputs.append(floats(channels))
    if "Prelu" in words:
        inputs.append(floats(channels))
    held = {"fused_ops": texts(*words), "num_args": number(len(inputs) - 1)}
    return layer(op, *inputs, **{**held, **attributes})


def pool(op: str, kernel: tuple[int, int], stride: int, padding: Any) -> Op:
    made = layer(op, stride=stride, padding=padding)
    return replace(made, attributes={**made.attributes, "ksize": numbers(1, *kernel, 1)})


def transpose(size: tuple[int, int], kernel: tuple[int, int], stride: int = 2, padding: Any = SAME) -> Op:
    made = layer("Conv2DBackpropInput", stride=stride, padding=padding)
    return replace(made, inputs=(ints(1, *size, 3), floats(*kernel, 3, 4), "picture"))


def resize(op: str, size: tuple[int, int], *, corners: bool = False, centres: bool = False) -> Op:
    return Op(
        op,
        ("picture", ints(*size)),
        attributes={"align_corners": flag(corners), "half_pixel_centers": flag(centres)},
    )


def unary(op: str, given: str = "picture", **attributes: Any) -> Op:
    return Op(op, (given,), attributes=attributes)


def binary(op: str, second: Array | str | None = None) -> Op:
    return Op(op, ("picture", floats(1, 1, 4) if second is None else second))


def reduce(op: str, *axes: int, keep: bool) -> Op:
    return Op(op, ("picture", ints(*axes)), attributes={"keep_dims": flag(keep)})


def strided(begin: Array, end: Array, steps: Array, **masks: int) -> Op:
    held = {name: number(value) for name, value in masks.items()}
    return Op("StridedSlice", ("picture", begin, end, steps), attributes=held)


POSITIVE = Op("Exp", ("picture",), "positive")
SHAPE = Op("Shape", ("picture",), "shape")

CASES: Mapping[str, tuple[Op, ...]] = {
    "conv same": (layer("Conv2D", floats(3, 3, 4, 5)),),
    "conv valid": (layer("Conv2D", floats(3, 3, 4, 5), padding=VALID),),
    "conv stride 2": (layer("Conv2D", floats(3, 3, 4, 5), stride=2),),
    "conv even kernel stride 2": (layer("Conv2D", floats(4, 2, 4, 3), stride=2),),
    "conv dilated": (layer("Conv2D", floats(3, 3, 4, 2), dilation=2),),
    "conv explicit": (
        layer(
            "Conv2D",
            floats(3, 3, 4, 2),
            padding=text("EXPLICIT"),
            explicit_paddings=numbers(0, 0, 1, 2, 0, 3, 0, 0),
        ),
    ),
    "fused bias": (fused("_FusedConv2D", floats(3, 3, 4, 5), "BiasAdd", channels=5),),
    "fused bias relu6": (fused("_FusedConv2D", floats(1, 1, 4, 5), "BiasAdd", "Relu6", channels=5),),
    "fused bias relu": (fused("_FusedConv2D", floats(3, 3, 4, 5), "BiasAdd", "Relu", channels=5, stride=2),),
    "fused bias elu": (fused("_FusedConv2D", floats(1, 1, 4, 5), "BiasAdd", "Elu", channels=5),),
    "fused bias prelu": (fused("_FusedConv2D", floats(3, 3, 4, 5), "BiasAdd", "Prelu", channels=5),),
    "fused bias leaky relu": (
        fused("_FusedConv2D", floats(1, 1, 4, 5), "BiasAdd", "LeakyRelu", channels=5, leakyrelu_alpha=real(0.3)),
    ),
    "depthwise": (layer("DepthwiseConv2dNative", floats(3, 3, 4, 1)),),
    "depthwise 1x1": (layer("DepthwiseConv2dNative", floats(1, 1, 4, 1)),),
    "depthwise multiplier 2 stride 2": (layer("DepthwiseConv2dNative", floats(5, 5, 4, 2), stride=2),),
    "depthwise dilated": (layer("DepthwiseConv2dNative", floats(3, 3, 4, 1), dilation=2),),
    "depthwise fused": (
        fused("FusedDepthwiseConv2dNative", floats(3, 3, 4, 1), "BiasAdd", "Relu6", channels=4, stride=2),
    ),
    "depthwise fused prelu": (
        fused("FusedDepthwiseConv2dNative", floats(3, 3, 4, 1), "BiasAdd", "Prelu", channels=4),
    ),
    "transpose conv even": (transpose((14, 12), (4, 4)),),
    "transpose conv 3x3": (transpose((14, 12), (3, 3)),),
    "transpose conv odd output": (transpose((13, 11), (3, 3)),),
    "transpose conv 2x2": (transpose((14, 12), (2, 2)),),
    "transpose conv valid": (transpose((15, 13), (3, 3), padding=VALID),),
    "transpose conv by shape": (
        SHAPE,
        Op(
            "StridedSlice",
            ("shape", ints(1), ints(2), ints(1)),
            "rows",
            {"shrink_axis_mask": number(1)},
        ),
        Op("Mul", ("rows", whole(2)), "tall"),
        Op("Pack", (whole(1), "tall", whole(12), whole(3)), "size", {"axis": number(0)}),
        replace(transpose((14, 12), (4, 4)), inputs=("size", floats(4, 4, 3, 4), "picture")),
    ),
    "max pool same": (pool("MaxPool", (2, 2), 2, SAME),),
    "max pool valid": (pool("MaxPool", (3, 2), 2, VALID),),
    "average pool same": (pool("AvgPool", (3, 3), 1, SAME),),
    "average pool same odd": (pool("AvgPool", (5, 4), 2, SAME),),
    "average pool valid": (pool("AvgPool", (2, 3), 2, VALID),),
    **{
        f"{op} to {size}, corners {corners}, centres {centres}": (
            resize(op, size, corners=corners, centres=centres),
        )
        for op in ("ResizeBilinear", "ResizeNearestNeighbor")
        for size in ((14, 12), (13, 9), (3, 4))
        for corners, centres in ((False, False), (True, False), (False, True))
    },
    "matmul": (
        Op("Reshape", ("picture", ints(1, 168)), "flat"),
        Op(
            "MatMul", ("flat", floats(168, 3)), attributes={"transpose_a": flag(False), "transpose_b": flag(False)}
        ),
    ),
    "matmul transposed": (
        Op("Reshape", ("picture", ints(-1, 168)), "flat"),
        Op("MatMul", ("flat", floats(3, 168)), attributes={"transpose_b": flag(True)}),
    ),
    "matmul fused": (
        Op("Reshape", ("picture", ints(1, 168)), "flat"),
        Op(
            "_FusedMatMul",
            ("flat", floats(168, 3), floats(3)),
            attributes={"fused_ops": texts("BiasAdd", "Relu"), "num_args": number(1)},
        ),
    ),
    **{
        op: (
            Op(
                op,
                ("picture", floats(4), floats(4), floats(4), np.abs(floats(4)) + np.float32(0.1)),
                attributes={"epsilon": real(0.01), "is_training": flag(False)},
            ),
        )
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    },
    "add": (binary("Add"),),
    "add v2": (binary("AddV2", "picture"),),
    "add n": (unary("Tanh"), Op("AddN", ("picture", "out", "picture"), "sum")),
    "bias add": (binary("BiasAdd", floats(4)),),
    "sub": (binary("Sub"),),
    "mul": (binary("Mul", floats(1, 7, 6, 1)),),
    "real div": (binary("RealDiv", floats(4) + np.float32(5)),),
    "div": (binary("Div", floats(4) + np.float32(5)),),
    "maximum": (binary("Maximum"),),
    "minimum": (binary("Minimum"),),
    "squared difference": (binary("SquaredDifference"),),
    "pow": (POSITIVE, Op("Pow", ("positive", np.array(1.5, np.float32)))),
    "prelu": (binary("Prelu", floats(4)),),
    "abs": (unary("Abs"),),
    "elu": (unary("Elu"),),
    "exp": (unary("Exp"),),
    "identity": (unary("Identity"),),
    "leaky relu": (unary("LeakyRelu", alpha=real(0.3)),),
    "log": (POSITIVE, unary("Log", "positive")),
    "neg": (unary("Neg"),),
    "relu": (unary("Relu"),),
    "relu6": (unary("Relu6"),),
    "rsqrt": (POSITIVE, unary("Rsqrt", "positive")),
    "sigmoid": (unary("Sigmoid"),),
    "softmax": (unary("Softmax"),),
    "softplus": (unary("Softplus"),),
    "sqrt": (POSITIVE, unary("Sqrt", "positive")),
    "square": (unary("Square"),),
    "tanh": (unary("Tanh"),),
    "clip by value": (Op("ClipByValue", ("picture", np.array(-0.5, np.float32), np.array(0.25, np.float32))),),
    "cast of constants": (
        Op("Cast", (ints(1, 2, 3, 4),), "numbers", {"SrcT": kind("DT_INT32"), "DstT": kind("DT_FLOAT")}),
        binary("Mul", "numbers"),
    ),
    "floor div of constants": (
        Op("FloorDiv", (ints(15, 3), ints(2, 3)), "half"),
        Op("Pad", ("picture", ints([0, 0], [1, 0], [0, 0], [0, 0])), "taller"),
        Op("Add", ("half", ints(1, 1)), "size"),
        Op("ResizeBilinear", ("taller", "size")),
    ),
    "fill": (
        Op("Fill", (ints(1, 7, 6, 2), np.array(0.5, np.float32)), "half"),
        Op("ConcatV2", ("picture", "half", whole(3))),
    ),
    "mean": (reduce("Mean", 1, 2, keep=False),),
    "mean keeps": (reduce("Mean", -2, -3, keep=True),),
    "sum": (reduce("Sum", 3, keep=True),),
    "max": (reduce("Max", 1, keep=False),),
    "min": (reduce("Min", 3, keep=False),),
    "concat": (
        unary("Tanh"),
        Op("ConcatV2", ("picture", "out", floats(1, 7, 6, 2), whole(-1)), "joined", {"N": number(3)}),
    ),
    "reshape": (Op("Reshape", ("picture", ints(1, 42, 4))),),
    "reshape free": (Op("Reshape", ("picture", ints(-1, 24, 7))),),
    "reshape by shape": (
        SHAPE,
        Op("StridedSlice", ("shape", ints(0), ints(1), ints(1)), "n", {"shrink_axis_mask": number(1)}),
        Op("Pack", ("n", whole(28), whole(6)), "new", {"axis": number(0)}),
        Op("Reshape", ("picture", "new")),
    ),
    "expand and squeeze": (
        Op("ExpandDims", ("picture", whole(-1)), "more"),
        Op("Squeeze", ("more",), attributes={"squeeze_dims": numbers(4)}),
    ),
    "batch taken off and put back": (
        Op("Unpack", ("picture",), "alone", {"axis": number(0), "num": number(1)}),
        Op("ExpandDims", ("alone", whole(0)), "one"),
        Op("Squeeze", ("one",), "off", {"squeeze_dims": numbers(0)}),
        Op("Pack", ("off",), "on", {"axis": number(0), "N": number(1)}),
        replace(layer("Conv2D", floats(3, 3, 4, 2)), inputs=("on", floats(3, 3, 4, 2))),
    ),
    "transpose": (Op("Transpose", ("picture", ints(0, 3, 1, 2))),),
    "slice": (Op("Slice", ("picture", ints(0, 1, 2, 0), ints(1, 3, -1, 2))),),
    "strided slice": (strided(ints(0, 1, 0, 1), ints(1, 6, 6, 4), ints(1, 2, 3, 1)),),
    "strided slice masks": (
        strided(ints(0, 1, 3, 1), ints(0, -1, 2, 0), ints(1, 1, 1, 2), begin_mask=0b0101, end_mask=0b1101),
    ),
    "strided slice shrinks": (strided(ints(0, 0, -1, 0), ints(1, 7, 0, 4), ints(1, 1, 1, 1), shrink_axis_mask=4),),
    "strided slice backwards": (
        strided(ints(0, 0, 0, 0), ints(0, 0, 0, 0), ints(1, 1, -2, -1), begin_mask=15, end_mask=15),
    ),
    "split": (
        Op("Split", (whole(3), "picture"), "parts", {"num_split": number(2)}),
        Op("ConcatV2", ("parts:1", "parts", whole(3))),
    ),
    "split v": (
        Op("SplitV", ("picture", ints(1, -1), whole(3)), "parts", {"num_split": number(2)}),
        Op("ConcatV2", ("parts:1", "parts:0", whole(3))),
    ),
    "unpack and pack": (
        Op("Unpack", ("picture",), "parts", {"axis": number(-1), "num": number(4)}),
        Op("Pack", ("parts:3", "parts", floats(1, 7, 6)), attributes={"axis": number(3)}),
    ),
    "pad": (Op("Pad", ("picture", ints([0, 0], [1, 2], [0, 3], [0, 1]))),),
    "pad v2": (Op("PadV2", ("picture", ints([0, 0], [1, 0], [2, 1], [0, 0]), np.array(2.5, np.float32))),),
    **{
        f"mirror pad {mode}": (
            Op("MirrorPad", ("picture", ints([0, 0], [2, 3], [1, 0], [0, 0])), attributes={"mode": text(mode)}),
        )
        for mode in ("REFLECT", "SYMMETRIC")
    },
    "depth to space": (unary("DepthToSpace", block_size=number(2), data_format=text("NHWC")),),
    "control input": (unary("Tanh"), Op("Relu", ("picture", "^out"), "after")),
}


def files_of(case: str) -> Files:
    ops = CASES[case]
    return tfjs_files(*ops, picture=PICTURE, outputs=(ops[-1].name,))


def digest(case: str) -> str:
    return hashlib.sha256(b"".join(files_of(case).values())).hexdigest()


def ask_tfjs(home: str) -> dict[str, Array]:
    """Return the outputs of TF.js for each case and the two people, (2, ...)."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for row, case in enumerate(CASES):
            model = write(Path(folder) / f"model-{row}", files_of(case))
            jobs.append(Job(model, [PEOPLE[:1], PEOPLE[1:]], (CASES[case][-1].name,)))
        answers = run_tfjs(home, jobs, Path(folder) / "io")
    return {case: np.concatenate([out for (out,) in people]) for case, people in zip(CASES, answers, strict=True)}


def golden() -> tuple[dict[str, Array], dict[str, str]]:
    """Return the stored outputs of TF.js by case, and the digests of its input files."""
    with np.load(GOLDEN) as held:
        answers = {name: held[name] for name in held.files if name != "digests"}
        return answers, dict(zip(answers, map(str, held["digests"]), strict=True))


if __name__ == "__main__":
    assert tfjs_at_hand(), f"TF.js is not at hand: see {HOME} in tfjs_files.py"
    answers = ask_tfjs(tfjs_at_hand())
    np.savez_compressed(GOLDEN, allow_pickle=False, digests=np.array([*map(digest, answers)]), **answers)
