"""IMPORTERS: models that others trained, as differentiable modules. A new one is one file and one line here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from robustpose.models.importers.hf import open_hf
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.onnx.loading import load_onnx
from robustpose.models.importers.python import open_callable, open_torch
from robustpose.models.importers.tfjs.loading import load_tfjs
from robustpose.models.importers.tflite.loading import load_tflite
from robustpose.models.importers.torchscript import load_torchscript
from robustpose.models.opened import OpenedModel
from robustpose.models.specs import ModelSpec
from robustpose.versions import versioned

GivenSpec = Path | ModelSpec | None
"""A spec as a file or read already; None where the model's own is to be found."""


def _of_file(load: Callable[[Path, GivenSpec], ImportedPose]) -> Callable[[str, GivenSpec], OpenedModel]:
    """Make an opener of what loads a file."""

    def open_file(path: str, spec: GivenSpec) -> OpenedModel:
        model = load(Path(path), spec)
        return OpenedModel(name=model.name, module=model, fingerprint=model.fingerprint)

    return open_file


def _version(
    version: int, opened: Callable[[str, GivenSpec], OpenedModel]
) -> Callable[[str, GivenSpec], OpenedModel]:
    """Make an opener whose models name its version, which is raised when a model of it computes something else."""

    def open_versioned(path: str, spec: GivenSpec) -> OpenedModel:
        model = opened(path, spec)
        return replace(model, fingerprint=versioned(model.fingerprint, version))

    return open_versioned


IMPORTERS: dict[str, Callable[[str, GivenSpec], OpenedModel]] = {
    "tflite": _version(1, _of_file(load_tflite)),
    "tfjs": _version(1, _of_file(load_tfjs)),
    "onnx": _version(1, _of_file(load_onnx)),
    "torch": _version(1, open_torch),
    "torchscript": _version(1, _of_file(load_torchscript)),
    "hf": _version(1, open_hf),
    "callable": _version(1, open_callable),
}
"""Openers by the word before a model's first colon; each takes what follows it, and a spec."""

PLACES = {
    "tflite": "tflite:PATH",
    "tfjs": "tfjs:PATH",
    "onnx": "onnx:PATH",
    "torch": "torch:MODULE:FACTORY",
    "torchscript": "torchscript:PATH",
    "hf": "hf:FOLDER",
    "callable": "callable:MODULE:FUNCTION",
}
"""How each is written."""
