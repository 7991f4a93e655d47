"""Operators of .tflite files that move values: reads their options."""

from functools import partial

import tflite
import torch

from robustpose.models.importers import shapes
from robustpose.models.importers.node import Plan
from robustpose.models.importers.tflite.node import TfliteNode


def plan_reshape(node: TfliteNode) -> Plan:
    """RESHAPE, SQUEEZE and EXPAND_DIMS; the result's shape is in the file."""
    return shapes.plan_reshape(node, node.outputs[0].shape)


def plan_strided_slice(node: TfliteNode) -> Plan:
    """STRIDED_SLICE."""
    options = node.options(tflite.StridedSliceOptions)
    if options.EllipsisMask() or options.NewAxisMask():
        raise node.refuse("has an ellipsis or a new axis")
    return shapes.plan_strided_slice(
        node,
        begin_mask=options.BeginMask(),
        end_mask=options.EndMask(),
        shrink_mask=options.ShrinkAxisMask(),
    )


def plan_split(node: TfliteNode) -> Plan:
    """SPLIT into equal parts."""
    value = node.value(1)
    axis = node.axis(node.numbers(0)[0], of=value)
    parts = len(node.outputs)
    return shapes.plan_split(node, value, axis, [value.shape[axis] // parts] * parts)


def plan_split_v(node: TfliteNode) -> Plan:
    """SPLIT_V into parts of given sizes."""
    axis = node.axis(node.numbers(2)[0])
    return shapes.plan_split(node, node.value(0), axis, [output.shape[axis] for output in node.outputs])


def plan_concatenation(node: TfliteNode) -> Plan:
    """CONCATENATION."""
    options = node.options(tflite.ConcatenationOptions)
    axis = node.axis(options.Axis())
    if node.activation(options.FusedActivationFunction()) is not None:
        raise node.refuse("has a fused activation")
    return Plan(partial(shapes.concatenate, axis=axis), node.tensors)


def plan_pack(node: TfliteNode) -> Plan:
    """PACK."""
    axis = node.options(tflite.PackOptions).Axis()
    return Plan(partial(shapes.stack, axis=axis % len(node.outputs[0].shape)), node.tensors)


def plan_unpack(node: TfliteNode) -> Plan:
    """UNPACK."""
    axis = node.axis(node.options(tflite.UnpackOptions).Axis())
    return Plan(partial(torch.unbind, dim=axis), (node.value(0).index,))


def plan_mirror_pad(node: TfliteNode) -> Plan:
    """MIRROR_PAD."""
    mode = node.options(tflite.MirrorPadOptions).Mode()
    return shapes.plan_mirror_pad(node, symmetric=mode == tflite.MirrorPadMode.SYMMETRIC)


def plan_depth_to_space(node: TfliteNode) -> Plan:
    """DEPTH_TO_SPACE."""
    block = node.options(tflite.DepthToSpaceOptions).BlockSize()
    return Plan(partial(shapes.depth_to_space, block=block), (node.value(0).index,))


def plan_space_to_depth(node: TfliteNode) -> Plan:
    """SPACE_TO_DEPTH."""
    block = node.options(tflite.SpaceToDepthOptions).BlockSize()
    return Plan(partial(shapes.space_to_depth, block=block), (node.value(0).index,))
