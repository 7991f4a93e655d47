"""ONNX: a float .onnx file as a differentiable PoseModel (extra `onnx`, which reads the format).

Outputs agree with onnxruntime. The batch is free although the file may say 1. Quantised files are refused, because
rounding has no gradient. External weights are read from the file's own folder only. Custom operators are not
supported.

graph.py plans a model; ops.py lists its operators, which are in layers.py, resize.py and shapes.py.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.onnx.graph import OnnxGraph, Operator, plan_graph
from robustpose.models.importers.opening import check_model, choose_spec, fingerprint_of, read_file
from robustpose.models.importers.spec import ImporterSpec, file_opener
from robustpose.models.specs import ModelSpec

_FLOATS = ("float32", "float16", "float64", "bfloat16")


def load_onnx(path: Path, spec: Path | ModelSpec | None = None) -> ImportedPose:
    """Open an .onnx file in eval mode, with the package's spec or the user's of format "onnx".

    RobustPoseError where the package onnx is missing, where the file or the spec cannot be used, or where they do
    not fit together.
    """
    file = str(path)
    onnx = _package()
    content = read_file(path)
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.node:
            raise ValueError("it has no operators")
        model = onnx.inliner.inline_local_functions(model)
    except Exception as error:  # protobuf raises many types
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RobustPoseError(f"{file}: is not an ONNX file, or is damaged: {reason[:200]}") from None
    digest = hashlib.sha256(content)
    weights = _weights(onnx, model, path.parent, digest, file=file)
    sha256 = digest.hexdigest()
    chosen = choose_spec(spec, format="onnx", sha256=sha256, file=file)
    source, shape = _input(model, weights, file=file)
    if chosen is None:
        outputs = tuple(value.name for value in model.graph.output)
        _planned(onnx, model, weights, source, outputs, one=True, file=file)  # first report what no spec can solve
        raise RobustPoseError(
            f"{file}: no spec describes this file; write one (docs/your-model.md shows how) and give it with "
            f"--spec: format = 'onnx'; the file's input is {source!r} of shape {shape}, its outputs are "
            f"{', '.join(map(repr, outputs))}"
        )
    _check_input(chosen, source, shape, file=file)
    one = bool(shape) and shape[0] == 1
    graph = _planned(onnx, model, weights, source, chosen.stages, one=one, file=file)
    imported = ImportedPose(graph, chosen, fingerprint=fingerprint_of(chosen, sha256=sha256)).eval()
    _check(imported, graph, one=one, file=file)
    return imported


def _package() -> Any:
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.inliner
    except ImportError:
        raise RobustPoseError(
            "onnx:PATH needs the package onnx, which is not installed: pip install 'robustpose[onnx]'"
        ) from None
    return onnx


def _check(model: ImportedPose, graph: OnnxGraph, *, one: bool, file: str) -> None:
    """Check the model; a graph that works only with a batch of 1 is run one person at a time."""
    try:
        check_model(model, file=file)
    except RobustPoseError:
        if not one:
            raise
        graph.one_by_one = True
        check_model(model, file=file)


def _planned(
    onnx: Any,
    model: Any,
    weights: dict[str, Tensor],
    source: str,
    asked: tuple[str, ...],
    *,
    one: bool,
    file: str,
) -> OnnxGraph:
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    operators = [
        Operator(
            kind=node.op_type,
            domain="" if node.domain == "ai.onnx" else node.domain,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={each.name: _plain(onnx, each, file=file) for each in node.attribute},
        )
        for node in model.graph.node
    ]
    return plan_graph(operators, weights, source=source, asked=asked, opset=int(opset), one=one, file=file)


def _plain(onnx: Any, attribute: Any, *, file: str) -> Any:
    """Return an attribute as a plain value, text or tensor; None for a subgraph, whose operator is unknown."""
    if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
        return None
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        if onnx.external_data_helper.uses_external_data(value):
            raise RobustPoseError(f"{file}: a constant of an operator is in another file, expected weights only")
        return _tensor(onnx, value, file=file)
    return value


def _weights(onnx: Any, model: Any, folder: Path, digest: Any, *, file: str) -> dict[str, Tensor]:
    """Read all weights, and add external ones to the digest."""
    if model.graph.sparse_initializer:
        raise RobustPoseError(f"{file}: has sparse weights; export it dense")
    weights = {}
    for tensor in model.graph.initializer:
        if onnx.external_data_helper.uses_external_data(tensor):
            tensor.raw_data = _beside(tensor, folder, file=file)
            tensor.data_location = onnx.TensorProto.DEFAULT
            digest.update(tensor.raw_data)
        weights[tensor.name] = _tensor(onnx, tensor, file=file)
    return weights


def _beside(tensor: Any, folder: Path, *, file: str) -> bytes:
    """Read a weight from another file of the same folder; RobustPoseError for any other place."""
    facts = {each.key: each.value for each in tensor.external_data}
    location = facts.get("location", "")
    path = folder / location
    if not location or "\0" in location or not path.resolve().is_relative_to(folder.resolve()):
        raise RobustPoseError(
            f"{file}: weight {tensor.name!r} is outside the file's folder ({location!r}): refused"
        )
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", -1))
        with path.open("rb") as stream:
            stream.seek(offset)
            content: bytes = stream.read(length)
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RobustPoseError(
            f"{file}: weight {tensor.name!r} cannot be read from {location!r}: {reason}"
        ) from None
    if length >= 0 and len(content) != length:
        raise RobustPoseError(f"{file}: {location!r} is truncated: it ends within weight {tensor.name!r}")
    return content


def _tensor(onnx: Any, tensor: Any, *, file: str) -> Tensor:
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except Exception as error:
        raise RobustPoseError(f"{file}: weight {tensor.name!r} is damaged: {error}") from None
    kind = array.dtype.name
    if kind in _FLOATS:
        return torch.from_numpy(np.array(array, dtype=np.float32))
    if kind == "bool":
        return torch.from_numpy(np.array(array))
    if kind.startswith(("int", "uint")):
        return torch.from_numpy(np.array(array).astype(np.int64))
    raise RobustPoseError(f"{file}: weight {tensor.name!r} is of type {kind}, expected float")


def _input(model: Any, weights: dict[str, Tensor], *, file: str) -> tuple[str, list[int | str]]:
    """Return the name and the shape of the only input; free axes have a name or '?'."""
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs)
        raise RobustPoseError(f"{file}: must have one input, the image; has {len(inputs)}: {names or 'none'}")
    axes = inputs[0].type.tensor_type.shape.dim
    return inputs[0].name, [axis.dim_value or axis.dim_param or "?" for axis in axes]


def _check_input(spec: ModelSpec, source: str, shape: list[int | str], *, file: str) -> None:
    """Raise RobustPoseError unless the model takes images of the spec's size and layout."""
    height, width = spec.input_size
    expected = [1, height, width, 3] if spec.layout == "NHWC" else [1, 3, height, width]
    fits = len(shape) in (0, 4) and all(
        not isinstance(given, int) or given == size for given, size in zip(shape, expected, strict=False)
    )
    if not fits:
        raise RobustPoseError(
            f"{file}: takes {source!r} of shape {shape}, but spec {spec.name!r} has input_size = [{height}, "
            f"{width}] in {spec.layout}, which is {expected}"
        )


ONNX = ImporterSpec(open=file_opener(load_onnx), place="onnx:PATH", suffixes=(".onnx",), summary="ONNX file")
