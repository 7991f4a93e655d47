"""Layers of ONNX graphs: convolutions, pooling, normalisation, matrix products. Values are NCHW."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.onnx.node import Node, Run

_CONVOLUTIONS = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}
_TRANSPOSED = {3: functional.conv_transpose1d, 4: functional.conv_transpose2d, 5: functional.conv_transpose3d}

Pads = tuple[tuple[int, int], ...]
"""(before, after) for each axis."""


def _pads(node: Node, x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]) -> Pads:
    """Return the padding of each spatial axis: explicit, or from auto_pad (SAME: output is ceil(in / stride))."""
    way = node.get("auto_pad", "NOTSET")
    if way in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
            total = max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
            less, more = total // 2, total - total // 2
            pads.append((less, more) if way == "SAME_UPPER" else (more, less))
        return tuple(pads)
    written = node.numbers("pads") or [0] * (2 * len(kernel))
    half = len(written) // 2
    return tuple(zip(written[:half], written[half:], strict=True))


def _padded(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    flat = [number for pair in reversed(pads) for number in pair]
    return functional.pad(x, flat, value=value) if any(flat) else x


def plan_conv(node: Node) -> Run:
    """Conv."""

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        kernel = list(weight.shape[2:])
        strides = node.numbers("strides") or [1] * len(kernel)
        dilations = node.numbers("dilations") or [1] * len(kernel)
        pads = _pads(node, x, kernel, strides, dilations)
        same = all(before == after for before, after in pads)
        convolve = _CONVOLUTIONS[x.ndim]
        return convolve(
            x if same else _padded(x, pads),
            weight,
            bias,
            stride=strides,
            padding=[before for before, _ in pads] if same else 0,
            dilation=dilations,
            groups=int(node.get("group", 1)),
        )

    return run


def plan_conv_transpose(node: Node) -> Run:
    """ConvTranspose: the full result, then cropped by the pads."""
    node.only("auto_pad", "NOTSET")
    if node.numbers("output_shape"):
        raise node.refuse("has output_shape; export it with pads")

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        kernel = list(weight.shape[2:])
        strides = node.numbers("strides") or [1] * len(kernel)
        dilations = node.numbers("dilations") or [1] * len(kernel)
        more = node.numbers("output_padding") or [0] * len(kernel)
        pads = _pads(node, x, kernel, strides, dilations)
        whole: Tensor = _TRANSPOSED[x.ndim](
            x,
            weight,
            bias,
            stride=strides,
            output_padding=more,
            groups=int(node.get("group", 1)),
            dilation=dilations,
        )
        cut = tuple(
            slice(before, size - after) for (before, after), size in zip(pads, whole.shape[2:], strict=True)
        )
        return whole[(slice(None), slice(None), *cut)]

    return run


def plan_max_pool(node: Node) -> Run:
    """MaxPool, without its second output, the indices."""
    if len(node.outputs) > 1:
        raise node.refuse("returns indices")
    kernel = node.numbers("kernel_shape") or []
    strides = node.numbers("strides") or [1] * len(kernel)
    dilations = node.numbers("dilations") or [1] * len(kernel)
    up = bool(node.get("ceil_mode", 0))
    pool = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}.get(len(kernel))
    if pool is None:
        raise node.refuse(f"pools over {len(kernel)} axes")

    def run(x: Tensor) -> Tensor:
        pads = _pads(node, x, kernel, strides, dilations)
        native = all(before == after and 2 * before <= k for (before, after), k in zip(pads, kernel, strict=True))
        return pool(
            x if native else _padded(x, pads, float("-inf")),
            kernel,
            stride=strides,
            padding=[before for before, _ in pads] if native else 0,
            dilation=dilations,
            ceil_mode=up,
        )

    return run


def plan_average_pool(node: Node) -> Run:
    """AveragePool: the sum over the window divided by the number of its cells that count."""
    kernel = node.numbers("kernel_shape") or []
    strides = node.numbers("strides") or [1] * len(kernel)
    if len(kernel) != 2 or any(number != 1 for number in node.numbers("dilations") or []):
        raise node.refuse("must pool over two axes without dilation")
    counts_pads, up = bool(node.get("count_include_pad", 0)), bool(node.get("ceil_mode", 0))

    def run(x: Tensor) -> Tensor:
        pads = _pads(node, x, kernel, strides, [1, 1])
        mean = partial(functional.avg_pool2d, kernel_size=kernel, stride=strides, ceil_mode=up)
        if all(before == after and 2 * before <= k for (before, after), k in zip(pads, kernel, strict=True)):
            return mean(x, padding=[before for before, _ in pads], count_include_pad=counts_pads)
        if counts_pads:
            return mean(_padded(x, pads))
        return mean(_padded(x, pads)) / mean(_padded(torch.ones_like(x[:1, :1]), pads))

    return run


def plan_global_pool(node: Node) -> Run:
    """GlobalAveragePool and GlobalMaxPool."""
    pool = torch.mean if node.operator == "GlobalAveragePool" else torch.amax

    def run(x: Tensor) -> Tensor:
        return pool(x, dim=tuple(range(2, x.ndim)), keepdim=True)

    return run


def plan_batch_norm(node: Node) -> Run:
    """BatchNormalization, with the statistics from training."""
    node.only("training_mode", 0)
    eps = float(node.get("epsilon", 1e-5))

    def run(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

    return run


def plan_instance_norm(node: Node) -> Run:
    """InstanceNormalization."""
    eps = float(node.get("epsilon", 1e-5))

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.instance_norm(x, weight=weight, bias=bias, eps=eps)

    return run


def plan_layer_norm(node: Node) -> Run:
    """LayerNormalization."""
    axis, eps = int(node.get("axis", -1)), float(node.get("epsilon", 1e-5))
    if len([name for name in node.outputs if name]) > 1:
        raise node.refuse("returns its mean and deviation")

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return functional.layer_norm(x, x.shape[axis % x.ndim :], weight, bias, eps)

    return run


def plan_gemm(node: Node) -> Run:
    """Gemm: alpha A B + beta C."""
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    flip_a, flip_b = bool(node.get("transA", 0)), bool(node.get("transB", 0))

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        product = alpha * ((a.T if flip_a else a) @ (b.T if flip_b else b))
        return product if c is None else product + beta * c

    return run


def plan_softmax(node: Node) -> Run:
    """Softmax and LogSoftmax: over one axis since opset 13, before over all axes from one on."""
    softmax = torch.softmax if node.operator == "Softmax" else torch.log_softmax
    axis = int(node.get("axis", -1 if node.opset >= 13 else 1))

    def run(x: Tensor) -> Tensor:
        if node.opset >= 13:
            return softmax(x, dim=axis)
        return softmax(x.flatten(axis % x.ndim), dim=-1).reshape(x.shape)

    return run
