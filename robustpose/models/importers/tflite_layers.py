"""Convolutions, pools, dense layers and resizing of .tflite files, as TensorFlow Lite computes them.

SAME padding puts the odd cell after, and never into an average. Resizing is two products with small matrices:
one way for TensorFlow's three conventions, whose gradient is deterministic on every device.
"""

from functools import partial
from typing import Any

import tflite
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.tflite_node import Node, Plan, Run, Value

Pads = tuple[int, int, int, int]
"""Left, right, top, bottom."""


def same_pads(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return what SAME padding puts before and after `size` cells.

    >>> same_pads(6, 3, 2)
    (0, 1)
    """
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def plan_conv(node: Node) -> Plan:
    """CONV_2D, grouped where the file's weights see fewer channels than there are."""
    options = node.options(tflite.Conv2DOptions)
    weight = node.known(1).permute(0, 3, 1, 2)  # OHWI in the file
    return _plan_conv(node, options, weight, groups=node.value(0).shape[3] // weight.shape[1])


def plan_depthwise(node: Node) -> Plan:
    """DEPTHWISE_CONV_2D, with any channel multiplier."""
    options = node.options(tflite.DepthwiseConv2DOptions)
    weight = node.known(1).permute(3, 0, 1, 2)  # 1HW(CM) in the file
    if tuple(weight.shape) == (node.value(0).shape[3], 1, 1, 1) and (options.StrideH(), options.StrideW()) == (
        1,
        1,
    ):
        run = partial(scale, activation=node.activation(options.FusedActivationFunction()))
        return Plan(run, (node.value(0).index, node.hold(weight.flatten()), *node.tensors[2:]))
    return _plan_conv(node, options, weight, groups=node.value(0).shape[3])


def _plan_conv(node: Node, options: Any, weight: Tensor, *, groups: int) -> Plan:
    image = node.value(0)
    stride = (options.StrideH(), options.StrideW())
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    run = partial(
        conv,
        pads=_pads(options, image, tuple(weight.shape[2:]), stride, dilation),
        stride=stride,
        dilation=dilation,
        groups=groups,
        activation=node.activation(options.FusedActivationFunction()),
    )
    held = node.hold(weight.contiguous(memory_format=torch.channels_last))
    return Plan(run, (image.index, held, *node.tensors[2:]))


def _pads(
    options: Any,
    image: Value,
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Pads:
    if options.Padding() == tflite.Padding.VALID:
        return (0, 0, 0, 0)
    top, bottom = same_pads(image.shape[1], kernel[0], stride[0], dilation[0])
    left, right = same_pads(image.shape[2], kernel[1], stride[1], dilation[1])
    return (left, right, top, bottom)


def scale(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, activation: Run | None) -> Tensor:
    """Scale each channel of (N, H, W, C): what is left of a depthwise convolution of 1x1."""
    y = x * weight if bias is None else torch.addcmul(bias, x, weight)
    return activation(y) if activation else y


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    pads: Pads,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    activation: Run | None,
) -> Tensor:
    """Convolve (N, H, W, C) with weights (O, C / groups, kh, kw)."""
    image = x.permute(0, 3, 1, 2)
    left, right, top, bottom = pads
    padding = (top, left)
    if (left, top) != (right, bottom):
        image, padding = functional.pad(image, pads), (0, 0)
    y = functional.conv2d(image, weight, bias, stride, padding, dilation, groups)
    return (activation(y) if activation else y).permute(0, 2, 3, 1)


def plan_transpose_conv(node: Node) -> Plan:
    """TRANSPOSE_CONV: the output's size is part of the file, and says how the full result is cut."""
    options = node.options(tflite.TransposeConvOptions)
    _, height, width, _ = node.numbers(0)
    weight = node.known(1).permute(3, 0, 1, 2)  # OHWI in the file
    image = node.value(2)
    stride = (options.StrideH(), options.StrideW())
    same = options.Padding() == tflite.Padding.SAME
    top, left = (
        max((small - 1) * step + kernel - size, 0) // 2 if same else 0
        for size, small, kernel, step in zip(
            (height, width), image.shape[1:3], weight.shape[2:], stride, strict=True
        )
    )
    run = partial(
        transpose_conv,
        start=(top, left),
        size=(height, width),
        stride=stride,
        activation=node.activation(options.FusedActivationFunction()),
    )
    held = node.hold(weight.contiguous(memory_format=torch.channels_last))
    return Plan(run, (image.index, held, *node.tensors[3:]))


def transpose_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    start: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    activation: Run | None,
) -> Tensor:
    """Convolve (N, h, w, C) transposed with weights (C, O, kh, kw); keep `size` cells from `start` on."""
    image = x.permute(0, 3, 1, 2)
    full = [(n - 1) * s + k for n, s, k in zip(image.shape[2:], stride, weight.shape[2:], strict=True)]
    # torch cuts as much after as before, plus output_padding, which must be under a stride
    missing = [n + 2 * cut - f for n, cut, f in zip(size, start, full, strict=True)]
    if all(0 <= more < s for more, s in zip(missing, stride, strict=True)):
        y = functional.conv_transpose2d(image, weight, bias, stride, start, missing)
    else:
        y = functional.conv_transpose2d(image, weight, None, stride)
        beyond = [n + cut - f for n, cut, f in zip(size, start, full, strict=True)]
        y = functional.pad(y, (0, max(beyond[1], 0), 0, max(beyond[0], 0)))
        y = y[:, :, start[0] : start[0] + size[0], start[1] : start[1] + size[1]]
        if bias is not None:
            y = y + bias[:, None, None]
    return (activation(y) if activation else y).permute(0, 2, 3, 1)


def plan_max_pool(node: Node) -> Plan:
    """MAX_POOL_2D."""
    options = node.options(tflite.Pool2DOptions)
    image = node.value(0)
    kernel = (options.FilterHeight(), options.FilterWidth())
    stride = (options.StrideH(), options.StrideW())
    pads = _pads(options, image, kernel, stride)
    activation = node.activation(options.FusedActivationFunction())
    return Plan(partial(max_pool, kernel=kernel, stride=stride, pads=pads, activation=activation), (image.index,))


def max_pool(
    x: Tensor, *, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads, activation: Run | None
) -> Tensor:
    """Take the highest value under each window of (N, H, W, C)."""
    image = x.permute(0, 3, 1, 2)
    if any(pads):
        image = functional.pad(image, pads, value=-torch.inf)
    y = functional.max_pool2d(image, kernel, stride)
    return (activation(y) if activation else y).permute(0, 2, 3, 1)


def plan_average_pool(node: Node) -> Plan:
    """AVERAGE_POOL_2D: the mean over the cells of each window that lie in the picture."""
    options = node.options(tflite.Pool2DOptions)
    image = node.value(0)
    kernel = (options.FilterHeight(), options.FilterWidth())
    stride = (options.StrideH(), options.StrideW())
    pads = _pads(options, image, kernel, stride)
    ones = functional.pad(torch.ones(1, 1, *image.shape[1:3]), pads)
    share = node.hold(1 / functional.avg_pool2d(ones, kernel, stride))
    activation = node.activation(options.FusedActivationFunction())
    run = partial(average_pool, kernel=kernel, stride=stride, pads=pads, activation=activation)
    return Plan(run, (image.index, share) if any(pads) else (image.index,))


def average_pool(
    x: Tensor,
    share: Tensor | None = None,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: Pads,
    activation: Run | None,
) -> Tensor:
    """Average (N, H, W, C) under each window; `share` (1, 1, h, w) is its size over its cells in the picture."""
    y = functional.avg_pool2d(functional.pad(x.permute(0, 3, 1, 2), pads), kernel, stride)
    if share is not None:
        y = y * share
    return (activation(y) if activation else y).permute(0, 2, 3, 1)


def plan_fully_connected(node: Node) -> Plan:
    """FULLY_CONNECTED."""
    options = node.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise node.refuse("has shuffled (quantised) weights")
    run = partial(
        fully_connected,
        keep_axes=bool(options.KeepNumDims()),
        activation=node.activation(options.FusedActivationFunction()),
    )
    return Plan(run, node.tensors)


def fully_connected(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, keep_axes: bool, activation: Run | None
) -> Tensor:
    """Multiply rows of x by weights (out, in)."""
    rows = x if keep_axes else x.reshape(-1, weight.shape[1])
    y = functional.linear(rows, weight, bias)
    return activation(y) if activation else y


def plan_resize_bilinear(node: Node) -> Plan:
    """RESIZE_BILINEAR."""
    return _plan_resize(node, node.options(tflite.ResizeBilinearOptions), bilinear_matrix)


def plan_resize_nearest(node: Node) -> Plan:
    """RESIZE_NEAREST_NEIGHBOR."""
    return _plan_resize(node, node.options(tflite.ResizeNearestNeighborOptions), nearest_matrix)


def _plan_resize(node: Node, options: Any, matrix: Any) -> Plan:
    height, width = node.numbers(1)
    image = node.value(0)
    corners, centres = options.AlignCorners(), options.HalfPixelCenters()
    if corners and centres:
        raise node.refuse("asks for align_corners and half_pixel_centers at once")
    rows = node.hold(matrix(image.shape[1], height, corners=corners, centres=centres))
    columns = node.hold(matrix(image.shape[2], width, corners=corners, centres=centres))
    return Plan(resize, (image.index, rows, columns))


def bilinear_matrix(size: int, new_size: int, *, corners: bool, centres: bool) -> Tensor:
    """Return the matrix (new_size, size) that interpolates along one axis.

    `corners` and `centres` are the file's align_corners and half_pixel_centers; neither is TensorFlow's first way.

    >>> bilinear_matrix(2, 4, corners=False, centres=False)[1].tolist()
    [0.5, 0.5]
    """
    cells = torch.arange(new_size, dtype=torch.float64)
    scale = (size - 1) / (new_size - 1) if corners and new_size > 1 else size / new_size
    places = ((cells + 0.5) * scale - 0.5 if centres else cells * scale).clamp(0, size - 1)
    below = places.floor()
    above = (below + 1).clamp(max=size - 1)
    share = (places - below)[:, None]
    old = torch.arange(size)
    return ((old == below[:, None]) * (1 - share) + (old == above[:, None]) * share).float()


def nearest_matrix(size: int, new_size: int, *, corners: bool, centres: bool) -> Tensor:
    """Return the matrix (new_size, size) of zeros and ones that picks the nearest cell along one axis."""
    cells = torch.arange(new_size, dtype=torch.float32)  # float32 as the runtime does it: a floor decides
    scale = torch.tensor((size - 1) / (new_size - 1) if corners and new_size > 1 else size / new_size)
    places = (cells + 0.5 * centres) * scale
    picked = (places + 0.5 if corners else places).floor().clamp(0, size - 1)
    return (torch.arange(size) == picked[:, None]).float()


def resize(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Resize (N, h, w, C) with matrices (H, h) and (W, w)."""
    n, h, w, c = x.shape
    tall = torch.matmul(rows, x.reshape(n, h, w * c))
    wide = torch.matmul(columns, tall.reshape(n * len(rows), w, c))
    return wide.reshape(n, len(rows), len(columns), c)
