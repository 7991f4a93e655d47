"""What an operator of a .tflite file is told when it is planned, and what it answers.

Values inside the graph are NHWC, as in the file. Convolutions see them through permute(0, 3, 1, 2), which of a
contiguous NHWC tensor is a channels_last tensor, so that no memory moves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tflite
import torch
from torch import Tensor
from torch.nn import functional

from robustpose.errors import RobustPoseError

Run = Callable[..., Any]
"""What a step computes: tensors in, a tensor or a tuple of tensors out."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph; `shape` is the file's, whose batch is 1; `constant` where it is known at load.

    type  one of tflite.TensorType
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: int
    constant: Tensor | None


@dataclass(frozen=True)
class Node:
    """One operator of the file, ready to be planned.

    inputs   None where an optional input is absent
    fields   the operator's options in the file, a flatbuffer table; None where it has none
    hold     keeps a constant made at load and returns its index
    """

    file: str
    operator: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    fields: Any
    hold: Callable[[Tensor], int]

    def refuse(self, reason: str) -> RobustPoseError:
        """Make the error that names the file, the operator and why it cannot be run."""
        return RobustPoseError(
            f"{self.file}: operator {self.operator} (makes {self.outputs[0].name!r}) {reason}; "
            "name tensors before it as `stages` in the card, or export the net without it"
        )

    def options(self, kind: type[Any]) -> Any:
        """Read the operator's options as a table of tflite's `kind`."""
        if self.fields is None:
            raise self.refuse(f"lacks its {kind.__name__}")
        table = kind()
        table.Init(self.fields.Bytes, self.fields.Pos)
        return table

    def value(self, position: int) -> Value:
        """Return an input that must be there."""
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise self.refuse(f"lacks input {position}")
        return value

    def known(self, position: int) -> Tensor:
        """Return an input that must be known at load."""
        value = self.value(position)
        if value.constant is None:
            raise self.refuse(f"needs {value.name!r} at load, but the net computes it from the picture")
        return value.constant

    def numbers(self, position: int) -> list[int]:
        """Return an input that must be whole numbers known at load."""
        return [int(number) for number in self.known(position).flatten().tolist()]

    def axis(self, given: int, *, of: Value | None = None) -> int:
        """Return an axis counted from the front."""
        rank = len((of or self.value(0)).shape)
        if not -rank <= given < rank:
            raise self.refuse(f"has axis {given} for a tensor of {rank} axes")
        return given % rank

    @property
    def tensors(self) -> tuple[int, ...]:
        """Indices of all inputs that are there."""
        return tuple(value.index for value in self.inputs if value is not None)

    def activation(self, code: int) -> Run | None:
        """Return the activation that the file fuses into the operator; None where there is none."""
        if code not in ACTIVATIONS:
            raise self.refuse(f"has an unknown fused activation ({code})")
        return ACTIVATIONS[code]


@dataclass(frozen=True)
class Plan:
    """What a planned operator runs, and the indices of the tensors it is given."""

    run: Run
    inputs: tuple[int, ...]


def clip_one(x: Tensor) -> Tensor:
    """Clip to [-1, 1]."""
    return x.clamp(-1.0, 1.0)


ACTIVATIONS: dict[int, Run | None] = {
    tflite.ActivationFunctionType.NONE: None,
    tflite.ActivationFunctionType.RELU: functional.relu,
    tflite.ActivationFunctionType.RELU_N1_TO_1: clip_one,
    tflite.ActivationFunctionType.RELU6: functional.relu6,
    tflite.ActivationFunctionType.TANH: torch.tanh,
}
