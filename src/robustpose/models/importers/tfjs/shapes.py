"""Operators of TF.js graph models that move values: reads their attributes and computes result shapes."""

from functools import partial

import torch
from torch import Tensor

from robustpose.models.importers import shapes
from robustpose.models.importers.node import Plan
from robustpose.models.importers.tfjs.node import TfjsNode


def plan_reshape(node: TfjsNode) -> Plan:
    """Reshape; the shape is input 1."""
    return shapes.plan_reshape(node, tuple(node.numbers(1)))


def plan_expand_dims(node: TfjsNode) -> Plan:
    """ExpandDims; the axis of the result is input 1."""
    shape, (axis,) = node.value(0).shape, node.numbers(1)
    if not -len(shape) - 1 <= axis <= len(shape):
        raise node.refuse(f"has axis {axis} for a tensor of {len(shape)} axes")
    axis %= len(shape) + 1
    return shapes.plan_reshape(node, (*shape[:axis], 1, *shape[axis:]))


def plan_squeeze(node: TfjsNode) -> Plan:
    """Squeeze all axes of size 1, or the given ones."""
    shape = node.value(0).shape
    axes = [node.axis(axis) for axis in node.integers("squeeze_dims", node.integers("axis", ()))]
    axes = axes or [axis for axis, size in enumerate(shape) if size == 1]
    if any(shape[axis] != 1 for axis in axes):
        raise node.refuse(f"removes axes {axes} of {list(shape)}, which are not all of size 1")
    return shapes.plan_reshape(node, tuple(size for axis, size in enumerate(shape) if axis not in axes))


def plan_strided_slice(node: TfjsNode) -> Plan:
    """StridedSlice."""
    if node.number("ellipsis_mask", 0) or node.number("new_axis_mask", 0):
        raise node.refuse("has an ellipsis or a new axis")
    return shapes.plan_strided_slice(
        node,
        begin_mask=node.number("begin_mask", 0),
        end_mask=node.number("end_mask", 0),
        shrink_mask=node.number("shrink_axis_mask", 0),
    )


def plan_split(node: TfjsNode) -> Plan:
    """Split into equal parts; the axis is input 0."""
    value, parts = node.value(1), node.number("num_split", 1)
    axis = node.axis(node.numbers(0)[0], of=value)
    if parts < 1 or value.shape[axis] % parts:
        raise node.refuse(f"makes {parts} parts of an axis of {value.shape[axis]}")
    return shapes.plan_split(node, value, axis, [value.shape[axis] // parts] * parts)


def plan_split_v(node: TfjsNode) -> Plan:
    """SplitV into parts of given sizes, of which one may be -1."""
    axis, sizes = node.axis(node.numbers(2)[0]), node.numbers(1)
    left = node.value(0).shape[axis] - sum(size for size in sizes if size >= 0)
    return shapes.plan_split(node, node.value(0), axis, [left if size < 0 else size for size in sizes])


def plan_concatenation(node: TfjsNode) -> Plan:
    """ConcatV2: the axis is the last input."""
    axis = node.axis(node.numbers(len(node.inputs) - 1)[0])
    return Plan(partial(shapes.concatenate, axis=axis), node.tensors[:-1])


def plan_pack(node: TfjsNode) -> Plan:
    """Pack; along the batch only a single tensor, which restores the batch."""
    shape, axis = node.value(0).shape, node.number("axis", 0)
    if not -len(shape) - 1 <= axis <= len(shape):
        raise node.refuse(f"has axis {axis} for tensors of {len(shape)} axes")
    axis %= len(shape) + 1
    if axis == 0 and len(node.inputs) == 1:
        return shapes.plan_reshape(node, (1, *shape))
    return Plan(partial(shapes.stack, axis=axis), node.tensors)


def plan_unpack(node: TfjsNode) -> Plan:
    """Unpack; for a batch of one its only image, whose first axis then has all people."""
    shape, axis = node.value(0).shape, node.axis(node.number("axis", 0))
    if axis == 0 and shape[0] == 1 and len(shape) > 1:
        return shapes.plan_reshape(node, shape[1:])
    return Plan(partial(torch.unbind, dim=axis), (node.value(0).index,))


def plan_mirror_pad(node: TfjsNode) -> Plan:
    """MirrorPad."""
    return shapes.plan_mirror_pad(node, symmetric=node.text("mode", "REFLECT").upper() == "SYMMETRIC")


def plan_depth_to_space(node: TfjsNode) -> Plan:
    """DepthToSpace."""
    return Plan(partial(shapes.depth_to_space, block=node.number("block_size", 1)), (node.value(0).index,))


def plan_fill(node: TfjsNode) -> Tensor:
    """Fill with a shape and a value known at load."""
    return torch.full(node.numbers(0), float(node.known(1)), dtype=node.known(1).dtype)
