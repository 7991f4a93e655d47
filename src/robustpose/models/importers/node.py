"""Node and Plan: the input and the result of planning an operator of a model's file.

Values in TensorFlow's formats are NHWC, as in the file. Convolutions get permute(0, 3, 1, 2), which turns a
contiguous NHWC tensor into a channels_last tensor without a copy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError

Run = Callable[..., Any]
"""The function of a step: tensors in, a tensor or a tuple of tensors out."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph; `shape` is for one person; `constant` is given if it is known at load.

    dtype  None if torch has no such type
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype | None
    constant: Tensor | None


@dataclass(frozen=True)
class Node:
    """One operator of the file, ready to be planned.

    inputs   None where an optional input is absent
    hold     stores a constant made at load and returns its index
    """

    file: str
    operator: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    hold: Callable[[Tensor], int]

    def refuse(self, reason: str) -> RobustPoseError:
        """Return the error that names the file, the operator and the reason."""
        return RobustPoseError(
            f"{self.file}: operator {self.operator} (makes {self.outputs[0].name!r}) {reason}; "
            "name tensors before it as `stages` in the spec, or export the model without it"
        )

    def value(self, position: int) -> Value:
        """Return a required input."""
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise self.refuse(f"has no input {position}")
        return value

    def known(self, position: int) -> Tensor:
        """Return an input that must be known at load."""
        value = self.value(position)
        if value.constant is None:
            raise self.refuse(f"needs {value.name!r} at load, but it depends on the image")
        return value.constant

    def numbers(self, position: int) -> list[int]:
        """Return an input that must be integers known at load."""
        return [int(number) for number in self.known(position).flatten().tolist()]

    def axis(self, given: int, *, of: Value | None = None) -> int:
        """Return an axis as a non-negative index."""
        rank = len((of or self.value(0)).shape)
        if not -rank <= given < rank:
            raise self.refuse(f"has axis {given} for a tensor of {rank} axes")
        return given % rank

    @property
    def tensors(self) -> tuple[int, ...]:
        """Indices of all present inputs."""
        return tuple(value.index for value in self.inputs if value is not None)


@dataclass(frozen=True)
class Plan:
    """The function of a planned operator, and the indices of its input tensors."""

    run: Run
    inputs: tuple[int, ...]


def unknown_operators(file: str, found: Iterable[tuple[str, str]]) -> RobustPoseError:
    """Return one error for all unknown operators, given as (operator, the tensor it makes)."""
    first: dict[str, str] = {}
    for operator, made in found:
        first.setdefault(operator, made)
    named = ", ".join(f"{operator} (makes {made!r})" for operator, made in first.items())
    many = len(first) > 1
    return RobustPoseError(
        f"{file}: operator{'s' * many} {named} {'are' if many else 'is'} not supported; "
        f"name tensors before {'them' if many else 'it'} as `stages` in the spec, or export the model without "
        f"{'them' if many else 'it'}"
    )


def clip_one(x: Tensor) -> Tensor:
    """Clip to [-1, 1]."""
    return x.clamp(-1.0, 1.0)
