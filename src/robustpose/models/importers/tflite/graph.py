"""The graph of a .tflite file as a differentiable module, planned once at load.

The file is a flatbuffer (TensorFlow Lite's schema). Weights are converted to float32 in torch's layout, constant
subgraphs are computed, and operators that the requested outputs do not need are dropped, so a model is usable up
to the last tensor with known operators.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tflite
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
from robustpose.models.importers.tflite.node import TfliteNode
from robustpose.models.importers.tflite.ops import OPERATORS

_MAGIC = b"TFL3"
_DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.INT64: np.int64,
    tflite.TensorType.BOOL: np.bool_,
}
_TORCH = {
    tflite.TensorType.INT32: torch.int32,
    tflite.TensorType.INT64: torch.int64,
    tflite.TensorType.FLOAT32: torch.float32,
    tflite.TensorType.FLOAT16: torch.float16,
}
_QUANTISED = ("INT4", "INT8", "UINT8", "INT16", "UINT16")
_OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_TYPE_NAMES = {code: name for name, code in vars(tflite.TensorType).items() if isinstance(code, int)}


def inputs_and_outputs(content: bytes, *, file: str) -> tuple[Tensors, Tensors]:
    """Return the file's inputs and outputs; RobustPoseError where it is not a .tflite file or is damaged."""
    with damage_named(file):
        _, graph = _open(content, file)
        return _tensors(graph, graph.InputsAsNumpy()), _tensors(graph, graph.OutputsAsNumpy())


def read_graph(content: bytes, *, file: str, outputs: Sequence[str] = ()) -> PlannedGraph:
    """Plan the graph of a .tflite file's content up to the named tensors, by default its outputs.

    RobustPoseError names the file and the reason: not TensorFlow Lite, damage, quantisation, several inputs or
    subgraphs, unknown operators.
    """
    with damage_named(file):
        return _Reader(content, file).read(outputs)


def _open(content: bytes, file: str) -> tuple[Any, Any]:
    if len(content) < 8 or content[4:8] != _MAGIC:
        what = f"has {len(content)} bytes" if len(content) < 8 else f"has {content[4:8]!r} at byte 4"
        raise RobustPoseError(f"{file}: is not a TensorFlow Lite file (expected {_MAGIC!r} at byte 4; it {what})")
    model = tflite.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise RobustPoseError(
            f"{file}: must have one graph, has {model.SubgraphsLength()}; "
            "export the model without loops or conditions"
        )
    return model, model.Subgraphs(0)


def _name(graph: Any, index: int) -> str:
    return str(graph.Tensors(index).Name().decode())


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    tensor = graph.Tensors(index)
    return tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))


def _tensors(graph: Any, indices: Any) -> Tensors:
    rows = [int(index) for index in indices]
    return Tensors(tuple(_name(graph, i) for i in rows), tuple(_shape(graph, i) for i in rows))


