"""TensorFlow Lite: a float or float16 .tflite file as a differentiable PoseModel.

Outputs agree with the LiteRT runtime. The batch is free although the file says 1. Quantised files are refused,
because rounding has no gradient. The format is TensorFlow Lite's flatbuffer schema, read with the `tflite`
package.

graph.py plans a model; ops.py lists its operators, which are in layers.py and shapes.py.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from robustpose.models.importers.graph import ModelFile, PlannedGraph
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.opening import open_model, read_file
from robustpose.models.importers.spec import ImporterSpec, file_opener
from robustpose.models.importers.tflite.graph import inputs_and_outputs, read_graph
from robustpose.models.specs import ModelSpec


def load_tflite(path: Path, spec: Path | ModelSpec | None = None) -> ImportedPose:
    """Open a .tflite file in eval mode, with the package's spec or the user's.

    RobustPoseError where the file or the spec cannot be used, or where they do not fit together.
    """
    content, file = read_file(path), str(path)
    inputs, outputs = inputs_and_outputs(content, file=file)

    def check() -> None:
        read_graph(content, file=file)

    def read(_: tuple[int, ...], stages: Sequence[str]) -> PlannedGraph:
        return read_graph(content, file=file, outputs=stages)

    sha256 = hashlib.sha256(content).hexdigest()
    return open_model(ModelFile(file, "tflite", sha256, inputs, outputs, False, check, read), spec=spec)


TFLITE = ImporterSpec(
    open=file_opener(load_tflite),
    place="tflite:PATH",
    suffixes=(".tflite",),
    summary="TensorFlow Lite file",
    layout="NHWC",
)
