"""The graph of an ONNX file as a differentiable module, planned once at load.

Weights are converted to float32, constant subgraphs are computed, and operators that the requested outputs do not
need are dropped, so a model is usable up to the last tensor with known operators. Shapes are computed at run time,
so the batch is free even where the file says 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.models.importers.onnx.node import Node, People, Run
from robustpose.models.importers.onnx.ops import OPERATORS, outputs_of

_QUANTISED = ("Quantize", "QLinear", "QGemm", "QAttention")
_MOST_FOLDED = 50_000_000
"""Largest number of values of a constant computed at load."""


@dataclass(frozen=True)
class Operator:
    """One operator of the file: input and output names ('' where absent), attributes as values and tensors."""

    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One planned operator: its node, its function, and the values that are not used after it."""

    node: Node
    run: Run
    done_with: tuple[str, ...]


class OnnxGraph(nn.Module):
    """An ONNX graph: takes its input (N, ...) in the file's layout and returns the requested tensors.

    one_by_one  run one person at a time, for graphs that work only with a batch of 1
    """

    def __init__(
        self,
        steps: Sequence[Step],
        constants: Mapping[str, Tensor],
        source: str,
        asked: tuple[str, ...],
        people: People,
        *,
        file: str,
    ) -> None:
        super().__init__()
        self.steps, self.source, self.asked, self.file = tuple(steps), source, asked, file
        self.one_by_one, self.people = False, people
        # Shapes and indices stay on the CPU, where they are used; weights move with the module.
        self.whole = {name: value for name, value in constants.items() if not value.is_floating_point()}
        self.names = {
            name: f"constant_{place}"
            for place, (name, value) in enumerate(constants.items())
            if value.is_floating_point()
        }
        for name, buffer in self.names.items():
            self.register_buffer(buffer, constants[name])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run the steps on x (N, ...); RobustPoseError names the operator that fails."""
        if not self.one_by_one or len(x) <= 1:
            return self._run(x)
        each = [self._run(person) for person in torch.split(x, 1)]
        return tuple(torch.cat(stage) for stage in zip(*each, strict=True))

    def _run(self, x: Tensor) -> tuple[Tensor, ...]:
        values: dict[str, Tensor | None] = {name: self._buffers[buffer] for name, buffer in self.names.items()}
        values |= self.whole
        values[self.source] = x
        self.people.count = len(x)
        for step in self.steps:
            try:
                made = outputs_of(step.run(*[values[name] if name else None for name in step.node.inputs]))
            except RobustPoseError:
                raise
            except (RuntimeError, IndexError, ValueError, TypeError, AssertionError, KeyError) as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise step.node.refuse(f"cannot be run: {lines[0][:200]}") from None
            values |= zip(step.node.outputs, made, strict=False)
            for name in step.done_with:
                values.pop(name, None)
        return tuple(values[name] for name in self.asked)  # type: ignore[misc]


def plan_graph(
    operators: Sequence[Operator],
    weights: Mapping[str, Tensor],
    *,
    source: str,
    asked: tuple[str, ...],
    opset: int,
    one: bool,
    file: str,
) -> OnnxGraph:
    """Plan the operators of the requested tensors; RobustPoseError for quantised or unknown operators."""
    made = {name for operator in operators for name in operator.outputs} | {*weights, source}
    for name in asked:
        if name not in made:
            raise RobustPoseError(f"{file}: {unknown_name('tensor', name, _last(operators))}")
    needed = _needed(operators, asked)
    _refuse_unknown(needed, file=file)
    constants = dict(weights)
    steps: list[tuple[Node, Run]] = []
    people = People()
    ready = {source, *constants}
    for operator in needed:
        late = [name for name in operator.inputs if name and name not in ready]
        if late:
            raise RobustPoseError(f"{file}: {late[0]!r} is used before it is computed")
        ready |= {*operator.outputs}
        if operator.kind == "Constant":
            constants[operator.outputs[0]] = _constant(operator, file=file)
            continue
        node = Node(
            file=file,
            operator=operator.kind,
            opset=opset,
            inputs=operator.inputs,
            outputs=operator.outputs,
            attributes=operator.attributes,
            constants=constants,
            one=one,
            people=people,
        )
        run = OPERATORS[operator.kind](node)
        if all(not name or name in constants for name in operator.inputs):
            constants |= _folded(node, run, constants)
        else:
            steps.append((node, run))
    return _graph(steps, constants, source, asked, people, file=file)


def _graph(
    steps: Sequence[tuple[Node, Run]],
    constants: Mapping[str, Tensor],
    source: str,
    asked: tuple[str, ...],
    people: People,
    *,
    file: str,
) -> OnnxGraph:
    """Make the graph: keep the constants that steps use, and find the last use of each value."""
    later, planned = {*asked}, []
    for node, run in reversed(steps):
        done = ({*node.inputs, *node.outputs} - later) - {""}
        planned.append(Step(node, run, tuple(sorted(done))))
        later |= {*node.inputs}
    kept = {name: value for name, value in constants.items() if name in later}
    return OnnxGraph(planned[::-1], kept, source, asked, people, file=file)


def _needed(operators: Sequence[Operator], asked: Sequence[str]) -> list[Operator]:
    wanted, rows = {*asked}, []
    for operator in reversed(operators):
        if wanted & ({*operator.outputs} - {""}):
            rows.append(operator)
            wanted |= {*operator.inputs}
    return rows[::-1]


def _refuse_unknown(operators: Sequence[Operator], *, file: str) -> None:
    kinds = {f"{operator.domain}.{operator.kind}".lstrip("."): operator for operator in operators}
    quantised = sorted(
        name
        for name, operator in kinds.items()
        if operator.kind.startswith(_QUANTISED)
        or "quantizelinear" in operator.kind.lower()
        or operator.kind.endswith("Integer")
    )
    if quantised:
        raise RobustPoseError(
            f"{file}: is quantised ({', '.join(quantised)}), and rounding has no gradients; use the float file of "
            "the same model"
        )
    known = {*OPERATORS, "Constant"}
    unknown = sorted(name for name, operator in kinds.items() if operator.kind not in known or operator.domain)
    if unknown:
        last = ", ".join(repr(name) for name in dict.fromkeys(operators[0].inputs[:1]))
        raise RobustPoseError(
            f"{file}: unsupported operators: {', '.join(unknown)}; name tensors before them as stages "
            f"in the spec, or export the model without them (its first operator takes {last})"
        )


def _last(operators: Sequence[Operator]) -> list[str]:
    """Return the tensors that no operator uses: the graph's outputs."""
    taken = {name for operator in operators for name in operator.inputs}
    return [name for operator in operators for name in operator.outputs if name not in taken]


def _constant(operator: Operator, *, file: str) -> Tensor:
    for name, value in operator.attributes.items():
        if isinstance(value, Tensor):
            return value
        if name in ("value_float", "value_floats"):
            return torch.tensor(value, dtype=torch.float32)
        if name in ("value_int", "value_ints"):
            return torch.tensor(value, dtype=torch.int64)
    raise RobustPoseError(f"{file}: constant {operator.outputs[0]!r} has no numbers")


def _folded(node: Node, run: Run, constants: Mapping[str, Tensor]) -> dict[str, Tensor]:
    try:
        made = outputs_of(run(*[constants[name] if name else None for name in node.inputs]))
    except (RuntimeError, IndexError, ValueError, TypeError, AssertionError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise node.refuse(f"cannot be run: {lines[0][:200]}") from None
    if sum(value.numel() for value in made) > _MOST_FOLDED:
        raise node.refuse(f"makes a constant of more than {_MOST_FOLDED} values")
    return dict(zip(node.outputs, made, strict=False))
