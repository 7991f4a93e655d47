"""ImporterSpec: how an importer opens a model of another format, and the options of its model specs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from robustpose.models.content import content_of
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.specs import ModelSpec
from robustpose.types import PoseModel, versioned


@dataclass(frozen=True)
class OpenedModel:
    """A model ready to be attacked, with what identifies it in results.

    fingerprint  a hash of the weights (and of the spec, for an imported model)
    content      models.content.content_of the module when it was opened; empty where nobody will change it
    """

    name: str
    module: PoseModel
    fingerprint: str
    content: str = field(default="", compare=False, repr=False)

    def current(self) -> "OpenedModel":
        """Return the model with the fingerprint of its present weights: itself unless they changed since."""
        now = content_of(self.module) if self.content else ""
        if now == self.content:
            return self
        changed = hashlib.sha256((self.fingerprint + now).encode()).hexdigest()
        return replace(self, fingerprint=changed, content=now)


GivenSpec = Path | ModelSpec | None
"""A model spec as a file or already read; None where none was given."""


@dataclass(frozen=True)
class ImporterSpec:
    """An importer.

    open        opens a model: takes what follows the first colon of its name, and a model spec
    place       how such a model is named, such as "onnx:PATH"
    summary     one line that says what it opens
    version     raised when its models compute something else; part of the keys of stored results
    layout      of the input and the heatmaps, unless the model spec says otherwise
    one_output  whether a model usually returns one tensor, so that the model spec need not name it
    one_file    whether a model is one file, whose sha256 the model spec may give
    scales      whether the model spec may give scale, mean and std; otherwise the model takes 8-bit images
    runs_code   whether opening a model runs code that comes with it
    suffixes    of its files, for messages about a file that is named without its format
    """

    open: Callable[[str, GivenSpec], OpenedModel]
    place: str
    summary: str
    version: int = 1
    layout: Literal["NHWC", "NCHW"] = "NCHW"
    one_output: bool = False
    one_file: bool = True
    scales: bool = True
    runs_code: bool = False
    suffixes: tuple[str, ...] = ()

    def open_model(self, path: str, spec: GivenSpec = None) -> OpenedModel:
        """Open a model, with the importer's version in its fingerprint; RobustPoseError where it cannot be."""
        model = self.open(path, spec)
        return replace(model, fingerprint=versioned(model.fingerprint, self.version))


def file_opener(load: Callable[[Path, GivenSpec], ImportedPose]) -> Callable[[str, GivenSpec], OpenedModel]:
    """Turn a function that loads a file into one that opens a model by its path."""

    def open_file(path: str, spec: GivenSpec) -> OpenedModel:
        model = load(Path(path), spec)
        return OpenedModel(name=model.name, module=model, fingerprint=model.fingerprint)

    return open_file
