"""What an operator of an ONNX graph is told when it is planned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from robustpose.errors import RobustPoseError

Run = Callable[..., Any]
"""What a step computes: tensors in (None for an absent optional input), a tensor or a tuple of tensors out."""


@dataclass
class People:
    """How many people a graph is run on."""

    count: int = 1


@dataclass(frozen=True)
class Node:
    """One operator of the graph.

    opset      the version of ONNX's operators that the file is written in
    inputs     names, '' where an optional input is absent
    constants  the inputs that are known at load, by name
    one        the file says that the batch is 1, so a shape that begins with 1 means any number of people
    people     how many there are in the run that is going on; what the graph and its operators share
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
        """Make the error for an operator that cannot be imported."""
        return RobustPoseError(f"{self.file}: operator {self.operator} (makes {self.outputs[0]!r}) {reason}")

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def numbers(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """Return an attribute of whole numbers."""
        given = self.attributes.get(name)
        return default if given is None else [int(number) for number in given]

    def constant(self, position: int) -> Tensor | None:
        """Return an input that is known at load, None where it is absent or not known."""
        return self.constants.get(self.inputs[position]) if position < len(self.inputs) else None

    def only(self, name: str, value: Any) -> None:
        """Refuse an attribute with any other value than the one that can be imported."""
        given = self.attributes.get(name, value)
        if given != value:
            raise self.refuse(f"has {name} = {given!r}, expected {value!r}")


def whole(tensor: Tensor) -> list[int]:
    """Read a tensor of whole numbers."""
    return [int(number) for number in tensor.flatten().tolist()]
