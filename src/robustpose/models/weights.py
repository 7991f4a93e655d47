"""Weights: a safetensors file with a JSON file of facts beside it. Never pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from robustpose.errors import RobustPoseError
from robustpose.fields import wrong_field

TAG = "@"
"""Separates an architecture from the training data of its weights, if these are not rendered: 'shg2@photos'."""
_INT8 = 127
_SCALE = ".scale"
_SHOWN = 3
"""Number of tensor names in a message; the others are counted."""


@dataclass(frozen=True)
class WeightFacts:
    """The facts about a weight file.

    metric               PCKh@0.5; for other tasks accuracy or mIoU
    score, low, high, n  in percent on the validation set, with the 95% interval over n people
    validation           name of the validation set; its fingerprint is beside it; empty where not recorded
    samples              training crops, repeats included
    precision            of the forward and backward passes in training
    stored               number format of the weights in the file: float16, float32 or int8 (see `packed`)
    trained_sha256       hash of the file that training wrote, if this one was rounded again from its checkpoint
    skeleton             name of the model's skeleton
    rounding_cost        points of score lost by rounding; None where not measured
    """

    architecture: str
    size: str
    sha256: str
    data: str
    data_fingerprint: str
    recipe: dict[str, float | int | str]
    samples: int
    seconds: float
    device: str
    metric: str
    score: float
    low: float
    high: float
    n: int
    licence: str = "Apache-2.0"
    precision: str = ""
    stored: str = "float16"
    rounding_cost: float | None = None
    notes: str = ""
    validation: str = ""
    validation_fingerprint: str = ""
    trained_sha256: str = ""
    skeleton: str = "mpii_16"


def shipped_weights(name: str) -> Path:
    """Return the path of the package's weights of 'shg2' or 'shg2@photos'; the file may not exist."""
    with resources.as_file(resources.files("robustpose.models") / "weights") as folder:
        return folder / f"{name}.safetensors"


def shipped_models() -> list[str]:
    """Return the models with weights in the package: 'shg2' from rendered people, 'shg2@photos' from photos."""
    return sorted(path.stem for path in shipped_weights("any").parent.glob("*.safetensors"))


def shipped_architectures() -> list[str]:
    """Return the architectures with weights in the package that were trained on rendered people."""
    return [name for name in shipped_models() if TAG not in name]


def facts_path(weights: Path) -> Path:
    """Return the path of the facts of a weight file."""
    return weights.with_suffix(".json")


