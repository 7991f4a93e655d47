"""Elementwise operators and reductions of TensorFlow's formats."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from robustpose.models.importers.node import Node, Plan, Run


def unary(run: Run) -> Callable[[Node], Plan]:
    """Plan an operator with one tensor and no options."""

    def plan(node: Node) -> Plan:
        return Plan(run, (node.value(0).index,))

    return plan


def binary(run: Run) -> Callable[[Node], Plan]:
    """Plan an operator with two tensors that broadcast."""

    def plan(node: Node) -> Plan:
        return Plan(run, (node.value(0).index, node.value(1).index))

    return plan


def then(*inputs: Tensor, run: Run, activation: Run) -> Any:
    """Compute `run`, then the activation fused into it."""
    return activation(run(*inputs))


def softmax(x: Tensor, *, beta: float = 1.0) -> Tensor:
    """Softmax over the last axis."""
    return torch.softmax(beta * x, dim=-1)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """Multiply negative values by `slope`."""
    return torch.where(x >= 0, x, x * slope)


def cast(x: Tensor, *, to: torch.dtype) -> Tensor:
    """Change the type; floating point numbers keep their precision."""
    return x if x.is_floating_point() and to.is_floating_point else x.to(to)


def squared_difference(first: Tensor, second: Tensor) -> Tensor:
    """(first - second) squared."""
    return (first - second).square()
