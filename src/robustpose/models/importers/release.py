"""Checkpoints of public releases: `release:NAME:FILE`, with NAME one of models.released.RELEASES.

Files are read with torch's weights_only, which runs no code, or as safetensors. A state dict may lie under
'state_dict' or 'model', beside whatever else a training run stored.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from robustpose.errors import RobustPoseError, unknown_name
from robustpose.models.importers.opening import read_file
from robustpose.models.importers.spec import ImporterSpec, OpenedModel
from robustpose.models.released import RELEASES, lattice_in, size_in
from robustpose.models.specs import ModelSpec
from robustpose.types import PoseModel

_HELD = ("state_dict", "model", "network", "net")
"""Where training code stores the state dict of a checkpoint."""


def open_release(place: str, spec: Path | ModelSpec | None = None) -> OpenedModel:
    """Open 'NAME:FILE' or 'NAME@HxW:FILE', in eval mode; it takes no spec.

    RobustPoseError for an unknown name, for a file that cannot be read without running code, and for tensors that
    are missing, unexpected or of another shape.
    """
    name, _, file = place.partition(":")
    name, at, asked = name.partition("@")
    if name not in RELEASES:
        raise unknown_name("release", name, RELEASES)
    if not file:
        raise RobustPoseError(f"release:{name}: name the checkpoint, as in release:{name}:FILE.pth")
    if spec is not None:
        raise RobustPoseError(f"release:{name}: says how its output is read itself, so it takes no spec")
    size = _size(asked) if at else size_in(Path(file).name)
    content = read_file(Path(file))
    try:
        module = RELEASES[name].make(state_dict_of(content, file=file), size, lattice_in(Path(file).name))
    except RobustPoseError as error:
        raise RobustPoseError(str(error) if str(error).startswith(file) else f"{file}: {error}") from None
    assert isinstance(module, PoseModel)
    assert isinstance(module, nn.Module)
    module.eval().requires_grad_(False)
    decided = f"{name} {module.input_size} {module.head}"
    fingerprint = hashlib.sha256(hashlib.sha256(content).digest() + decided.encode()).hexdigest()
    return OpenedModel(name=name, module=module, fingerprint=fingerprint)


def state_dict_of(content: bytes, *, file: str) -> dict[str, Tensor]:
    """Read the state dict of a checkpoint without running code; RobustPoseError where it cannot be."""
    held = _read(content, file=file)
    for key in _HELD:
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
            break
    tensors = {str(name): each for name, each in held.items() if isinstance(each, Tensor)} if _maps(held) else {}
    if not tensors:
        raise RobustPoseError(f"{file}: holds no state dict")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _maps(held: object) -> bool:
    return isinstance(held, Mapping)


def _read(content: bytes, *, file: str) -> Any:
    if file.endswith(".safetensors"):
        try:
            return load(content)
        except SafetensorError as error:
            raise RobustPoseError(f"{file}: no safetensors file ({error})") from None
    safe: list[Any] = [np.ndarray, np.dtype, *_dtypes(), *_numpy_functions()]
    try:
        with torch.serialization.safe_globals(safe), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            raise RobustPoseError(
                f"{file}: opening it needs {found[1]}, which may run code; store its state dict alone, with "
                "torch.save(checkpoint['state_dict'], PATH) where the file is trusted"
            ) from None
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RobustPoseError(f"{file}: no checkpoint of torch ({lines[0][:150]})") from None


def _dtypes() -> list[Any]:
    """Return the classes of numpy's types of numbers, which checkpoints may hold beside the tensors."""
    kinds = (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)
    return [type(np.dtype(kind)) for kind in kinds]


def _numpy_functions() -> list[tuple[Any, str]]:
    """Return what numpy's arrays are stored with, under the names of its older and newer versions."""
    core: Any = np._core.multiarray  # type: ignore[attr-defined]
    names = ("_reconstruct", "scalar")
    return [
        (getattr(core, name), f"numpy.{place}.multiarray.{name}") for name in names for place in ("core", "_core")
    ]


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if match is None or int(match[1]) % 32 or int(match[2]) % 32:
        raise RobustPoseError(f"release: the input size must be written as 256x192, multiples of 32, got {text!r}")
    return int(match[1]), int(match[2])


RELEASE = ImporterSpec(
    open=open_release,
    place="release:NAME:PATH",
    suffixes=(".pth", ".ckpt"),
    summary="Checkpoint of a public release: HRNet, simple baselines, RTMPose, hourglasses",
)
