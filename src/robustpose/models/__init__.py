"""Models by name: the project's own (MODELS, TASKS), imported files (IMPORTERS) and public packages (PULLS)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from robustpose.errors import RobustPoseError, refuse_url, unknown_name
from robustpose.models.architectures import MODELS as MODELS
from robustpose.models.architectures import SIZES as SIZES
from robustpose.models.architectures import TASKS as TASKS
from robustpose.models.architectures import Architecture as Architecture
from robustpose.models.architectures import build as build
from robustpose.models.architectures.tasks import VERSION as TASK_VERSION
from robustpose.models.importers import IMPORTERS
from robustpose.models.importers.spec import OpenedModel as OpenedModel
from robustpose.models.pulled import PULLS, pulled_path
from robustpose.models.specs import ModelSpec
from robustpose.models.weights import (
    TAG,
    load_facts,
    load_weights,
    shipped_architectures,
    shipped_models,
    shipped_weights,
)
from robustpose.skeletons import SKELETONS
from robustpose.types import PoseModel, versioned


def model_specs() -> list[str]:
    """Return the ways to name a model: names, and patterns such as tfjs:PATH."""
    tagged = [name for name in shipped_models() if TAG in name]
    return [*MODELS, *tagged, *PULLS, *_places()]


@dataclass(frozen=True)
class OpenedTask:
    """A model of another task, ready to be attacked: see TASKS."""

    name: str
    module: nn.Module
    fingerprint: str


def open_model(name: str, *, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Open a model by name: 'shg2', 'shg2:PATH.safetensors' (own weights), one of PULLS, or 'tfjs:PATH'.

    'shg2@photos' has the package's weights that were trained on photographs. `spec` is the model spec of an
    imported model whose file is not a known one. Returns the model in eval mode; RobustPoseError where it cannot
    be opened.
    """
    refuse_url("model", name)
    kind, _, path = name.partition(":")
    if kind in IMPORTERS:
        if not path:
            raise RobustPoseError(f"{kind} needs a model to open: {IMPORTERS[kind].place}")
        return IMPORTERS[kind].open_model(path, spec)
    if spec is not None:
        raise RobustPoseError(f"a model spec describes an imported model ({', '.join(_places())}), not {kind!r}")
    if name in PULLS:
        importer, file = pulled_path(name)
        return IMPORTERS[importer].open_model(str(file))
    if kind.partition(TAG)[0] not in MODELS or (TAG in kind and kind not in shipped_models()):
        raise _a_file(name) or unknown_name("model", kind, model_specs())
    if TAG in kind and path:
        raise RobustPoseError(
            f"{kind} means weights of the package; for the weights at {path} write {kind.partition(TAG)[0]}:{path}"
        )
    name, model, fingerprint = _with_weights(kind, path)
    assert isinstance(model, PoseModel)
    return OpenedModel(name=name, module=model, fingerprint=fingerprint)


def _a_file(name: str) -> RobustPoseError | None:
    """Return the error for a file without its format, with how to name it; None for another name."""
    suffix = Path(name).suffix.lower()
    places = [importer.place for importer in IMPORTERS.values() if suffix in importer.suffixes]
    if suffix == ".safetensors":
        places = ["MODEL:PATH"]
    if not places:
        return None
    written = " or ".join(place.replace("PATH", name).replace("MODULE", name) for place in places)
    return RobustPoseError(f"model {name!r} is a file; did you mean {written}?")


def takes_spec(spec: str) -> bool:
    """Say whether a model is an imported one, which a model spec describes."""
    return spec.partition(":")[0] in IMPORTERS


def is_model(spec: str) -> bool:
    """Say whether a model's name starts with one that can be opened."""
    kind = spec.partition(":")[0]
    return kind in IMPORTERS or spec in PULLS or kind.partition(TAG)[0] in MODELS


def open_task(spec: str) -> OpenedTask:
    """Open a model of another task by name: 'action' or 'parts:PATH.safetensors' (own weights), in eval mode.

    RobustPoseError where it cannot be opened.
    """
    kind, _, path = spec.partition(":")
    if kind not in TASKS:
        raise unknown_name("task", kind, TASKS)
    name, model, fingerprint = _with_weights(kind, path)
    return OpenedTask(name=name, module=model, fingerprint=fingerprint)


def build_for(architecture: str, weights: Path) -> nn.Module:
    """Make an untrained model with the size and skeleton in the facts of a weight file."""
    if not weights.is_file():  # loading it will raise
        return build(architecture)
    facts = load_facts(weights)
    if facts.skeleton not in SKELETONS:
        raise unknown_name("skeleton", facts.skeleton, SKELETONS)
    return build(architecture, size=facts.size, skeleton=SKELETONS[facts.skeleton])


def _places() -> list[str]:
    return [importer.place for importer in IMPORTERS.values()]


def _with_weights(kind: str, path: str) -> tuple[str, nn.Module, str]:
    """Build a model with the package's weights or those at `path`; return its name, itself and its fingerprint."""
    architecture = kind.partition(TAG)[0]
    weights = Path(path) if path else shipped_weights(kind)
    if not path and not weights.is_file():
        raise RobustPoseError(
            f"{architecture} has no weights in the package "
            f"(available: {', '.join(shipped_architectures())}); "
            f"train it with `robustpose train {architecture}` and open {architecture}:PATH.safetensors"
        )
    model = build_for(architecture, weights)
    fingerprint = load_weights(model, weights, architecture=architecture)
    version = MODELS[architecture].version if architecture in MODELS else TASK_VERSION
    model.eval().requires_grad_(False)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 25% faster on a CPU
    return (f"{architecture}:{weights.stem}" if path else kind), model, versioned(fingerprint, version)
