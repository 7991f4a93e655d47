"""OPERATORS: the torch implementation of each .tflite operator. A new one is one function and one line here."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tflite
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers import shapes as moves
from robustpose.models.importers.arithmetic import binary, cast, prelu, softmax, squared_difference, then, unary
from robustpose.models.importers.node import Plan, Run, clip_one
from robustpose.models.importers.tflite import layers, shapes
from robustpose.models.importers.tflite.node import TfliteNode


def _fused(run: Run, kind: type[Any]) -> Callable[[TfliteNode], Plan]:
    """Plan an operator with two tensors that broadcast; its options (`kind`) may have a fused activation."""

    def plan(node: TfliteNode) -> Plan:
        planned = binary(run)(node)
        if node.fields is None:
            return planned
        activation = node.activation(node.options(kind).FusedActivationFunction())
        if activation is None:
            return planned
        return Plan(partial(then, run=run, activation=activation), planned.inputs)

    return plan


def _reduce(run: Run) -> Callable[[TfliteNode], Plan]:
    """Plan a reduction over axes known at load."""

    def plan(node: TfliteNode) -> Plan:
        axes = tuple(node.axis(axis) for axis in node.numbers(1))
        keep = bool(node.options(tflite.ReducerOptions).KeepDims())
        return Plan(partial(run, dim=axes, keepdim=keep), (node.value(0).index,))

    return plan


def _plan_softmax(node: TfliteNode) -> Plan:
    beta = float(node.options(tflite.SoftmaxOptions).Beta())
    return Plan(partial(softmax, beta=beta), (node.value(0).index,))


def _plan_leaky_relu(node: TfliteNode) -> Plan:
    slope = float(node.options(tflite.LeakyReluOptions).Alpha())
    return Plan(partial(functional.leaky_relu, negative_slope=slope), (node.value(0).index,))


def _plan_gelu(node: TfliteNode) -> Plan:
    way = "tanh" if node.options(tflite.GeluOptions).Approximate() else "none"
    return Plan(partial(functional.gelu, approximate=way), (node.value(0).index,))


def _plan_cast(node: TfliteNode) -> Plan:
    to = node.outputs[0].dtype
    if to is None or (not to.is_floating_point and node.value(0).constant is None):
        raise node.refuse("casts values to integers, which have no gradient")
    return Plan(partial(cast, to=torch.float32 if to.is_floating_point else to), (node.value(0).index,))


def _dequantize(x: Tensor) -> Tensor:
    """Convert float16 weights to float32."""
    return x.float() if x.dtype == torch.float16 else x


OPERATORS: dict[str, Callable[[TfliteNode], Plan | Tensor]] = {
    "ABS": unary(torch.abs),
    "ADD": _fused(torch.add, tflite.AddOptions),
    "AVERAGE_POOL_2D": layers.plan_average_pool,
    "CAST": _plan_cast,
    "CONCATENATION": shapes.plan_concatenation,
    "CONV_2D": layers.plan_conv,
    "DEPTHWISE_CONV_2D": layers.plan_depthwise,
    "DEPTH_TO_SPACE": shapes.plan_depth_to_space,
    "DEQUANTIZE": unary(_dequantize),
    "DIV": _fused(torch.div, tflite.DivOptions),
    "ELU": unary(functional.elu),
    "EXP": unary(torch.exp),
    "EXPAND_DIMS": shapes.plan_reshape,
    "FULLY_CONNECTED": layers.plan_fully_connected,
    "GELU": _plan_gelu,
    "HARD_SWISH": unary(functional.hardswish),
    "LEAKY_RELU": _plan_leaky_relu,
    "LOGISTIC": unary(torch.sigmoid),
    "MAXIMUM": binary(torch.maximum),
    "MAX_POOL_2D": layers.plan_max_pool,
    "MEAN": _reduce(torch.mean),
    "MINIMUM": binary(torch.minimum),
    "MIRROR_PAD": shapes.plan_mirror_pad,
    "MUL": _fused(torch.mul, tflite.MulOptions),
    "NEG": unary(torch.neg),
    "PACK": shapes.plan_pack,
    "PAD": moves.plan_pad,
    "PADV2": moves.plan_pad,
    "POW": binary(torch.pow),
    "PRELU": binary(prelu),
    "REDUCE_MAX": _reduce(torch.amax),
    "REDUCE_MIN": _reduce(torch.amin),
    "RELU": unary(functional.relu),
    "RELU6": unary(functional.relu6),
    "RELU_N1_TO_1": unary(clip_one),
    "RESHAPE": shapes.plan_reshape,
    "RESIZE_BILINEAR": layers.plan_resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": layers.plan_resize_nearest,
    "RSQRT": unary(torch.rsqrt),
    "SHAPE": moves.plan_shape,
    "SLICE": moves.plan_slice,
    "SOFTMAX": _plan_softmax,
    "SPACE_TO_DEPTH": shapes.plan_space_to_depth,
    "SPLIT": shapes.plan_split,
    "SPLIT_V": shapes.plan_split_v,
    "SQRT": unary(torch.sqrt),
    "SQUARE": unary(torch.square),
    "SQUARED_DIFFERENCE": binary(squared_difference),
    "SQUEEZE": shapes.plan_reshape,
    "STRIDED_SLICE": shapes.plan_strided_slice,
    "SUB": _fused(torch.sub, tflite.SubOptions),
    "SUM": _reduce(torch.sum),
    "TANH": unary(torch.tanh),
    "TRANSPOSE": moves.plan_transpose,
    "TRANSPOSE_CONV": layers.plan_transpose_conv,
    "UNPACK": shapes.plan_unpack,
}
