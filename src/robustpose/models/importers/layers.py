"""Convolutions, pooling, dense layers and resizing as in TensorFlow; each format reads its own options.

SAME padding puts the odd cell at the end, and averages exclude padding. Resizing is two products with small
matrices, which cover TensorFlow's three conventions and have a deterministic gradient on every device.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers.node import Node, Plan, Run, Value

Pads = tuple[int, int, int, int]
"""Left, right, top, bottom."""

NO_PADS: Pads = (0, 0, 0, 0)


def same_pads(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return the number of cells that SAME padding adds before and after `size` cells.

    >>> same_pads(6, 3, 2)
    (0, 1)
    """
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def same_padding(
    image: Value, kernel: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Pads:
    """Return SAME padding for an image (N, H, W, C)."""
    top, bottom = same_pads(image.shape[1], kernel[0], stride[0], dilation[0])
    left, right = same_pads(image.shape[2], kernel[1], stride[1], dilation[1])
    return (left, right, top, bottom)


def plan_conv(
    node: Node,
    weight: Tensor,
    bias: tuple[int, ...],
    *,
    pads: Pads,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    activation: Run | None,
) -> Plan:
    """Plan a convolution of input 0 with weights (O, C / groups, kh, kw) and an optional bias."""
    image = node.value(0)
    groups = image.shape[3] // weight.shape[1]
    if (pads, stride) == (NO_PADS, (1, 1)) and tuple(weight.shape) == (groups, 1, 1, 1):
        run = partial(scale, activation=activation)
        return Plan(run, (image.index, node.hold(weight.flatten()), *bias))
    run = partial(conv, pads=pads, stride=stride, dilation=dilation, groups=groups, activation=activation)
    return Plan(run, (image.index, node.hold(weight.contiguous(memory_format=torch.channels_last)), *bias))


def scale(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, activation: Run | None) -> Tensor:
    """Scale each channel of (N, H, W, C), which is a 1x1 depthwise convolution."""
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


def plan_transpose_conv(
    node: Node,
    image: Value,
    weight: Tensor,
    bias: tuple[int, ...],
    *,
    size: tuple[int, int],
    stride: tuple[int, int],
    same: bool,
    activation: Run | None = None,
) -> Plan:
    """Plan a transposed convolution with weights (C, O, kh, kw), cropped to `size`."""
    top, left = (
        max((small - 1) * step + kernel - whole, 0) // 2 if same else 0
        for whole, small, kernel, step in zip(size, image.shape[1:3], weight.shape[2:], stride, strict=True)
    )
    run = partial(transpose_conv, start=(top, left), size=size, stride=stride, activation=activation)
    return Plan(run, (image.index, node.hold(weight.contiguous(memory_format=torch.channels_last)), *bias))


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
    """Apply a transposed convolution with weights (C, O, kh, kw) to (N, h, w, C), cropped to `size` at `start`."""
    image = x.permute(0, 3, 1, 2)
    full = [(n - 1) * s + k for n, s, k in zip(image.shape[2:], stride, weight.shape[2:], strict=True)]
    # torch crops both ends equally, except for output_padding, which must be less than the stride
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


def plan_max_pool(
    node: Node, *, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads, activation: Run | None = None
) -> Plan:
    """Plan max pooling."""
    run = partial(max_pool, kernel=kernel, stride=stride, pads=pads, activation=activation)
    return Plan(run, (node.value(0).index,))


def max_pool(
    x: Tensor, *, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads, activation: Run | None
) -> Tensor:
    """Max pooling of (N, H, W, C)."""
    image = x.permute(0, 3, 1, 2)
    if any(pads):
        image = functional.pad(image, pads, value=-torch.inf)
    y = functional.max_pool2d(image, kernel, stride)
    return (activation(y) if activation else y).permute(0, 2, 3, 1)


def plan_average_pool(
    node: Node, *, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads, activation: Run | None = None
) -> Plan:
    """Plan average pooling over the cells of each window that are inside the image."""
    image = node.value(0)
    run = partial(average_pool, kernel=kernel, stride=stride, pads=pads, activation=activation)
    if not any(pads):
        return Plan(run, (image.index,))
    ones = functional.pad(torch.ones(1, 1, *image.shape[1:3]), pads)
    return Plan(run, (image.index, node.hold(1 / functional.avg_pool2d(ones, kernel, stride))))


def average_pool(
    x: Tensor,
    share: Tensor | None = None,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: Pads,
    activation: Run | None,
) -> Tensor:
    """Average pooling of (N, H, W, C); `share` (1, 1, h, w) is the window's size over its cells in the image."""
    y = functional.avg_pool2d(functional.pad(x.permute(0, 3, 1, 2), pads), kernel, stride)
    if share is not None:
        y = y * share
    return (activation(y) if activation else y).permute(0, 2, 3, 1)


def fully_connected(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, keep_axes: bool, activation: Run | None
) -> Tensor:
    """Multiply rows of x by weights (out, in)."""
    rows = x if keep_axes else x.reshape(-1, weight.shape[1])
    y = functional.linear(rows, weight, bias)
    return activation(y) if activation else y


def plan_resize(
    node: Node, matrix: Callable[..., Tensor], size: tuple[int, int], *, corners: bool, centres: bool
) -> Plan:
    """Plan a resize by `bilinear_matrix` or `nearest_matrix`."""
    if corners and centres:
        raise node.refuse("asks for align_corners and half_pixel_centers at once")
    image = node.value(0)
    rows = node.hold(matrix(image.shape[1], size[0], corners=corners, centres=centres))
    columns = node.hold(matrix(image.shape[2], size[1], corners=corners, centres=centres))
    return Plan(resize, (image.index, rows, columns))


def bilinear_matrix(size: int, new_size: int, *, corners: bool, centres: bool) -> Tensor:
    """Return the matrix (new_size, size) that interpolates along one axis.

    `corners` and `centres` are align_corners and half_pixel_centers; without both it is TensorFlow 1's convention.

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
    cells = torch.arange(new_size, dtype=torch.float32)  # float32 as in the runtime, because of the floor below
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