def load_facts(weights: Path) -> WeightFacts:
    """Read the facts of a weight file; RobustPoseError where they are missing or invalid."""
    path = facts_path(weights)
    try:
        facts = WeightFacts(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise RobustPoseError(f"{weights}: its facts {path.name} are missing beside it") from None
    except (OSError, ValueError, RecursionError, TypeError) as error:
        raise RobustPoseError(f"{path}: not the facts of a weight file ({error})") from None
    if wrong := wrong_field(facts):
        raise RobustPoseError(f"{path}: not the facts of a weight file ({wrong})")
    return facts


def load_weights(model: nn.Module, weights: Path, *, architecture: str = "") -> str:
    """Load weights into a model after checking them against their facts; return the sha256.

    With `architecture`, the facts must name it. RobustPoseError where the file is missing, differs from its facts,
    or does not fit the model.
    """
    held = _checked(weights, architecture=architecture)
    if complaints := misfits(held, model):
        raise RobustPoseError(f"{weights} does not fit the model: {complaints}")
    model.load_state_dict(held)
    return load_facts(weights).sha256


def misfits(state: Mapping[str, Tensor], model: nn.Module) -> str:
    """Describe the missing and unexpected tensors of a state dict, and those of another shape; '' if it fits.

    Names up to three of each kind.
    """
    expected = model.state_dict()
    wrong = {
        "missing": [name for name in expected if name not in state],
        "unexpected": sorted(name for name in state if name not in expected),
        "of another shape": [
            f"{name} {tuple(tensor.shape)} for {tuple(expected[name].shape)}"
            for name, tensor in sorted(state.items())
            if name in expected and tensor.shape != expected[name].shape
        ],
    }
    return "; ".join(f"{kind}: {_some(names)}" for kind, names in wrong.items() if names)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _checked(weights: Path, *, architecture: str = "") -> dict[str, Tensor]:
    """Read the tensors of a weight file; RobustPoseError where it is missing or differs from its facts."""
    if not weights.is_file():
        raise RobustPoseError(f"no weights at {weights}; make them with `robustpose train`")
    facts = load_facts(weights)
    if architecture and facts.architecture != architecture:
        raise RobustPoseError(f"{weights}: these are weights of {facts.architecture}, not of {architecture}")
    content = weights.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != facts.sha256:
        raise RobustPoseError(f"{weights}: sha256 is {sha256[:12]}..., its facts say {facts.sha256[:12]}...")
    try:
        held = unpacked(load(content))
    except SafetensorError as error:
        raise RobustPoseError(f"{weights} is not a safetensors file ({error})") from None
    except RobustPoseError as error:
        raise RobustPoseError(f"{weights}: {error}") from None
    if broken := [name for name, tensor in held.items() if not torch.isfinite(tensor).all()]:
        raise RobustPoseError(f"{weights}: NaN or infinity in {_some(sorted(broken))}")
    return held


def packed(state: Mapping[str, Tensor], *, stored: str) -> dict[str, Tensor]:
    """Round tensors to the number format `stored`.

    float16, float32  all floating point tensors
    int8              matrices and kernels to 255 levels, with a float32 scale per output channel under NAME.scale;
                      one-dimensional tensors (biases, batch norms) stay float32
    """
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        value = tensor.detach().cpu()
        if stored == "int8" and value.is_floating_point() and value.ndim > 1:
            rows = value.float().flatten(1)
            scale = rows.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / _INT8
            found[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(value.shape)
            found[name + _SCALE] = scale
        elif value.is_floating_point():
            found[name] = value.to(torch.float32 if stored == "int8" else getattr(torch, stored))
        else:
            found[name] = value
    return {name: tensor.contiguous() for name, tensor in found.items()}


def unpacked(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of `packed` as float32; RobustPoseError for int8 tensors without scales."""
    found: dict[str, Tensor] = {}
    for name, tensor in held.items():
        if tensor.dtype == torch.int8:
            scale = _scale_of(name, held)
            found[name] = tensor.float() * scale.reshape(-1, *[1] * (tensor.ndim - 1))
        elif not (name.endswith(_SCALE) and _is_int8(held.get(name.removesuffix(_SCALE)))):
            found[name] = tensor.float() if tensor.is_floating_point() else tensor
    return found


def _scale_of(name: str, held: Mapping[str, Tensor]) -> Tensor:
    """Return the scale of each output channel of an int8 tensor."""
    scale = held.get(name + _SCALE)
    if scale is None:
        raise RobustPoseError(f"{name} is int8 and its scale {name + _SCALE} is missing")
    channels = tuple(held[name].shape[:1])
    if tuple(scale.shape) != channels or not channels:
        raise RobustPoseError(f"{name + _SCALE} must have shape {channels}, got {tuple(scale.shape)}")
    if not scale.is_floating_point() or not (torch.isfinite(scale) & (scale >= 0)).all():
        raise RobustPoseError(f"{name + _SCALE} must hold finite numbers >= 0")
    return scale.float()


def _is_int8(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype == torch.int8


def take_fitting(model: nn.Module, weights: Path) -> list[str]:
    """Load the tensors of a weight file that match a model's by name and shape; return their names.

    RobustPoseError where the file is missing or differs from its facts, or where less than half of its weight
    tensors match.
    """
    ours = model.state_dict()
    held = _checked(weights)
    fitting = {name: held[name] for name in ours if name in held and held[name].shape == ours[name].shape}
    matrices = [name for name in fitting if ours[name].ndim > 1]
    if 2 * len(matrices) < sum(tensor.ndim > 1 for tensor in held.values()):
        raise RobustPoseError(
            f"{weights}: only {len(matrices)} of its weight tensors match the model by name and shape"
        )
    model.load_state_dict({**ours, **fitting})
    return list(fitting)


def save_weights(model: nn.Module, weights: Path, facts: WeightFacts) -> WeightFacts:
    """Write a model's weights in the format facts.stored, and the facts, atomically; return facts with sha256."""
    content = save(packed(model.state_dict(), stored=facts.stored))
    facts = WeightFacts(**{**asdict(facts), "sha256": hashlib.sha256(content).hexdigest()})
    weights.parent.mkdir(parents=True, exist_ok=True)
    _replace(weights, content)
    write_facts(weights, facts)
    return facts


def write_facts(weights: Path, facts: WeightFacts) -> None:
    """Write the facts of a weight file atomically."""
    _replace(facts_path(weights), (json.dumps(asdict(facts), indent=2) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(content)
    aside.replace(path)
