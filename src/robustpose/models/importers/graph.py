"""The graph of a model's file as a differentiable module: steps are planned at load and run in sequence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models.importers.node import Run

Planned = tuple[Run, tuple[int, ...], tuple[int, ...]]
"""(function of an operator, indices of its inputs, indices of its outputs)"""


MOST_VALUES = 2**31
"""Limit for one tensor of one person, because a damaged file may have any size."""


@dataclass(frozen=True)
class Step:
    """One planned operator: function, inputs, outputs, and the tensors that are not used after it."""

    run: Run
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    done_with: tuple[int, ...]


@dataclass(frozen=True)
class Tensors:
    """Names and shapes; the batch is 1, or -1 where the file leaves it open."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    def listed(self) -> str:
        """Return names and shapes as text for messages."""
        pairs = zip(self.names, self.shapes, strict=True)
        return ", ".join(f"{name!r} of shape {list(shape)}" for name, shape in pairs)


class PlannedGraph(nn.Module):
    """A file's graph: takes its input (N, ...) in the file's layout and returns the requested tensors.

    N is free although the file may say 1. Constants are buffers, because nothing is trained.
    """

    def __init__(
        self, steps: tuple[Step, ...], constants: Mapping[int, Tensor], source: int, asked: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.steps, self.source, self.asked = steps, source, asked
        self.names = {index: f"constant_{index}" for index in constants}
        for index, constant in constants.items():
            self.register_buffer(self.names[index], constant)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run the steps on x (N, ...)."""
        values: dict[int, Any] = {index: self._buffers[name] for index, name in self.names.items()}
        values[self.source] = x
        for step in self.steps:
            made = step.run(*[values[index] for index in step.inputs])
            values.update(outputs_of(made, step.outputs))
            for index in step.done_with:
                del values[index]
        return tuple(values[index] for index in self.asked)


def outputs_of(made: Any, outputs: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Pair the result of a step, one tensor or several, with the indices of its outputs."""
    return zip(outputs, (made,) if isinstance(made, Tensor) else made, strict=True)


def assemble(
    planned: Sequence[Planned], constants: Mapping[int, Tensor], source: int, asked: tuple[int, ...]
) -> PlannedGraph:
    """Make the graph: keep the constants that steps use, and find the last use of each tensor."""
    used = {index for _, inputs, _ in planned for index in inputs} | {*asked}
    kept = {index: constants[index] for index in sorted(used) if index in constants}
    steps: list[Step] = []
    later = {*asked}
    for run, inputs, made in reversed(planned):
        done = {*inputs, *made} - later - {*kept}
        steps.append(Step(run, inputs, made, tuple(sorted(done))))
        later |= {*inputs}
    return PlannedGraph(tuple(reversed(steps)), kept, source, asked)


@dataclass(frozen=True)
class ModelFile:
    """A model's file before it is planned.

    file             the path as given by the user
    format           as in a spec
    sha256           of all its bytes
    inputs, outputs  for the check of the spec, and for messages to users who write one
    resizable        whether a spec may have another height and width than the file's input
    check            raises for what no spec can solve: quantisation, unknown operators
    read             plans the graph for an image of shape (1, ...) up to the named tensors
    """

    file: str
    format: str
    sha256: str
    inputs: Tensors
    outputs: Tensors
    resizable: bool
    check: Callable[[], None]
    read: Callable[[tuple[int, ...], Sequence[str]], PlannedGraph]


@contextmanager
def damage_named(file: str) -> Iterator[None]:
    """Turn every exception of a reader, which a damaged file may cause, into a RobustPoseError."""
    try:
        yield
    except RobustPoseError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise RobustPoseError(f"{file}: cannot be read, it is truncated or damaged ({kind})") from None
