"""OPERATORS: what each operator of a .tflite file becomes. A new one is one function and one line here."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tflite
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers import tflite_layers as layers
from robustpose.models.importers import tflite_shapes as shapes
from robustpose.models.importers.tflite_node import Node, Plan, Run, clip_one


def _unary(run: Run) -> Callable[[Node], Plan]:
    """Plan an operator of one tensor and no options."""

    def plan(node: Node) -> Plan:
        return Plan(run, (node.value(0).index,))

    return plan


def _binary(run: Run, kind: type[Any] | None = None) -> Callable[[Node], Plan]:
    """Plan an operator of two tensors that broadcast; options of `kind` may fuse an activation."""

    def plan(node: Node) -> Plan:
        pair = (node.value(0).index, node.value(1).index)
        if kind is None or node.fields is None:
            return Plan(run, pair)
        activation = node.activation(node.options(kind).FusedActivationFunction())
        return Plan(run if activation is None else partial(_then, run=run, activation=activation), pair)

    return plan


def _then(first: Tensor, second: Tensor, *, run: Run, activation: Run) -> Any:
    return activation(run(first, second))


def _reduce(run: Run) -> Callable[[Node], Plan]:
    """Plan an operator that reduces axes known at load."""

    def plan(node: Node) -> Plan:
        axes = tuple(node.axis(axis) for axis in node.numbers(1))
        keep = bool(node.options(tflite.ReducerOptions).KeepDims())
        return Plan(partial(run, dim=axes, keepdim=keep), (node.value(0).index,))

    return plan


def _plan_softmax(node: Node) -> Plan:
    beta = float(node.options(tflite.SoftmaxOptions).Beta())
    return Plan(partial(_softmax, beta=beta), (node.value(0).index,))


def _softmax(x: Tensor, *, beta: float) -> Tensor:
    return torch.softmax(beta * x, dim=-1)


def _plan_leaky_relu(node: Node) -> Plan:
    slope = float(node.options(tflite.LeakyReluOptions).Alpha())
    return Plan(partial(functional.leaky_relu, negative_slope=slope), (node.value(0).index,))


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


def _plan_gelu(node: Node) -> Plan:
    way = "tanh" if node.options(tflite.GeluOptions).Approximate() else "none"
    return Plan(partial(functional.gelu, approximate=way), (node.value(0).index,))


def _plan_cast(node: Node) -> Plan:
    types = {
        tflite.TensorType.INT32: torch.int32,
        tflite.TensorType.INT64: torch.int64,
        tflite.TensorType.FLOAT32: torch.float32,
        tflite.TensorType.FLOAT16: torch.float32,
    }
    to = types.get(node.outputs[0].type)
    if to is None or (not to.is_floating_point and node.value(0).constant is None):
        raise node.refuse("turns values into whole numbers, which have no gradient")
    return Plan(partial(_cast, to=to), (node.value(0).index,))


def _cast(x: Tensor, *, to: torch.dtype) -> Tensor:
    return x if x.is_floating_point() and to.is_floating_point else x.to(to)


def _dequantize(x: Tensor) -> Tensor:
    """Widen float16 weights."""
    return x.float() if x.dtype == torch.float16 else x


def _squared_difference(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).square()


OPERATORS: dict[str, Callable[[Node], Plan | Tensor]] = {
    "ABS": _unary(torch.abs),
    "ADD": _binary(torch.add, tflite.AddOptions),
    "AVERAGE_POOL_2D": layers.plan_average_pool,
    "CAST": _plan_cast,
    "CONCATENATION": shapes.plan_concatenation,
    "CONV_2D": layers.plan_conv,
    "DEPTHWISE_CONV_2D": layers.plan_depthwise,
    "DEPTH_TO_SPACE": shapes.plan_depth_to_space,
    "DEQUANTIZE": _unary(_dequantize),
    "DIV": _binary(torch.div, tflite.DivOptions),
    "ELU": _unary(functional.elu),
    "EXP": _unary(torch.exp),
    "EXPAND_DIMS": shapes.plan_reshape,
    "FULLY_CONNECTED": layers.plan_fully_connected,
    "GELU": _plan_gelu,
    "HARD_SWISH": _unary(functional.hardswish),
    "LEAKY_RELU": _plan_leaky_relu,
    "LOGISTIC": _unary(torch.sigmoid),
    "MAXIMUM": _binary(torch.maximum),
    "MAX_POOL_2D": layers.plan_max_pool,
    "MEAN": _reduce(torch.mean),
    "MINIMUM": _binary(torch.minimum),
    "MIRROR_PAD": shapes.plan_mirror_pad,
    "MUL": _binary(torch.mul, tflite.MulOptions),
    "NEG": _unary(torch.neg),
    "PACK": shapes.plan_pack,
    "PAD": shapes.plan_pad,
    "PADV2": shapes.plan_pad,
    "POW": _binary(torch.pow),
    "PRELU": _binary(_prelu),
    "REDUCE_MAX": _reduce(torch.amax),
    "REDUCE_MIN": _reduce(torch.amin),
    "RELU": _unary(functional.relu),
    "RELU6": _unary(functional.relu6),
    "RELU_N1_TO_1": _unary(clip_one),
    "RESHAPE": shapes.plan_reshape,
    "RESIZE_BILINEAR": layers.plan_resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": layers.plan_resize_nearest,
    "RSQRT": _unary(torch.rsqrt),
    "SHAPE": shapes.plan_shape,
    "SLICE": shapes.plan_slice,
    "SOFTMAX": _plan_softmax,
    "SPACE_TO_DEPTH": shapes.plan_space_to_depth,
    "SPLIT": shapes.plan_split,
    "SPLIT_V": shapes.plan_split_v,
    "SQRT": _unary(torch.sqrt),
    "SQUARE": _unary(torch.square),
    "SQUARED_DIFFERENCE": _binary(_squared_difference),
    "SQUEEZE": shapes.plan_reshape,
    "STRIDED_SLICE": shapes.plan_strided_slice,
    "SUB": _binary(torch.sub, tflite.SubOptions),
    "SUM": _reduce(torch.sum),
    "TANH": _unary(torch.tanh),
    "TRANSPOSE": shapes.plan_transpose,
    "TRANSPOSE_CONV": layers.plan_transpose_conv,
    "UNPACK": shapes.plan_unpack,
}
