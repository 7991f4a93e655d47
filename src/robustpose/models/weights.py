"""Weights as data: a safetensors file and, beside it, a row of facts with its sha256. Never pickle."""

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
"""Between an architecture and what its weights learned from, where these are no rendered people: 'shg2@photos'."""
_INT8 = 127
_SCALE = ".scale"
_SHOWN = 3
"""Names of tensors in a message; the others are counted."""


@dataclass(frozen=True)
class WeightFacts:
    """What is known of a weight file.

    metric              PCKh@0.5; of other tasks accuracy or mIoU
    score, low, high, n  in percent on the validation set, with its 95% interval over n people
    validation          the data set that it was scored on, and its fingerprint; empty where nobody wrote it down
    samples             crops seen in training, repeats counted
    precision           of the forward and backward passes in training
    stored              what the weights are rounded to in the file: float16, float32 or int8 (see `packed`)
    trained_sha256      of the file that the training wrote, where this one was rounded anew from its checkpoint
    skeleton            of the keypoints that it finds, by name
    rounding_cost       points of the score that this rounding costs; None where it was not measured
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
    """Return where the package keeps the weights of 'shg2' or 'shg2@photos'; the file may not exist."""
    with resources.as_file(resources.files("robustpose.models") / "weights") as folder:
        return folder / f"{name}.safetensors"


def shipped_models() -> list[str]:
    """Return the models that have weights in the package: 'shg2' of rendered people, 'shg2@photos' of photos."""
    return sorted(path.stem for path in shipped_weights("any").parent.glob("*.safetensors"))


def shipped_architectures() -> list[str]:
    """Return the architectures that have weights of rendered people in the package."""
    return [name for name in shipped_models() if TAG not in name]


def facts_path(weights: Path) -> Path:
    """Return where the row of facts of a weight file lies."""
    return weights.with_suffix(".json")


def load_facts(weights: Path) -> WeightFacts:
    """Read the row of facts beside a weight file; RobustPoseError where it is missing or wrong."""
    path = facts_path(weights)
    try:
        facts = WeightFacts(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise RobustPoseError(f"{weights}: its row of facts {path.name} is missing beside it") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError) as error:
        raise RobustPoseError(f"{path}: not a row of facts ({error})") from None
    if wrong := wrong_field(facts):
        raise RobustPoseError(f"{path}: not a row of facts ({wrong})")
    return facts


def load_weights(model: nn.Module, weights: Path, *, architecture: str = "") -> str:
    """Load weights into a model after checking them against the row of facts; return the sha256.

    architecture, where it is given, is what the facts must say that the weights are of.
    RobustPoseError where the file is missing, differs from its facts, or does not fit the model.
    """
    held = _checked(weights, architecture=architecture)
    if complaints := misfits(held, model):
        raise RobustPoseError(f"{weights} does not fit the model: {complaints}")
    model.load_state_dict(held)
    return load_facts(weights).sha256


def misfits(state: Mapping[str, Tensor], model: nn.Module) -> str:
    """Say which tensors of a state a model lacks, which it has no place for, and which have another shape.

    Three of each kind by name; empty where the state fits.
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
    """Read the tensors of a weight file; RobustPoseError where it is missing or not what its facts say."""
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
        raise RobustPoseError(f"{weights} is no safetensors file ({error})") from None
    except RobustPoseError as error:
        raise RobustPoseError(f"{weights}: {error}") from None
    if broken := [name for name, tensor in held.items() if not torch.isfinite(tensor).all()]:
        raise RobustPoseError(f"{weights}: NaN or infinity in {_some(sorted(broken))}")
    return held


def packed(state: Mapping[str, Tensor], *, stored: str) -> dict[str, Tensor]:
    """Round tensors as `stored` says.

    float16, float32  every floating tensor
    int8              matrices and kernels to 255 levels, each output channel with a float32 scale of its own under
                      NAME.scale; what has one dimension (biases, batch norms) stays float32
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
    """Return what `packed` packed, as float32; RobustPoseError for 8 bits without the scales they need."""
    found: dict[str, Tensor] = {}
    for name, tensor in held.items():
        if tensor.dtype == torch.int8:
            scale = _scale_of(name, held)
            found[name] = tensor.float() * scale.reshape(-1, *[1] * (tensor.ndim - 1))
        elif not (name.endswith(_SCALE) and _is_int8(held.get(name.removesuffix(_SCALE)))):
            found[name] = tensor.float() if tensor.is_floating_point() else tensor
    return found


def _scale_of(name: str, held: Mapping[str, Tensor]) -> Tensor:
    """Return the scale of each output channel of a tensor in 8 bits."""
    scale = held.get(name + _SCALE)
    if scale is None:
        raise RobustPoseError(f"{name} is in 8 bits and its scale {name + _SCALE} is missing")
    channels = tuple(held[name].shape[:1])
    if tuple(scale.shape) != channels or not channels:
        raise RobustPoseError(f"{name + _SCALE} must have shape {channels}, got {tuple(scale.shape)}")
    if not scale.is_floating_point() or not (torch.isfinite(scale) & (scale >= 0)).all():
        raise RobustPoseError(f"{name + _SCALE} must hold finite numbers >= 0")
    return scale.float()


def _is_int8(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype == torch.int8


def take_fitting(model: nn.Module, weights: Path) -> list[str]:
    """Load the tensors of a weight file that a model has by name and shape; return their names.

    The file is checked against its row of facts. RobustPoseError where it is missing or differs, or where less
    than half of its weight tensors fit.
    """
    ours = model.state_dict()
    held = _checked(weights)
    fitting = {name: held[name] for name in ours if name in held and held[name].shape == ours[name].shape}
    matrices = [name for name in fitting if ours[name].ndim > 1]
    if 2 * len(matrices) < sum(tensor.ndim > 1 for tensor in held.values()):
        raise RobustPoseError(
            f"{weights}: only {len(matrices)} of its weight tensors fit the model by name and shape: no start"
        )
    model.load_state_dict({**ours, **fitting})
    return list(fitting)


def save_weights(model: nn.Module, weights: Path, facts: WeightFacts) -> WeightFacts:
    """Write a model's weights as facts.stored says and the facts, each in one act; return the facts hashed."""
    content = save(packed(model.state_dict(), stored=facts.stored))
    facts = WeightFacts(**{**asdict(facts), "sha256": hashlib.sha256(content).hexdigest()})
    weights.parent.mkdir(parents=True, exist_ok=True)
    _replace(weights, content)
    write_facts(weights, facts)
    return facts


def write_facts(weights: Path, facts: WeightFacts) -> None:
    """Write the row of facts of a weight file, in one act."""
    _replace(facts_path(weights), (json.dumps(asdict(facts), indent=2) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(content)
    aside.replace(path)
