"""Node: the information for planning an operator of an ONNX graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from robustpose.errors import RobustPoseError

Run = Callable[..., Any]
"""The function of a step: tensors in (None for an absent optional input), a tensor or a tuple of tensors out."""


@dataclass
class People:
    """The number of people that a graph is run on."""

    count: int = 1


@dataclass(frozen=True)
class Node:
    """One operator of the graph.

    opset      version of ONNX's operators in the file
    inputs     names; '' where an optional input is absent
    constants  inputs that are known at load, by name
    one        the batch in the file is 1, so a first axis of 1 stands for any number of people
    people     their number in the current run, shared by the graph and its operators
    """

    file: str
    operator: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    constants: Mapping[str, Tensor]
    one: bool
    people: "People"

    def refuse(self, reason: str) -> RobustPoseError:
        """Return the error for an operator that cannot be imported."""
        return RobustPoseError(f"{self.file}: operator {self.operator} (makes {self.outputs[0]!r}) {reason}")

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def numbers(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """Return an attribute of integers."""
        given = self.attributes.get(name)
        return default if given is None else [int(number) for number in given]

    def constant(self, position: int) -> Tensor | None:
        """Return an input that is known at load; None where it is absent or not known."""
        return self.constants.get(self.inputs[position]) if position < len(self.inputs) else None

    def only(self, name: str, value: Any) -> None:
        """Refuse any value of an attribute other than the supported one."""
        given = self.attributes.get(name, value)
        if given != value:
            raise self.refuse(f"has {name} = {given!r}, expected {value!r}")


def whole(tensor: Tensor) -> list[int]:
    """Return a tensor of integers as a list."""
    return [int(number) for number in tensor.flatten().tolist()]
