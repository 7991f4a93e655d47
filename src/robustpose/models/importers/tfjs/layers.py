"""Layers of TF.js graph models: reads the attributes of convolutions, pooling, dense layers and resizing."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers import layers
from robustpose.models.importers.arithmetic import prelu
from robustpose.models.importers.layers import Pads
from robustpose.models.importers.node import Plan, Run
from robustpose.models.importers.tfjs.node import TfjsNode

ACTIVATIONS: dict[str, Run] = {
    "Relu": functional.relu,
    "Relu6": functional.relu6,
    "Elu": functional.elu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
}


def plan_conv(node: TfjsNode) -> Plan:
    """Conv2D and _FusedConv2D."""
    return _plan_conv(node, node.known(1).permute(3, 2, 0, 1))  # HWIO in the file


def plan_depthwise(node: TfjsNode) -> Plan:
    """DepthwiseConv2dNative and FusedDepthwiseConv2dNative, with any channel multiplier."""
    rows, columns, channels, multiplier = node.known(1).shape  # HWCM in the file
    weight = node.known(1).permute(2, 3, 0, 1).reshape(channels * multiplier, 1, rows, columns)
    return _plan_conv(node, weight)


def _plan_conv(node: TfjsNode, weight: Tensor) -> Plan:
    stride, dilation = node.window("strides"), node.window("dilations")
    bias, activation, slope = _fused(node)
    plan = layers.plan_conv(
        node,
        weight,
        bias,
        pads=_pads(node, tuple(weight.shape[2:]), stride, dilation),
        stride=stride,
        dilation=dilation,
        activation=activation,
    )
    return _with_prelu(plan, slope)


def _fused(node: TfjsNode) -> tuple[tuple[int, ...], Run | None, int | None]:
    """Return the operators fused into a layer: bias, activation, slopes of a PRelu."""
    words = list(node.words("fused_ops"))
    position = 2
    bias: tuple[int, ...] = ()
    if words[:1] == ["BiasAdd"]:
        bias = (node.value(position).index,)
        words, position = words[1:], position + 1
    if not words:
        return bias, None, None
    if words == ["Prelu"]:
        return bias, None, node.value(position).index
    if words == ["LeakyRelu"]:
        return bias, partial(functional.leaky_relu, negative_slope=node.real("leakyrelu_alpha", 0.2)), None
    if len(words) > 1 or words[0] not in ACTIVATIONS:
        raise node.refuse(f"has {', '.join(words)} fused into it")
    return bias, ACTIVATIONS[words[0]], None


def _with_prelu(plan: Plan, slope: int | None) -> Plan:
    return plan if slope is None else Plan(partial(_prelu_after, run=plan.run), (slope, *plan.inputs))


def _prelu_after(slope: Tensor, *inputs: Tensor, run: Run) -> Tensor:
    return prelu(run(*inputs), slope)


def _pads(
    node: TfjsNode, kernel: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Pads:
    padding = node.text("padding", "VALID")
    if padding == "SAME":
        return layers.same_padding(node.value(0), kernel, stride, dilation)
    if padding == "EXPLICIT":
        given = node.integers("explicit_paddings", (0,) * 8)
        if len(given) != 8 or any((*given[:2], *given[6:])):
            raise node.refuse(f"has explicit paddings {list(given)}, expected rows and columns padded")
        top, bottom, left, right = given[2:6]
        return (left, right, top, bottom)
    if padding != "VALID":
        raise node.refuse(f"has padding {padding!r}, expected SAME, VALID or EXPLICIT")
    return layers.NO_PADS


def plan_transpose_conv(node: TfjsNode) -> Plan:
    """Conv2DBackpropInput; the inputs are the output's shape, the weights and the image."""
    if node.window("dilations") != (1, 1) or node.text("padding", "VALID") == "EXPLICIT":
        raise node.refuse("is dilated or has explicit paddings")
    _, height, width, _ = node.numbers(0)
    return layers.plan_transpose_conv(
        node,
        node.value(2),
        node.known(1).permute(3, 2, 0, 1),  # HWOI in the file
        (),
        size=(height, width),
        stride=node.window("strides"),
        same=node.text("padding", "VALID") == "SAME",
    )


def plan_max_pool(node: TfjsNode) -> Plan:
    """MaxPool."""
    return layers.plan_max_pool(node, **_window(node))


def plan_average_pool(node: TfjsNode) -> Plan:
    """AvgPool."""
    return layers.plan_average_pool(node, **_window(node))


def _window(node: TfjsNode) -> dict[str, Any]:
    kernel, stride = node.window("ksize"), node.window("strides")
    return {"kernel": kernel, "stride": stride, "pads": _pads(node, kernel, stride)}


def plan_matmul(node: TfjsNode) -> Plan:
    """MatMul and _FusedMatMul: rows of input 0 times weights known at load."""
    if node.flag("transpose_a"):
        raise node.refuse("transposes a tensor that depends on the image")
    weight = node.known(1) if node.flag("transpose_b") else node.known(1).T
    bias, activation, slope = _fused(node)
    run = partial(layers.fully_connected, keep_axes=True, activation=activation)
    return _with_prelu(Plan(run, (node.value(0).index, node.hold(weight.contiguous()), *bias)), slope)


def plan_normalisation(node: TfjsNode) -> Plan:
    """FusedBatchNorm in inference: scale, offset, mean and variance are known at load."""
    if node.flag("is_training") or node.text("data_format", "NHWC") != "NHWC":
        raise node.refuse("normalises over the batch, or has its channels first")
    scale, offset, mean, variance = (node.known(position) for position in (1, 2, 3, 4))
    weight = scale / (variance + node.real("epsilon", 1e-4)).sqrt()
    run = partial(layers.scale, activation=None)
    return Plan(run, (node.value(0).index, node.hold(weight), node.hold(offset - mean * weight)))


def plan_resize_bilinear(node: TfjsNode) -> Plan:
    """ResizeBilinear."""
    return _plan_resize(node, layers.bilinear_matrix)


def plan_resize_nearest(node: TfjsNode) -> Plan:
    """ResizeNearestNeighbor."""
    return _plan_resize(node, layers.nearest_matrix)


def _plan_resize(node: TfjsNode, matrix: Any) -> Plan:
    height, width = node.numbers(1)
    corners, centres = node.flag("align_corners"), node.flag("half_pixel_centers")
    return layers.plan_resize(node, matrix, (height, width), corners=corners, centres=centres)
