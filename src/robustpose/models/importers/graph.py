"""The graph of a model's file as a differentiable module: steps planned at load, run one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.models.importers.node import Run

Planned = tuple[Run, tuple[int, ...], tuple[int, ...]]
"""What an operator runs, on which tensors, into which."""


MOST_VALUES = 2**31
"""In one tensor of one person: a damaged file may ask for any number."""


@dataclass(frozen=True)
class Step:
    """One planned operator: what it runs, on which tensors, into which, and what nobody needs after it."""

    run: Run
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    done_with: tuple[int, ...]


@dataclass(frozen=True)
class Tensors:
    """Names and shapes, the batch being 1 or, where the file leaves it open, -1."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    def listed(self) -> str:
        """Name them for people."""
        pairs = zip(self.names, self.shapes, strict=True)
        return ", ".join(f"{name!r} of shape {list(shape)}" for name, shape in pairs)


class PlannedGraph(nn.Module):
    """A file's graph: takes its input (N, ...) in the file's layout, returns the asked tensors.

    N is free although the file may say 1. Constants are buffers: an attack has nothing to train here.
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
    """Pair what a step made, a tensor or several, with the indices of its outputs."""
    return zip(outputs, (made,) if isinstance(made, Tensor) else made, strict=True)


def assemble(
    planned: Sequence[Planned], constants: Mapping[int, Tensor], source: int, asked: tuple[int, ...]
) -> PlannedGraph:
    """Keep the constants that steps use and say where each tensor is used last."""
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
    """A model's file, looked into but not yet planned.

    file             as the user named it
    format           as in a spec
    sha256           of all its bytes
    inputs, outputs  its own, for people who write a spec and for the spec's check
    resizable        whether a spec may ask for an image of another height and width than the input's
    check            raises what no spec could mend: quantised, unknown operators
    read             plans the graph for an image of this shape (1, ...) up to the tensors named
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
    """Turn whatever a damaged file makes its reader raise into one line."""
    try:
        yield
    except RobustPoseError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise RobustPoseError(f"{file}: cannot be read, it is truncated or damaged ({kind})") from None