class _Reader:
    """Reads one file: tensors as values, needed operators as steps."""

    def __init__(self, content: bytes, file: str) -> None:
        self.file = file
        self.model, self.graph = _open(content, file)
        inputs = [int(index) for index in self.graph.InputsAsNumpy()]
        if len(inputs) != 1:
            names = ", ".join(repr(_name(self.graph, index)) for index in inputs)
            raise RobustPoseError(f"{file}: must have one input, the image; has {len(inputs)}: {names}")
        self.source = inputs[0]
        self.count: int = self.graph.TensorsLength()
        self.operators = [self.graph.Operators(row) for row in range(self.graph.OperatorsLength())]
        self.constants: dict[int, Tensor] = {}

    def read(self, outputs: Sequence[str]) -> PlannedGraph:
        """Plan everything that the named outputs depend on."""
        asked = self._asked(outputs)
        rows = self._needed(asked)
        touched = {self.source, *asked}
        for row in rows:
            touched |= {*self._inputs(row), *self._outputs(row)} - {-1}
        for index in sorted(touched):
            self._check_not_quantised(index)
        for index in sorted(touched):
            self._read_constant(index)
        self._check_known(rows)
        planned: list[Planned] = []
        ready = {self.source, *self.constants}
        for row in rows:
            inputs, made = self._inputs(row), self._outputs(row)
            late = [index for index in inputs if index >= 0 and index not in ready]
            if late:
                raise RobustPoseError(f"{self.file}: {_name(self.graph, late[0])!r} is used before it is computed")
            plan = self._plan(row)
            if isinstance(plan, Tensor):
                self.constants[made[0]] = plan
            elif all(index in self.constants for index in plan.inputs):
                values = plan.run(*[self.constants[index] for index in plan.inputs])
                self.constants |= outputs_of(values, made)
            else:
                planned.append((plan.run, plan.inputs, made))
            ready |= {*made}
        return assemble(planned, self.constants, self.source, asked)

    def _asked(self, outputs: Sequence[str]) -> tuple[int, ...]:
        if not outputs:
            return tuple(int(index) for index in self.graph.OutputsAsNumpy())
        rows = {_name(self.graph, index): index for index in range(self.count)}
        for name in outputs:
            if name not in rows:
                known = _tensors(self.graph, self.graph.OutputsAsNumpy()).names
                raise RobustPoseError(f"{self.file}: {unknown_name('tensor', name, known)}")
        return tuple(rows[name] for name in outputs)

    def _needed(self, asked: tuple[int, ...]) -> list[int]:
        """Return the indices of the operators that the requested tensors depend on, in the file's order."""
        wanted, rows = {*asked}, []
        for row in reversed(range(len(self.operators))):
            if wanted & {*self._outputs(row)}:
                rows.append(row)
                wanted |= {*self._inputs(row)}
        return rows[::-1]

    def _inputs(self, row: int) -> tuple[int, ...]:
        operator = self.operators[row]
        return tuple(self._checked(operator.Inputs(i)) for i in range(operator.InputsLength()))

    def _outputs(self, row: int) -> tuple[int, ...]:
        operator = self.operators[row]
        return tuple(self._checked(operator.Outputs(i)) for i in range(operator.OutputsLength()))

    def _checked(self, given: Any) -> int:
        index = int(given)
        if not -1 <= index < self.count:
            raise RobustPoseError(f"{self.file}: cannot be read, it is damaged (tensor {index} of {self.count})")
        return index

    def _check_not_quantised(self, index: int) -> None:
        tensor = self.graph.Tensors(index)
        kind = _TYPE_NAMES.get(tensor.Type(), "unknown")
        scaled = tensor.Quantization() is not None and tensor.Quantization().ScaleLength() > 0
        # a float model may take a uint8 image; without a scale it is not a quantised tensor
        if kind in _QUANTISED and (scaled or index != self.source):
            raise RobustPoseError(
                f"{self.file}: is quantised (tensor {_name(self.graph, index)!r} is {kind}), and rounding has no "
                "gradients; use the float or float16 file of the same model"
            )

    def _read_constant(self, index: int) -> None:
        tensor = self.graph.Tensors(index)
        buffer = self.model.Buffers(tensor.Buffer())
        if not buffer.DataLength() or index == self.source:
            return
        if tensor.Sparsity() is not None:
            raise RobustPoseError(f"{self.file}: tensor {_name(self.graph, index)!r} is sparse; export it dense")
        dtype = _DTYPES.get(tensor.Type())
        if dtype is None:
            kind = _TYPE_NAMES.get(tensor.Type(), "unknown")
            raise RobustPoseError(f"{self.file}: tensor {_name(self.graph, index)!r} is {kind}, expected float")
        data = buffer.DataAsNumpy().view(dtype).reshape(_shape(self.graph, index))
        self.constants[index] = torch.from_numpy(data.copy())

    def _value(self, index: int) -> Value:
        return Value(
            index,
            _name(self.graph, index),
            _shape(self.graph, index),
            _TORCH.get(self.graph.Tensors(index).Type()),
            self.constants.get(index),
        )

    def _hold(self, constant: Tensor) -> int:
        index = max(self.count, 1 + max(self.constants, default=0))
        self.constants[index] = constant
        return index

    def _operator(self, row: int) -> str:
        code = self.model.OperatorCodes(self.operators[row].OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if number == tflite.BuiltinOperator.CUSTOM and code.CustomCode() is not None:
            return f"CUSTOM {code.CustomCode().decode()}"
        return str(_OPERATOR_NAMES.get(number, f"number {number}"))

    def _check_known(self, rows: Sequence[int]) -> None:
        unknown = [row for row in rows if self._operator(row) not in OPERATORS]
        if unknown:
            named = [(self._operator(row), _name(self.graph, self._outputs(row)[0])) for row in unknown]
            raise unknown_operators(self.file, named)

    def _plan(self, row: int) -> Plan | Tensor:
        name = self._operator(row)
        node = TfliteNode(
            file=self.file,
            operator=name,
            inputs=tuple(None if index < 0 else self._value(index) for index in self._inputs(row)),
            outputs=tuple(self._value(index) for index in self._outputs(row)),
            fields=self.operators[row].BuiltinOptions(),
            hold=self._hold,
        )
        shapes = [value.shape for value in (*node.inputs, *node.outputs) if value is not None]
        if any(math.prod(shape) > MOST_VALUES for shape in shapes):
            raise node.refuse("has a tensor of more than 2**31 values")
        return OPERATORS[name](node)
