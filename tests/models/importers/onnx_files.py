"""Tiny .onnx files made in the tests, and the outputs of ONNX's reference evaluator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


def onnx_package() -> Any:
    """Return the package; skip the test where it is not installed."""
    pytest.importorskip("onnx.reference", reason="the extra onnx is not installed")
    import onnx
    import onnx.reference

    return onnx


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str] = ("out",), **attributes: Any) -> Any:
    """Make an operator."""
    return onnx_package().helper.make_node(kind, list(inputs), list(outputs), **attributes)


def model_of(
    nodes: Sequence[Any],
    weights: Mapping[str, Any] | None = None,
    *,
    picture: Sequence[int | str] = ("n", 3, 8, 6),
    outputs: Sequence[str] = ("out",),
    opset: int = 18,
) -> Any:
    """Make a model with the input 'image'."""
    onnx = onnx_package()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info("picture", kind, list(picture))],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def written(model: Any, path: Path) -> Path:
    """Write a model to a file."""
    path.write_bytes(model.SerializeToString())
    return path


def reference(model: Any, picture: Array) -> Array:
    """Return the outputs of ONNX's reference evaluator."""
    (found,) = onnx_package().reference.ReferenceEvaluator(model).run(None, {"picture": picture})
    return np.asarray(found)
