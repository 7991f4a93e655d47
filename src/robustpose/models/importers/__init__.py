"""IMPORTERS: models of other formats as differentiable modules. A new one is one file and one line here."""

from robustpose.models.importers.hf import HF
from robustpose.models.importers.onnx import ONNX
from robustpose.models.importers.python import CALLABLE, TORCH
from robustpose.models.importers.release import RELEASE
from robustpose.models.importers.spec import ImporterSpec
from robustpose.models.importers.tfjs import TFJS
from robustpose.models.importers.tflite import TFLITE
from robustpose.models.importers.torchscript import TORCHSCRIPT

IMPORTERS: dict[str, ImporterSpec] = {
    "tflite": TFLITE,
    "tfjs": TFJS,
    "onnx": ONNX,
    "torch": TORCH,
    "torchscript": TORCHSCRIPT,
    "hf": HF,
    "release": RELEASE,
    "callable": CALLABLE,
}
"""Importers by the word before the first colon of a model's name."""
