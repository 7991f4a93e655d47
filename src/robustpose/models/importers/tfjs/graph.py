"""The graph of a TF.js model as a differentiable module, planned once at load.

The file has no shapes except the image's, so the shapes of all tensors are computed for one image on torch's meta
device, which has shapes but no memory. Constant subgraphs are computed, and operators that the requested outputs
do not need are dropped, so a model is usable up to the last tensor with known operators.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.models.importers.graph import (
    MOST_VALUES,
    Planned,
    PlannedGraph,
    Tensors,
    assemble,
    damage_named,
    outputs_of,
)
from robustpose.models.importers.node import Plan, Value, unknown_operators
from robustpose.models.importers.tfjs.files import TfjsFiles
from robustpose.models.importers.tfjs.node import TfjsNode
from robustpose.models.importers.tfjs.ops import OPERATORS

_GIVEN = ("Const", "Placeholder")


def inputs_and_outputs(files: TfjsFiles) -> tuple[Tensors, Tensors]:
    """Return the image's name and shape (-1 where it is free) and the outputs' names, without shapes."""
    with damage_named(files.file):
        source, outputs = _source(files), _outputs(files)
        size = files.nodes[source].get("attr", {}).get("shape", {}).get("shape", {}).get("dim") or []
        shape = tuple(int(axis.get("size", -1)) for axis in size) or (-1, -1, -1, -1)
    return Tensors((source,), (shape,)), Tensors(outputs, ((),) * len(outputs))


def check_operators(files: TfjsFiles, outputs: Sequence[str] = ()) -> None:
    """Raise RobustPoseError where the outputs, by default the file's, depend on unknown operators."""
    with damage_named(files.file):
        _needed(files, [_asked(files, name)[0] for name in outputs or _outputs(files)])


def read_graph(files: TfjsFiles, image: tuple[int, ...], *, outputs: Sequence[str] = ()) -> PlannedGraph:
    """Plan the graph for an image of shape (1, ...) up to the named tensors, by default its outputs.

    RobustPoseError names the file and the reason: damage, several inputs, unknown operators.
    """
    with damage_named(files.file):
        return _Planner(files, image).plan(outputs or _outputs(files))


def _source(files: TfjsFiles) -> str:
    names = [name for name, node in files.nodes.items() if node.get("op") == "Placeholder"]
    if len(names) != 1:
        raise RobustPoseError(
            f"{files.file}: must have one input, the image; has {len(names)}"
            + (f": {', '.join(map(repr, names))}" if names else "")
        )
    return names[0]


def _outputs(files: TfjsFiles) -> tuple[str, ...]:
    """Return the outputs that the file declares; if there are none, the nodes that no other node uses."""
    if files.signature:
        return files.signature
    used = {_parts(given)[0] for node in files.nodes.values() for given in _inputs(node)}
    return tuple(name for name, node in files.nodes.items() if name not in used and node.get("op") not in _GIVEN)


def _parts(given: str) -> tuple[str, int]:
    """Split 'name:1' into the node and the index of its output."""
    name, _, slot = str(given).partition(":")
    return name, int(slot or 0)


def _inputs(node: object) -> list[str]:
    """Return a node's inputs without control inputs ('^name')."""
    given = node.get("input") or [] if hasattr(node, "get") else []
    return [str(name) for name in given if not str(name).startswith("^")]


def _asked(files: TfjsFiles, name: str) -> tuple[str, int]:
    node, slot = _parts(name)
    if node not in files.nodes:
        raise RobustPoseError(f"{files.file}: {unknown_name('tensor', name, _outputs(files))}")
    return node, slot


def _needed(files: TfjsFiles, asked: Sequence[str]) -> list[str]:
    """Return the nodes that the requested ones depend on, in topological order."""
    order: list[str] = []
    state: dict[str, bool] = {}  # False while its inputs are visited
    todo = [(name, False) for name in reversed(asked)]
    while todo:
        name, looked_at = todo.pop()
        if looked_at:
            state[name] = True
            order.append(name)
        elif name not in state:
            if name not in files.nodes:
                raise RobustPoseError(f"{files.file}: cannot be read, it is damaged (there is no node {name!r})")
            state[name] = False
            todo.append((name, True))
            before = [_parts(given)[0] for given in _inputs(files.nodes[name])]
            if any(state.get(other) is False for other in before):
                raise RobustPoseError(f"{files.file}: has a loop at {name!r}; export the model without loops")
            todo += [(other, False) for other in reversed(before) if other not in state]
    operators = [(str(files.nodes[name].get("op")), name) for name in order]
    unknown = [(op, name) for op, name in operators if op not in OPERATORS and op not in _GIVEN]
    if unknown:
        raise unknown_operators(files.file, unknown)
    return order


