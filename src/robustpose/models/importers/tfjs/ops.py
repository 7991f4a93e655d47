"""OPERATORS: the torch implementation of each TF.js operator. A new one is one function and one line here."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers import shapes as moves
from robustpose.models.importers.arithmetic import binary, cast, prelu, softmax, squared_difference, unary
from robustpose.models.importers.node import Plan, Run
from robustpose.models.importers.tfjs import layers, shapes
from robustpose.models.importers.tfjs.node import TfjsNode


def _reduce(run: Run) -> Callable[[TfjsNode], Plan]:
    """Plan a reduction over axes known at load."""

    def plan(node: TfjsNode) -> Plan:
        axes = tuple(node.axis(axis) for axis in node.numbers(1))
        return Plan(partial(run, dim=axes, keepdim=node.flag("keep_dims")), (node.value(0).index,))

    return plan


def _plan_leaky_relu(node: TfjsNode) -> Plan:
    run = partial(functional.leaky_relu, negative_slope=node.real("alpha", 0.2))
    return Plan(run, (node.value(0).index,))


def _plan_clip(node: TfjsNode) -> Plan:
    low, high = (float(node.known(position)) for position in (1, 2))
    return Plan(partial(torch.clamp, min=low, max=high), (node.value(0).index,))


def _plan_cast(node: TfjsNode) -> Plan:
    to = node.kind("DstT")
    if not to.is_floating_point and node.value(0).constant is None:
        raise node.refuse("casts values to integers, which have no gradient")
    return Plan(partial(cast, to=to), (node.value(0).index,))


def _plan_floor_div(node: TfjsNode) -> Plan:
    if node.value(0).constant is None or node.value(1).constant is None:
        raise node.refuse("rounds a tensor that depends on the image, which has no gradient")
    return binary(partial(torch.div, rounding_mode="floor"))(node)


def _plan_sum(node: TfjsNode) -> Plan:
    return Plan(_total, node.tensors)


def _total(*parts: Tensor) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _same(x: Tensor) -> Tensor:
    return x


OPERATORS: dict[str, Callable[[TfjsNode], Plan | Tensor]] = {
    "Abs": unary(torch.abs),
    "Add": binary(torch.add),
    "AddN": _plan_sum,
    "AddV2": binary(torch.add),
    "AvgPool": layers.plan_average_pool,
    "BiasAdd": binary(torch.add),
    "Cast": _plan_cast,
    "ClipByValue": _plan_clip,
    "ConcatV2": shapes.plan_concatenation,
    "Conv2D": layers.plan_conv,
    "Conv2DBackpropInput": layers.plan_transpose_conv,
    "DepthToSpace": shapes.plan_depth_to_space,
    "DepthwiseConv2dNative": layers.plan_depthwise,
    "Div": binary(torch.div),
    "Elu": unary(functional.elu),
    "Exp": unary(torch.exp),
    "ExpandDims": shapes.plan_expand_dims,
    "Fill": shapes.plan_fill,
    "FloorDiv": _plan_floor_div,
    "FusedBatchNorm": layers.plan_normalisation,
    "FusedBatchNormV2": layers.plan_normalisation,
    "FusedBatchNormV3": layers.plan_normalisation,
    "FusedDepthwiseConv2dNative": layers.plan_depthwise,
    "Identity": unary(_same),
    "LeakyRelu": _plan_leaky_relu,
    "Log": unary(torch.log),
    "MatMul": layers.plan_matmul,
    "Max": _reduce(torch.amax),
    "MaxPool": layers.plan_max_pool,
    "Maximum": binary(torch.maximum),
    "Mean": _reduce(torch.mean),
    "Min": _reduce(torch.amin),
    "Minimum": binary(torch.minimum),
    "MirrorPad": shapes.plan_mirror_pad,
    "Mul": binary(torch.mul),
    "Neg": unary(torch.neg),
    "Pack": shapes.plan_pack,
    "Pad": moves.plan_pad,
    "PadV2": moves.plan_pad,
    "Pow": binary(torch.pow),
    "Prelu": binary(prelu),
    "RealDiv": binary(torch.div),
    "Relu": unary(functional.relu),
    "Relu6": unary(functional.relu6),
    "Reshape": shapes.plan_reshape,
    "ResizeBilinear": layers.plan_resize_bilinear,
    "ResizeNearestNeighbor": layers.plan_resize_nearest,
    "Rsqrt": unary(torch.rsqrt),
    "Shape": moves.plan_shape,
    "Sigmoid": unary(torch.sigmoid),
    "Slice": moves.plan_slice,
    "Softmax": unary(softmax),
    "Softplus": unary(functional.softplus),
    "Split": shapes.plan_split,
    "SplitV": shapes.plan_split_v,
    "Sqrt": unary(torch.sqrt),
    "Square": unary(torch.square),
    "SquaredDifference": binary(squared_difference),
    "Squeeze": shapes.plan_squeeze,
    "StridedSlice": shapes.plan_strided_slice,
    "Sub": binary(torch.sub),
    "Sum": _reduce(torch.sum),
    "Tanh": unary(torch.tanh),
    "Transpose": moves.plan_transpose,
    "Unpack": shapes.plan_unpack,
    "_FusedConv2D": layers.plan_conv,
    "_FusedMatMul": layers.plan_matmul,
}
