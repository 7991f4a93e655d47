"""Operators of .tflite files that move values and compute nothing: reshape, cut, join, pad.

A file says 1 where the batch is. Shapes known at load keep their other axes and leave the first one to the number
of people; a cut that covers the whole of an axis in the file covers the whole of it for any number of people.
"""

from functools import partial

import tflite
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.tflite_node import Node, Plan

Cut = tuple[slice | int, ...]


def plan_reshape(node: Node) -> Plan:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the result's shape is in the file."""
    old, new = node.value(0).shape, node.outputs[0].shape
    if torch.Size(old).numel() != torch.Size(new).numel():
        raise node.refuse(f"makes {list(new)} of {list(old)}, which holds another number of values")
    return Plan(partial(reshape, shape=new), (node.value(0).index,))


def reshape(x: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    """Give x a shape whose first axis grows with the batch, which is outermost in memory."""
    return x.reshape(-1, *shape[1:]) if shape else x.reshape(())


def plan_transpose(node: Node) -> Plan:
    """TRANSPOSE."""
    return Plan(partial(torch.permute, dims=tuple(node.numbers(1))), (node.value(0).index,))


def plan_slice(node: Node) -> Plan:
    """SLICE."""
    shape = node.value(0).shape
    cut: list[slice | int] = []
    for size, begin, length in zip(shape, node.numbers(1), node.numbers(2), strict=True):
        cut.append(_whole_or(size, begin, size if length < 0 else begin + length, 1))
    return Plan(partial(take, cut=tuple(cut)), (node.value(0).index,))


def plan_strided_slice(node: Node) -> Plan:
    """STRIDED_SLICE, backwards too."""
    options = node.options(tflite.StridedSliceOptions)
    if options.EllipsisMask() or options.NewAxisMask():
        raise node.refuse("has an ellipsis or a new axis")
    shape = node.value(0).shape
    cut: list[slice | int] = []
    backwards: list[int] = []
    for axis, (begin, end, step) in enumerate(zip(*(node.numbers(i) for i in (1, 2, 3)), strict=True)):
        bit = 1 << axis
        if options.ShrinkAxisMask() & bit:
            cut.append(begin)
            continue
        asked = slice(None if options.BeginMask() & bit else begin, None if options.EndMask() & bit else end, step)
        cells = range(shape[axis])[asked]
        if step < 0 and len(cells):
            cells = cells[::-1]
            backwards.append(len([part for part in cut if isinstance(part, slice)]))
        cut.append(_whole_or(shape[axis], cells.start, cells.stop, cells.step))
    return Plan(partial(take, cut=tuple(cut), backwards=tuple(backwards)), (node.value(0).index,))


def _whole_or(size: int, begin: int, end: int, step: int) -> slice:
    """Return a cut of one axis, or all of it where it covers all of it in the file."""
    return slice(None) if (begin, step) == (0, 1) and end >= size else slice(begin, end, step)


def take(x: Tensor, *, cut: Cut, backwards: tuple[int, ...] = ()) -> Tensor:
    """Cut x along its axes; `backwards` axes of the result come in reverse."""
    return x[cut].flip(backwards) if backwards else x[cut]


def plan_split(node: Node) -> Plan:
    """SPLIT into equal parts."""
    axis = node.axis(node.numbers(0)[0], of=node.value(1))
    parts = node.value(1).shape[axis] // len(node.outputs)
    return Plan(partial(torch.split, split_size_or_sections=parts, dim=axis), (node.value(1).index,))


def plan_split_v(node: Node) -> Plan:
    """SPLIT_V into parts of given sizes."""
    axis = node.axis(node.numbers(2)[0])
    sizes = [output.shape[axis] for output in node.outputs]
    return Plan(partial(torch.split, split_size_or_sections=sizes, dim=axis), (node.value(0).index,))


def plan_concatenation(node: Node) -> Plan:
    """CONCATENATION."""
    options = node.options(tflite.ConcatenationOptions)
    axis = node.axis(options.Axis())
    activation = node.activation(options.FusedActivationFunction())
    if activation is not None:
        raise node.refuse("has a fused activation")
    return Plan(partial(concatenate, axis=axis), node.tensors)


def concatenate(*parts: Tensor, axis: int) -> Tensor:
    """Join along an axis; a constant part is the same for everyone in the batch."""
    return torch.cat(_for_everyone(parts) if axis else parts, dim=axis)


def plan_pack(node: Node) -> Plan:
    """PACK."""
    axis = node.options(tflite.PackOptions).Axis()
    rank = len(node.outputs[0].shape)
    return Plan(partial(stack, axis=axis % rank), node.tensors)


def stack(*parts: Tensor, axis: int) -> Tensor:
    """Join along a new axis; a constant part is the same for everyone in the batch."""
    return torch.stack(_for_everyone(parts) if axis else parts, dim=axis)


def _for_everyone(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    n = max(len(part) for part in parts)
    return tuple(part.expand(n, *part.shape[1:]) if len(part) < n else part for part in parts)


def plan_unpack(node: Node) -> Plan:
    """UNPACK."""
    axis = node.axis(node.options(tflite.UnpackOptions).Axis())
    return Plan(partial(torch.unbind, dim=axis), (node.value(0).index,))


def plan_pad(node: Node) -> Plan:
    """PAD and PADV2."""
    value = float(node.known(2)) if len(node.inputs) > 2 else 0.0
    pads = _axis_pads(node)
    flat = tuple(number for pair in reversed(pads) for number in pair)
    return Plan(partial(functional.pad, pad=flat, value=value), (node.value(0).index,))


def plan_mirror_pad(node: Node) -> Plan:
    """MIRROR_PAD."""
    symmetric = node.options(tflite.MirrorPadOptions).Mode() == tflite.MirrorPadMode.SYMMETRIC
    return Plan(partial(mirror_pad, pads=_axis_pads(node), skip=0 if symmetric else 1), (node.value(0).index,))


def _axis_pads(node: Node) -> tuple[tuple[int, int], ...]:
    numbers = node.numbers(1)
    pads = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if any(pads[0]):
        raise node.refuse("pads the batch")
    return pads


def mirror_pad(x: Tensor, *, pads: tuple[tuple[int, int], ...], skip: int) -> Tensor:
    """Continue x beyond its borders with its mirror image; `skip` border cells are not repeated."""
    for axis, (before, after) in enumerate(pads):
        size = x.shape[axis]
        left = x.narrow(axis, skip, before).flip(axis)
        right = x.narrow(axis, size - skip - after, after).flip(axis)
        if before or after:
            x = torch.cat([left, x, right], dim=axis)
    return x


def plan_depth_to_space(node: Node) -> Plan:
    """DEPTH_TO_SPACE."""
    block = node.options(tflite.DepthToSpaceOptions).BlockSize()
    return Plan(partial(depth_to_space, block=block), (node.value(0).index,))


def depth_to_space(x: Tensor, *, block: int) -> Tensor:
    """Spread channels (row of the block, column of the block, c) over block x block cells."""
    n, h, w, c = x.shape
    cells = x.reshape(n, h, w, block, block, c // block**2).permute(0, 1, 3, 2, 4, 5)
    return cells.reshape(n, h * block, w * block, c // block**2)


def plan_space_to_depth(node: Node) -> Plan:
    """SPACE_TO_DEPTH."""
    block = node.options(tflite.SpaceToDepthOptions).BlockSize()
    return Plan(partial(space_to_depth, block=block), (node.value(0).index,))


def space_to_depth(x: Tensor, *, block: int) -> Tensor:
    """Gather block x block cells into channels; the inverse of depth_to_space."""
    n, h, w, c = x.shape
    blocks = x.reshape(n, h // block, block, w // block, block, c).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, h // block, w // block, c * block**2)


def plan_shape(node: Node) -> Tensor:
    """SHAPE: known at load, the batch being 1 as in the file."""
    return torch.tensor(node.value(0).shape)
