"""Operators of TensorFlow's formats that only move values: reshape, slice, concatenate, pad.

The batch size in a file is 1. The first axis of shapes known at load is replaced by the number of people, and a
slice that covers a whole axis in the file covers it for any number of people.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.node import Node, Plan, Value

Cut = tuple[slice | int, ...]


def plan_reshape(node: Node, new: tuple[int, ...]) -> Plan:
    """Plan a reshape of input 0 to the file's shape, in which -1 may stand for what is left."""
    old = node.value(0).shape
    count, known = torch.Size(old).numel(), torch.Size(size for size in new if size != -1).numel()
    if new.count(-1) == 1 and known and count % known == 0:
        new = tuple(count // known if size == -1 else size for size in new)
    if torch.Size(new).numel() != count or -1 in new:
        raise node.refuse(f"reshapes {list(old)} to {list(new)}, which has another number of values")
    return Plan(partial(reshape, shape=new), (node.value(0).index,))


def reshape(x: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    """Reshape x; the first axis scales with the batch, which is outermost in memory."""
    return x.reshape(-1, *shape[1:]) if shape else x.reshape(())


def plan_transpose(node: Node) -> Plan:
    """TRANSPOSE: the order of the axes is input 1."""
    return Plan(partial(torch.permute, dims=tuple(node.numbers(1))), (node.value(0).index,))


def plan_slice(node: Node) -> Plan:
    """SLICE: begin is input 1, size input 2."""
    shape = node.value(0).shape
    cut: list[slice | int] = []
    for size, begin, length in zip(shape, node.numbers(1), node.numbers(2), strict=True):
        cut.append(_whole_or(size, begin, size if length < 0 else begin + length, 1))
    return Plan(partial(take, cut=tuple(cut)), (node.value(0).index,))


def plan_strided_slice(node: Node, *, begin_mask: int, end_mask: int, shrink_mask: int) -> Plan:
    """STRIDED_SLICE, also with negative steps: begin, end and steps are inputs 1 to 3; mask bits are axes."""
    shape = node.value(0).shape
    cut: list[slice | int] = []
    backwards: list[int] = []
    for axis, (begin, end, step) in enumerate(zip(*(node.numbers(i) for i in (1, 2, 3)), strict=True)):
        bit = 1 << axis
        if shrink_mask & bit:
            cut.append(begin)
            continue
        asked = slice(None if begin_mask & bit else begin, None if end_mask & bit else end, step)
        cells = range(shape[axis])[asked]
        if step < 0 and len(cells):
            cells = cells[::-1]
            backwards.append(len([part for part in cut if isinstance(part, slice)]))
        cut.append(_whole_or(shape[axis], cells.start, cells.stop, cells.step))
    return Plan(partial(take, cut=tuple(cut), backwards=tuple(backwards)), (node.value(0).index,))


def _whole_or(size: int, begin: int, end: int, step: int) -> slice:
    """Return the slice of one axis; slice(None) if it covers the whole axis in the file."""
    return slice(None) if (begin, step) == (0, 1) and end >= size else slice(begin, end, step)


def take(x: Tensor, *, cut: Cut, backwards: tuple[int, ...] = ()) -> Tensor:
    """Slice x along its axes, and reverse the axes `backwards` of the result."""
    return x[cut].flip(backwards) if backwards else x[cut]


def plan_split(node: Node, value: Value, axis: int, sizes: Sequence[int]) -> Plan:
    """Plan a split into parts of the given sizes."""
    return Plan(partial(torch.split, split_size_or_sections=list(sizes), dim=axis), (value.index,))


def concatenate(*parts: Tensor, axis: int) -> Tensor:
    """Concatenate along an axis; constant parts are expanded to the batch."""
    return torch.cat(_for_everyone(parts) if axis else parts, dim=axis)


def stack(*parts: Tensor, axis: int) -> Tensor:
    """Stack along a new axis; constant parts are expanded to the batch."""
    return torch.stack(_for_everyone(parts) if axis else parts, dim=axis)


def _for_everyone(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    n = max(len(part) for part in parts)
    return tuple(part.expand(n, *part.shape[1:]) if len(part) < n else part for part in parts)


def axis_pads(node: Node) -> tuple[tuple[int, int], ...]:
    """Return the padding before and after each axis, from input 1."""
    numbers = node.numbers(1)
    pads = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if any(pads[0]):
        raise node.refuse("pads the batch")
    return pads


def plan_pad(node: Node) -> Plan:
    """PAD and PADV2, whose input 2 is the value."""
    value = float(node.known(2)) if len(node.inputs) > 2 else 0.0
    flat = tuple(number for pair in reversed(axis_pads(node)) for number in pair)
    return Plan(partial(functional.pad, pad=flat, value=value), (node.value(0).index,))


def plan_mirror_pad(node: Node, *, symmetric: bool) -> Plan:
    """MIRROR_PAD."""
    run = partial(mirror_pad, pads=axis_pads(node), skip=0 if symmetric else 1)
    return Plan(run, (node.value(0).index,))


def mirror_pad(x: Tensor, *, pads: tuple[tuple[int, int], ...], skip: int) -> Tensor:
    """Pad x with its mirror image; `skip` border cells are not repeated."""
    for axis, (before, after) in enumerate(pads):
        size = x.shape[axis]
        left = x.narrow(axis, skip, before).flip(axis)
        right = x.narrow(axis, size - skip - after, after).flip(axis)
        if before or after:
            x = torch.cat([left, x, right], dim=axis)
    return x


def depth_to_space(x: Tensor, *, block: int) -> Tensor:
    """Rearrange channels (row in the block, column in the block, c) into block x block cells."""
    n, h, w, c = x.shape
    cells = x.reshape(n, h, w, block, block, c // block**2).permute(0, 1, 3, 2, 4, 5)
    return cells.reshape(n, h * block, w * block, c // block**2)


def space_to_depth(x: Tensor, *, block: int) -> Tensor:
    """Rearrange block x block cells into channels; the inverse of depth_to_space."""
    n, h, w, c = x.shape
    blocks = x.reshape(n, h // block, block, w // block, block, c).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, h // block, w // block, c * block**2)


def plan_shape(node: Node) -> Tensor:
    """SHAPE, known at load, with batch size 1 as in the file."""
    return torch.tensor(node.value(0).shape)
