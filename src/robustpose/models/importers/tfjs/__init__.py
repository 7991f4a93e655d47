"""TF.js: a graph model (model.json and its shards) as a differentiable PoseModel.

Outputs agree with TF.js. The batch is free although the file may say 1. Layers models are refused: convert them to
graph models. Only the operators in ops.py are run.

files.py reads a model, graph.py plans it; ops.py lists its operators, which are in layers.py and shapes.py.
"""

from collections.abc import Sequence
from pathlib import Path

from robustpose.models.importers.graph import ModelFile, PlannedGraph
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.opening import open_model
from robustpose.models.importers.spec import ImporterSpec, file_opener
from robustpose.models.importers.tfjs.files import read_files
from robustpose.models.importers.tfjs.graph import check_operators, inputs_and_outputs, read_graph
from robustpose.models.specs import ModelSpec


def load_tfjs(path: Path, spec: Path | ModelSpec | None = None) -> ImportedPose:
    """Open a model.json (or its folder) in eval mode, with the package's spec or the user's.

    RobustPoseError where the files or the spec cannot be used, or where they do not fit together.
    """
    files = read_files(path)
    inputs, outputs = inputs_and_outputs(files)

    def read(image: tuple[int, ...], stages: Sequence[str]) -> PlannedGraph:
        return read_graph(files, image, outputs=stages)

    def check() -> None:
        check_operators(files)

    # The file gives only the image's size and convolutions take any, so each layer is planned for the spec's size.
    return open_model(ModelFile(files.file, "tfjs", files.sha256, inputs, outputs, True, check, read), spec=spec)


TFJS = ImporterSpec(
    open=file_opener(load_tfjs),
    place="tfjs:PATH",
    suffixes=(".json",),
    summary="TensorFlow.js graph model: model.json or its folder",
    layout="NHWC",
)
