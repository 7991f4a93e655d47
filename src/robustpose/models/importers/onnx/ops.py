"""OPERATORS: the torch implementation of each ONNX operator. A new one is one function and one line here."""

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from robustpose.models.importers import arithmetic
from robustpose.models.importers.onnx import layers, shapes
from robustpose.models.importers.onnx.node import Node, Run, whole
from robustpose.models.importers.onnx.resize import plan_resize, plan_upsample

Planner = Callable[[Node], Run]

_FLOATS = (1, 10, 11, 16)
_WHOLES = (2, 3, 4, 5, 6, 7, 12, 13)
"""ONNX's data types: float, float16, double, bfloat16; integers."""
_BOOL = 9


def _same(run: Run) -> Planner:
    """Plan an operator without attributes."""
    return lambda node: run


def _fold(run: Run) -> Planner:
    """Plan an operator with any number of tensors."""
    return lambda node: lambda *parts: reduce(run, parts)


def _div(first: Tensor, second: Tensor) -> Tensor:
    if first.is_floating_point() or second.is_floating_point():
        return first / second
    return torch.div(first, second, rounding_mode="trunc")


def _plan_clip(node: Node) -> Run:
    low, high = node.get("min"), node.get("max")

    def run(x: Tensor, least: Tensor | None = None, most: Tensor | None = None) -> Tensor:
        bounds = low if least is None else float(least), high if most is None else float(most)
        return x if bounds == (None, None) else torch.clamp(x, *bounds)

    return run


def _plan_hard_sigmoid(node: Node) -> Run:
    slope, shift = float(node.get("alpha", 0.2)), float(node.get("beta", 0.5))
    return lambda x: (slope * x + shift).clamp(0.0, 1.0)


def _plan_leaky_relu(node: Node) -> Run:
    return partial(functional.leaky_relu, negative_slope=float(node.get("alpha", 0.01)))


def _plan_elu(node: Node) -> Run:
    return partial(functional.elu, alpha=float(node.get("alpha", 1.0)))


def _plan_gelu(node: Node) -> Run:
    return partial(functional.gelu, approximate=node.get("approximate", "none"))


def _plan_cast(node: Node) -> Run:
    to = int(node.get("to", 1))
    if to not in (*_FLOATS, *_WHOLES, _BOOL):
        raise node.refuse(f"makes values of type {to}")
    dtype = torch.bool if to == _BOOL else torch.int64 if to in _WHOLES else torch.float32
    return lambda x: x.to(dtype)


def _reduce(run: Run) -> Planner:
    """Plan a reduction; newer files give its axes as an input."""

    def plan(node: Node) -> Run:
        written, keep = node.numbers("axes"), bool(node.get("keepdims", 1))
        nothing = bool(node.get("noop_with_empty_axes", 0))

        def reduced(x: Tensor, axes: Tensor | None = None) -> Tensor:
            chosen = written if axes is None else whole(axes)
            if not chosen and nothing:
                return x
            return run(x, tuple(chosen or range(x.ndim)), keep)  # type: ignore[no-any-return]

        return reduced

    return plan


def _product(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = torch.prod(x, dim=axis, keepdim=keep)
    return x


def _mean(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    return x.mean(dim=axes, keepdim=keep)


def _norm(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(x, dim=axes, keepdim=keep)
    return found


def _refuse_training(node: Node) -> Run:
    """Dropout, which is the identity outside training."""
    if len([name for name in node.outputs if name]) > 1:
        raise node.refuse("returns its mask")
    return lambda x, *others: x


def _plan_mod(node: Node) -> Run:
    return torch.fmod if node.get("fmod", 0) else torch.remainder


def _size(x: Tensor) -> Tensor:
    return torch.tensor(math.prod(x.shape), dtype=torch.int64)


OPERATORS: dict[str, Planner] = {
    "Abs": _same(torch.abs),
    "Add": _same(torch.add),
    "And": _same(torch.logical_and),
    "AveragePool": layers.plan_average_pool,
    "BatchNormalization": layers.plan_batch_norm,
    "Cast": _plan_cast,
    "Ceil": _same(torch.ceil),
    "Clip": _plan_clip,
    "Concat": shapes.plan_concat,
    "ConstantOfShape": shapes.plan_constant_of_shape,
    "Conv": layers.plan_conv,
    "ConvTranspose": layers.plan_conv_transpose,
    "Cos": _same(torch.cos),
    "DepthToSpace": shapes.plan_depth_to_space,
    "Div": _same(_div),
    "Dropout": _refuse_training,
    "Elu": _plan_elu,
    "Equal": _same(torch.eq),
    "Erf": _same(torch.erf),
    "Exp": _same(torch.exp),
    "Expand": shapes.plan_expand,
    "Flatten": shapes.plan_flatten,
    "Floor": _same(torch.floor),
    "Gather": shapes.plan_gather,
    "GatherElements": shapes.plan_gather_elements,
    "GatherND": shapes.plan_gather_nd,
    "Gelu": _plan_gelu,
    "Gemm": layers.plan_gemm,
    "GlobalAveragePool": layers.plan_global_pool,
    "GlobalMaxPool": layers.plan_global_pool,
    "Greater": _same(torch.gt),
    "HardSigmoid": _plan_hard_sigmoid,
    "HardSwish": _same(functional.hardswish),
    "Identity": _same(lambda x: x),
    "InstanceNormalization": layers.plan_instance_norm,
    "LayerNormalization": layers.plan_layer_norm,
    "LeakyRelu": _plan_leaky_relu,
    "Less": _same(torch.lt),
    "Log": _same(torch.log),
    "LogSoftmax": layers.plan_softmax,
    "MatMul": _same(torch.matmul),
    "Max": _fold(torch.maximum),
    "MaxPool": layers.plan_max_pool,
    "Min": _fold(torch.minimum),
    "Mish": _same(functional.mish),
    "Mod": _plan_mod,
    "Mul": _same(torch.mul),
    "Neg": _same(torch.neg),
    "Not": _same(torch.logical_not),
    "Or": _same(torch.logical_or),
    "PRelu": _same(arithmetic.prelu),
    "Pad": shapes.plan_pad,
    "Pow": _same(torch.pow),
    "Range": shapes.plan_range,
    "Reciprocal": _same(torch.reciprocal),
    "ReduceL2": _reduce(_norm),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(_mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceProd": _reduce(_product),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _same(functional.relu),
    "Reshape": shapes.plan_reshape,
    "Resize": plan_resize,
    "Shape": shapes.plan_shape,
    "Sigmoid": _same(torch.sigmoid),
    "Sin": _same(torch.sin),
    "Size": _same(_size),
    "Slice": shapes.plan_slice,
    "Softmax": layers.plan_softmax,
    "Softplus": _same(functional.softplus),
    "SpaceToDepth": shapes.plan_space_to_depth,
    "Split": shapes.plan_split,
    "Sqrt": _same(torch.sqrt),
    "Squeeze": shapes.plan_squeeze,
    "Sub": _same(torch.sub),
    "Sum": _fold(torch.add),
    "Tanh": _same(torch.tanh),
    "Tile": shapes.plan_tile,
    "Transpose": shapes.plan_transpose,
    "Unsqueeze": shapes.plan_unsqueeze,
    "Upsample": plan_upsample,
    "Where": _same(torch.where),
}


def outputs_of(made: Any) -> tuple[Tensor, ...]:
    """Return the result of a step as a tuple."""
    return (made,) if isinstance(made, Tensor) else tuple(made)
