"""Operators of ONNX graphs that move values (reshape, slice, concatenate, pad) or compute shapes.

If the batch in the file is 1, a first axis of 1 is replaced by the number of people.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.onnx.node import Node, Run, whole


def plan_reshape(node: Node) -> Run:
    """Reshape."""
    copies = not node.get("allowzero", 0)
    written = None if node.opset >= 5 else node.numbers("shape")

    def run(x: Tensor, shape: Tensor | None = None) -> Tensor:
        to = list(written or []) if shape is None else whole(shape)
        if copies:
            to = [x.shape[axis] if size == 0 else size for axis, size in enumerate(to)]
        people = node.people.count
        if node.one and to and to[0] == 1 and x.ndim and len(x) == people:
            to[0] = people
        return x.reshape(to)

    return run


def plan_transpose(node: Node) -> Run:
    """Transpose."""
    order = node.numbers("perm")
    return lambda x: x.permute(order if order is not None else tuple(reversed(range(x.ndim))))


def plan_flatten(node: Node) -> Run:
    """Flatten."""
    axis = int(node.get("axis", 1))

    def run(x: Tensor) -> Tensor:
        rows = torch.Size(x.shape[: axis % x.ndim if axis < 0 else axis]).numel()
        return x.reshape(rows, -1)

    return run


def plan_squeeze(node: Node) -> Run:
    """Squeeze."""
    written = node.numbers("axes")

    def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = written if axes is None else whole(axes)
        if chosen is None:
            chosen = [axis for axis, size in enumerate(x.shape) if size == 1 and (axis or not node.one)]
        return x.squeeze(tuple(chosen))

    return run


def plan_unsqueeze(node: Node) -> Run:
    """Unsqueeze; axes are those of the result."""
    written = node.numbers("axes")

    def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = (written or []) if axes is None else whole(axes)
        rank = x.ndim + len(chosen)
        for axis in sorted(axis % rank for axis in chosen):
            x = x.unsqueeze(axis)
        return x

    return run


def plan_slice(node: Node) -> Run:
    """Slice, also with negative steps."""
    old = [node.numbers(name) for name in ("starts", "ends", "axes")]

    def run(x: Tensor, *given: Tensor | None) -> Tensor:
        parts = [None if part is None else whole(part) for part in given] if node.opset >= 10 else [*old, None]
        starts, ends, axes, steps = [*parts, None, None][:4]
        assert starts is not None
        assert ends is not None
        axes = list(range(len(starts))) if axes is None else axes
        for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
            size = x.shape[axis]
            cells = range(size)[_cut(start, end, step, size)]
            if len(cells) == size and step == 1:
                continue
            if step > 0:
                cut = [slice(None)] * x.ndim
                cut[axis] = slice(cells.start, cells.stop, step)
                x = x[tuple(cut)]
            else:
                x = x.index_select(axis, torch.tensor(list(cells), dtype=torch.int64, device=x.device))
        return x

    return run


def _cut(start: int, end: int, step: int, size: int) -> slice:
    """Convert ONNX's start and end, which may be far beyond the axis, to a Python slice."""
    if step > 0:
        return slice(start, end, step)
    return slice(min(start, size - 1), None if end < -size else end, step)


def plan_split(node: Node) -> Run:
    """Split into parts of given sizes, or into equal parts, one per output."""
    axis, written = int(node.get("axis", 0)), node.numbers("split")
    count = int(node.get("num_outputs", len(node.outputs)))

    def run(x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
        chosen = written if sizes is None else whole(sizes)
        return tuple(torch.split(x, -(-x.shape[axis] // count) if chosen is None else chosen, dim=axis))

    return run


def plan_concat(node: Node) -> Run:
    """Concat; constant parts are expanded to the batch."""
    axis = int(node.get("axis", 0))

    def run(*parts: Tensor) -> Tensor:
        people = max(len(part) for part in parts) if parts[0].ndim > 1 else 0
        if people > 1 and axis % parts[0].ndim:
            parts = tuple(part.expand(people, *part.shape[1:]) if len(part) == 1 else part for part in parts)
        return torch.cat(parts, dim=axis)

    return run


def plan_gather(node: Node) -> Run:
    """Gather along an axis."""
    axis = int(node.get("axis", 0))

    def run(x: Tensor, rows: Tensor) -> Tensor:
        at = axis % x.ndim
        flat = torch.where(rows < 0, rows + x.shape[at], rows).long().flatten().to(x.device)
        return x.index_select(at, flat).reshape((*x.shape[:at], *rows.shape, *x.shape[at + 1 :]))

    return run


def plan_gather_elements(node: Node) -> Run:
    """GatherElements."""
    axis = int(node.get("axis", 0))

    def run(x: Tensor, rows: Tensor) -> Tensor:
        rows = torch.where(rows < 0, rows + x.shape[axis], rows).long().to(x.device)
        return torch.gather(x, axis, rows)

    return run


def plan_gather_nd(node: Node) -> Run:
    """GatherND: slices by the indices of their first axes."""
    node.only("batch_dims", 0)
    return lambda x, places: x[tuple(places.to(x.device).unbind(-1))]


def plan_expand(node: Node) -> Run:
    """Expand, with bidirectional broadcasting."""

    def run(x: Tensor, shape: Tensor) -> Tensor:
        return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(whole(shape))))

    return run


def plan_tile(node: Node) -> Run:
    """Tile."""
    return lambda x, repeats: x.repeat(whole(repeats))


def plan_pad(node: Node) -> Run:
    """Pad with a value, the border or the mirror image; negative pads crop."""
    mode = node.get("mode", "constant")
    ways = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in ways:
        raise node.refuse(f"has mode = {mode!r}")
    written, old_value = node.numbers("pads") or node.numbers("paddings"), float(node.get("value", 0.0))

    def run(
        x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
    ) -> Tensor:
        numbers = (written or []) if pads is None else whole(pads)
        half = len(numbers) // 2
        pairs = dict.fromkeys(range(x.ndim), (0, 0))
        chosen = list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in whole(axes)]
        pairs |= dict(zip(chosen, zip(numbers[:half], numbers[half:], strict=True), strict=True))
        flat = [number for axis in reversed(range(x.ndim)) for number in pairs[axis]]
        if mode == "constant":
            return functional.pad(x, flat, value=old_value if value is None else float(value))
        if any(flat[-4:]):
            raise node.refuse("pads the batch or the channels")
        return functional.pad(x, flat[:-4], mode=ways[mode])

    return run


def plan_depth_to_space(node: Node) -> Run:
    """DepthToSpace."""
    block, mode = int(node.get("blocksize", 1)), node.get("mode", "DCR")

    def run(x: Tensor) -> Tensor:
        if mode == "CRD":
            return functional.pixel_shuffle(x, block)
        n, c, h, w = x.shape
        cells = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return cells.reshape(n, c // block**2, h * block, w * block)

    return run


def plan_space_to_depth(node: Node) -> Run:
    """SpaceToDepth."""
    block = int(node.get("blocksize", 1))

    def run(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        cells = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return cells.reshape(n, c * block**2, h // block, w // block)

    return run


def plan_shape(node: Node) -> Run:
    """Shape, computed at run time because the number of people is free."""
    start, end = int(node.get("start", 0)), node.get("end")
    return lambda x: torch.tensor(list(x.shape)[start:end], dtype=torch.int64)


def plan_constant_of_shape(node: Node) -> Run:
    """ConstantOfShape."""
    value = node.get("value", torch.zeros(1))
    return lambda shape: value.expand(whole(shape)).clone()


def plan_range(node: Node) -> Run:
    """Range."""
    return lambda start, end, step: torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)