class _Planner:
    """Plans one file: assigns each tensor an index, a shape, and a value if it is known at load."""

    def __init__(self, files: TfjsFiles, image: tuple[int, ...]) -> None:
        self.files, self.source = files, _source(files)
        self.indices: dict[tuple[str, int], int] = {}
        self.constants: dict[int, Tensor] = {}
        self.seen: dict[int, Tensor] = {self._index(self.source, 0): torch.empty(image, device="meta")}
        self.planned: list[Planned] = []

    def plan(self, outputs: Sequence[str]) -> PlannedGraph:
        """Plan everything that the named outputs depend on."""
        asked = [_asked(self.files, name) for name in outputs]
        for name in _needed(self.files, [name for name, _ in asked]):
            self._take(name)
        for name, slot in asked:
            if (name, slot) not in self.indices:
                raise RobustPoseError(f"{self.files.file}: {name!r} has no output {slot}")
        rows = tuple(self.indices[key] for key in asked)
        return assemble(self.planned, self.constants, self.indices[self.source, 0], rows)

    def _index(self, name: str, slot: int) -> int:
        return self.indices.setdefault((name, slot), len(self.indices))

    def _hold(self, constant: Tensor) -> int:
        index = self._index("", len(self.indices))
        self.constants[index] = constant
        return index

    def _value(self, given: str) -> Value:
        key = _parts(given)
        if key not in self.indices:
            raise RobustPoseError(f"{self.files.file}: cannot be read, it is damaged (there is no {given!r})")
        index = self.indices[key]
        constant = self.constants.get(index)
        tensor = self.seen[index] if constant is None else constant
        return Value(index, given, tuple(tensor.shape), tensor.dtype, constant)

    def _take(self, name: str) -> None:
        node = self.files.nodes[name]
        operator = str(node["op"])
        if operator == "Placeholder":
            return
        if operator == "Const":
            if name not in self.files.weights:
                raise RobustPoseError(f"{self.files.file}: has no weights for {name!r}")
            self.constants[self._index(name, 0)] = self.files.weights[name]
            return
        row = TfjsNode(
            file=self.files.file,
            operator=operator,
            inputs=tuple(self._value(given) for given in _inputs(node)),
            outputs=(Value(-1, name, (), None, None),),
            hold=self._hold,
            attributes=node.get("attr") or {},
        )
        plan = OPERATORS[operator](row)
        if isinstance(plan, Tensor):
            self.constants[self._index(name, 0)] = plan
            return
        if all(index in self.constants for index in plan.inputs):
            values = plan.run(*[self.constants[index] for index in plan.inputs])
            self.constants |= outputs_of(values, self._made(name, values))
            return
        self._trace(row, plan)

    def _made(self, name: str, values: object) -> tuple[int, ...]:
        count = 1 if isinstance(values, Tensor) else len(list(values)) if isinstance(values, tuple | list) else 0
        return tuple(self._index(name, slot) for slot in range(count))

    def _trace(self, node: TfjsNode, plan: Plan) -> None:
        """Compute the output shapes of an operator."""
        inputs = [
            self.constants[index].to("meta") if index in self.constants else self.seen[index]
            for index in plan.inputs
        ]
        try:
            values = plan.run(*inputs)
        except (RuntimeError, ValueError, IndexError) as error:
            raise node.refuse(f"does not fit its inputs: {str(error).splitlines()[0]}") from None
        made = self._made(node.outputs[0].name, values)
        self.seen |= outputs_of(values, made)
        if any(math.prod(self.seen[index].shape) > MOST_VALUES for index in made):
            raise node.refuse("has a tensor of more than 2**31 values")
        self.planned.append((plan.run, plan.inputs, made))
