"""Layers of .tflite files: reads the options of convolutions, pooling, dense layers and resizing."""

from functools import partial
from typing import Any

import tflite
from torch import Tensor

from robustpose.models.importers import layers
from robustpose.models.importers.layers import Pads
from robustpose.models.importers.node import Plan, Run, Value
from robustpose.models.importers.tflite.node import TfliteNode


def plan_conv(node: TfliteNode) -> Plan:
    """CONV_2D, grouped if the weights have fewer input channels than the image."""
    return _plan_conv(node, node.options(tflite.Conv2DOptions), node.known(1).permute(0, 3, 1, 2))  # OHWI


def plan_depthwise(node: TfliteNode) -> Plan:
    """DEPTHWISE_CONV_2D, with any channel multiplier."""
    return _plan_conv(node, node.options(tflite.DepthwiseConv2DOptions), node.known(1).permute(3, 0, 1, 2))  # 1HWO


def _plan_conv(node: TfliteNode, options: Any, weight: Tensor) -> Plan:
    stride = (options.StrideH(), options.StrideW())
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    return layers.plan_conv(
        node,
        weight,
        node.tensors[2:],
        pads=_pads(options, node.value(0), tuple(weight.shape[2:]), stride, dilation),
        stride=stride,
        dilation=dilation,
        activation=node.activation(options.FusedActivationFunction()),
    )


def _pads(
    options: Any,
    image: Value,
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Pads:
    if options.Padding() == tflite.Padding.VALID:
        return layers.NO_PADS
    return layers.same_padding(image, kernel, stride, dilation)


def plan_transpose_conv(node: TfliteNode) -> Plan:
    """TRANSPOSE_CONV; the output's size is in the file."""
    options = node.options(tflite.TransposeConvOptions)
    _, height, width, _ = node.numbers(0)
    return layers.plan_transpose_conv(
        node,
        node.value(2),
        node.known(1).permute(3, 0, 1, 2),  # OHWI in the file
        node.tensors[3:],
        size=(height, width),
        stride=(options.StrideH(), options.StrideW()),
        same=options.Padding() == tflite.Padding.SAME,
        activation=node.activation(options.FusedActivationFunction()),
    )


def plan_max_pool(node: TfliteNode) -> Plan:
    """MAX_POOL_2D."""
    return layers.plan_max_pool(node, **_window(node))


def plan_average_pool(node: TfliteNode) -> Plan:
    """AVERAGE_POOL_2D."""
    return layers.plan_average_pool(node, **_window(node))


def _window(node: TfliteNode) -> dict[str, Any]:
    options = node.options(tflite.Pool2DOptions)
    kernel = (options.FilterHeight(), options.FilterWidth())
    stride = (options.StrideH(), options.StrideW())
    activation: Run | None = node.activation(options.FusedActivationFunction())
    pads = _pads(options, node.value(0), kernel, stride)
    return {"kernel": kernel, "stride": stride, "pads": pads, "activation": activation}


def plan_fully_connected(node: TfliteNode) -> Plan:
    """FULLY_CONNECTED."""
    options = node.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise node.refuse("has shuffled (quantised) weights")
    run = partial(
        layers.fully_connected,
        keep_axes=bool(options.KeepNumDims()),
        activation=node.activation(options.FusedActivationFunction()),
    )
    return Plan(run, node.tensors)


def plan_resize_bilinear(node: TfliteNode) -> Plan:
    """RESIZE_BILINEAR."""
    return _plan_resize(node, node.options(tflite.ResizeBilinearOptions), layers.bilinear_matrix)


def plan_resize_nearest(node: TfliteNode) -> Plan:
    """RESIZE_NEAREST_NEIGHBOR."""
    return _plan_resize(node, node.options(tflite.ResizeNearestNeighborOptions), layers.nearest_matrix)


def _plan_resize(node: TfliteNode, options: Any, matrix: Any) -> Plan:
    height, width = node.numbers(1)
    corners, centres = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
    return layers.plan_resize(node, matrix, (height, width), corners=corners, centres=centres)
