"""A loss of the user's own as the loss that an attack raises."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.api.opening import AnyModel, AnySpec, plain
from robustpose.attack_types import Loss
from robustpose.errors import RobustPoseError
from robustpose.given import device_of, tensor_of
from robustpose.models import OpenedModel
from robustpose.models.keys import POSITIVE, colour, positive_colour
from robustpose.models.precision import adapted, precision_of

_INPUT = {"mean": colour, "std": positive_colour, "scale": POSITIVE[1], "channels": None}
"""Keys of a spec that say what a module takes."""


def loss_of(
    model: AnyModel,
    loss: Callable[..., Tensor],
    images: Tensor,
    targets: tuple[object, object],
    *,
    targeted: bool,
    spec: AnySpec,
) -> tuple[nn.Module, Loss]:
    """Return the module to attack, and the loss to raise: `loss` of its output and of the targets' rows.

    A module in half precision is copied to float32. RobustPoseError for targets without a row per image.
    """
    if isinstance(model, OpenedModel):
        model = model.module
    if not isinstance(model, nn.Module):
        raise RobustPoseError(f"loss needs a model that is an nn.Module, got {type(model).__name__}")
    module = plain(model)
    if precision_of(module) in (torch.float16, torch.bfloat16):
        module = deepcopy(module).float()
    device = device_of(module)
    rows_of = [
        _rows(name, value, images).to(device)
        for name, value in zip(("keypoints", "visible"), targets, strict=True)
        if value is not None
    ]
    network, prepare = adapted(module), _prepare(spec, device)
    sign = -1.0 if targeted else 1.0

    def raised(adv: Tensor, rows: Tensor) -> Tensor:
        output = network(prepare(adv))
        return sign * each_image(loss, output, [values[rows] for values in rows_of], count=len(rows))

    return module, raised


def each_image(loss: Callable[..., Tensor], output: Any, targets: list[Tensor], *, count: int) -> Tensor:
    """Return a loss per image (N,): the mean over further dimensions; a loss of one number is called per image."""
    value = loss(output, *targets)
    if not isinstance(value, Tensor):
        raise RobustPoseError(f"loss must return a tensor, got {type(value).__name__}")
    if value.ndim == 0:
        alone = [loss(_row(output, row), *(values[row : row + 1] for values in targets)) for row in range(count)]
        return torch.stack(alone)
    if len(value) != count:
        raise RobustPoseError(
            f"loss must return one number, or one per image ({count}), got shape {tuple(value.shape)}"
        )
    return value.reshape(count, -1).mean(dim=1)


def _row(output: Any, row: int) -> Any:
    """Return the output of one image, of tensors in any containers."""
    if isinstance(output, Tensor):
        return output[row : row + 1] if output.ndim else output
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(_row(each, row) for each in output))
    if isinstance(output, list | tuple):
        return type(output)(_row(each, row) for each in output)
    if isinstance(output, Mapping):
        return {key: _row(each, row) for key, each in output.items()}
    return output


def _rows(name: str, value: object, images: Tensor) -> Tensor:
    tensor = tensor_of(value, name)
    if not tensor.ndim or len(tensor) != len(images):
        raise RobustPoseError(
            f"{name} must have a row for each of the {len(images)} images, got shape {tuple(tensor.shape)}"
        )
    return tensor.to(torch.float32, copy=True) if tensor.is_floating_point() else tensor.clone()


def _prepare(spec: AnySpec, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return what turns images in [0, 1] into the module's input, from mean, std, scale and channels."""
    if spec is None:
        return lambda images: images
    if not isinstance(spec, Mapping) or not spec.keys() <= _INPUT.keys():
        given = ", ".join(map(str, spec)) if isinstance(spec, Mapping) else type(spec).__name__
        raise RobustPoseError(f"beside loss, spec may be a dictionary with {', '.join(_INPUT)}, got {given}")
    numbers: dict[str, Any] = {"mean": 0.0, "std": 1.0, "scale": 1.0, **spec}
    for key, check in _INPUT.items():
        value = numbers.get(key)
        if check is not None:
            numbers[key] = check(list(value) if isinstance(value, tuple) else value)
            if numbers[key] is None:
                raise RobustPoseError(
                    f"spec: {key} must be a number, or three for red, green and blue, got {value!r}"
                )
    if numbers.get("channels", "RGB") not in ("RGB", "BGR"):
        raise RobustPoseError(f"spec: channels must be 'RGB' or 'BGR', got {numbers['channels']!r}")
    mean, std = (torch.tensor(numbers[key], device=device)[:, None, None] for key in ("mean", "std"))
    reverse = numbers.get("channels") == "BGR"

    def prepare(images: Tensor) -> Tensor:
        scaled: Tensor = (images - mean) / std * numbers["scale"]
        return scaled.flip(1) if reverse else scaled

    return prepare
