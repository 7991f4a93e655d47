"""Tiny .tflite files made in the tests, and the outputs of the LiteRT runtime for any file."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

REAL = Path(__file__).parents[3].parent / "shared" / "data"
REAL_MODELS = ("cpm", "hourglass", "eff_RT_LITE", "eff_I_LITE")
Array = NDArray[Any]
_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int32": tflite.TensorType.INT32,
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
}


def real_path(name: str) -> Path:
    """Return a file of the real data beside the repository; skip the test if it is missing."""
    if not (REAL / name).is_file():
        pytest.skip(f"{name} is not on this machine")
    return REAL / name


@dataclass(frozen=True)
class Op:
    """One operator: its inputs are names of tensors or constants; options are a tflite table's name and fields."""

    operator: str
    inputs: Sequence[str | Array]
    outputs: Sequence[str] = ("out",)
    table: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


def tflite_bytes(
    *ops: Op,
    picture: tuple[int, ...],
    outputs: Sequence[str] = ("out",),
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    types: Mapping[str, str] | None = None,
    scaled: Sequence[str] = (),
    inputs: Sequence[str] = ("picture",),
    graphs: int = 1,
) -> bytes:
    """Write a model that takes `image`; shapes of made tensors are asked of the runtime where not given.

    `scaled` tensors get a quantisation scale; `types` are float32 where not given.
    """
    if shapes is None:
        empty = {name: () for op in ops for name in op.outputs}
        draft = tflite_bytes(*ops, picture=picture, outputs=outputs, shapes=empty, types=types, scaled=scaled)
        runtime = _runtime(draft)
        runtime.invoke()
        shapes = {row["name"]: tuple(map(int, row["shape"])) for row in runtime.get_tensor_details()}
    b = flatbuffers.Builder(1024)
    names: list[str] = [*inputs]
    constants: dict[str, Array] = {}
    rows: list[tuple[Op, list[int], list[int]]] = []
    for op in ops:
        taken = []
        for given in op.inputs:
            if not isinstance(given, str):
                constants[f"constant {len(constants)}"] = given
                given = f"constant {len(constants) - 1}"
            if given not in names:
                names.append(given)
            taken.append(names.index(given))
        names += [name for name in op.outputs if name not in names]
        rows.append((op, taken, [names.index(name) for name in op.outputs]))

    buffers, tensors = [_buffer(b, None)], []
    for name in names:
        value = constants.get(name)
        shape = value.shape if value is not None else picture if name in inputs else shapes.get(name, ())
        kind = str(value.dtype) if value is not None else (types or {}).get(name, "float32")
        tensors.append(_tensor(b, name, shape, kind, buffer=len(buffers), scaled=name in scaled))
        buffers.append(_buffer(b, value))
    codes = [_operator_code(b, op.operator) for op in ops]
    operators = [_operator(b, row, *parts) for row, parts in enumerate(rows)]
    ins, outs = _numbers(b, [names.index(n) for n in inputs]), _numbers(b, [names.index(n) for n in outputs])
    tensor_list, operator_list = _tables(b, tensors), _tables(b, operators)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensor_list)
    tflite.SubGraphAddInputs(b, ins)
    tflite.SubGraphAddOutputs(b, outs)
    tflite.SubGraphAddOperators(b, operator_list)
    graph_list = _tables(b, [tflite.SubGraphEnd(b)] * graphs)
    code_list, buffer_list = _tables(b, codes), _tables(b, buffers)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, code_list)
    tflite.ModelAddSubgraphs(b, graph_list)
    tflite.ModelAddBuffers(b, buffer_list)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def _numbers(b: Any, values: Sequence[int]) -> Any:
    return b.CreateNumpyVector(np.array(values, dtype=np.int32))


def _tables(b: Any, offsets: Sequence[Any]) -> Any:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _buffer(b: Any, value: Array | None) -> Any:
    data = None if value is None else b.CreateNumpyVector(np.frombuffer(value.tobytes(), np.uint8))
    tflite.BufferStart(b)
    if data is not None:
        tflite.BufferAddData(b, data)
    return tflite.BufferEnd(b)


def _tensor(b: Any, name: str, shape: tuple[int, ...], kind: str, *, buffer: int, scaled: bool) -> Any:
    label, size, quantisation = b.CreateString(name), _numbers(b, shape), None
    if scaled:
        scales, zeros = b.CreateNumpyVector(np.ones(1, np.float32)), b.CreateNumpyVector(np.zeros(1, np.int64))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zeros)
        quantisation = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddName(b, label)
    tflite.TensorAddShape(b, size)
    tflite.TensorAddType(b, _TYPES[kind])
    tflite.TensorAddBuffer(b, buffer)
    if quantisation is not None:
        tflite.TensorAddQuantization(b, quantisation)
    return tflite.TensorEnd(b)


def _operator_code(b: Any, operator: str) -> Any:
    code = getattr(tflite.BuiltinOperator, operator)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddBuiltinCode(b, code)
    tflite.OperatorCodeAddVersion(b, 1)
    return tflite.OperatorCodeEnd(b)


def _operator(b: Any, row: int, op: Op, taken: list[int], made: list[int]) -> Any:
    ins, outs, options = _numbers(b, taken), _numbers(b, made), None
    if op.table:
        vectors = {key: _numbers(b, value) for key, value in op.fields.items() if isinstance(value, list)}
        getattr(tflite, f"{op.table}Start")(b)
        for key, value in op.fields.items():
            getattr(tflite, f"{op.table}Add{key}")(b, vectors.get(key, value))
        options = getattr(tflite, f"{op.table}End")(b)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, row)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, op.table))
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)


def _runtime(content: bytes) -> Any:
    """Open a file in LiteRT, its own kernels and no delegate."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runtime = Interpreter(model_content=content, experimental_op_resolver_type=plain, num_threads=1)
    runtime.allocate_tensors()
    return runtime


@functools.cache
def _cached_runtime(content: bytes) -> Any:
    return _runtime(content)


def runtime_outputs(content: bytes, x: Array) -> list[Array]:
    """Run LiteRT on an image (1, ...): every output."""
    runtime = _cached_runtime(content)
    runtime.set_tensor(runtime.get_input_details()[0]["index"], x)
    runtime.invoke()
    return [np.array(runtime.get_tensor(row["index"])) for row in runtime.get_output_details()]
