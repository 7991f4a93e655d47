"""Models in float64 or half precision: they take and return float32, and attacks search in float32.

A model's weights decide the precision of its layers. `Adapted` converts what goes in and what comes out.
`in_float32` copies a model for the search of an attack, because the gradients of half precision vanish or overflow
where the loss is small or large. The model itself, in its own precision, scores the result.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robustpose.skeletons import Skeleton
from robustpose.types import Head, PoseModel, PoseOutput


def precision_of(model: object) -> torch.dtype:
    """Return the type of a model's first floating-point weight; float32 for a model without any."""
    if isinstance(model, nn.Module):
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                return tensor.dtype
    return torch.float32


def tolerance_of(model: object, least: float) -> float:
    """Return how far two passes of the same images may differ, relative to the largest output: a few roundings."""
    return max(least, 8 * torch.finfo(precision_of(model)).eps)


class Adapted(nn.Module):
    """A module of any precision that takes float32 and returns float32; its weights stay as they are."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        """Run the module; tensors in tuples, dictionaries and dataclasses are converted too."""
        return in_type(self.model(x.to(precision_of(self.model))), torch.float32)


class AdaptedPose(Adapted):
    """A PoseModel of any precision, adapted; see Adapted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        assert isinstance(model, PoseModel)
        if hasattr(model, "padding"):
            self.padding = model.padding
        self.differentiable = getattr(model, "differentiable", True)

    @property
    def skeleton(self) -> Skeleton:
        """The model's."""
        return self.model.skeleton  # type: ignore[return-value]

    @property
    def input_size(self) -> tuple[int, int]:
        """The model's."""
        return self.model.input_size  # type: ignore[return-value]

    @property
    def head(self) -> Head:
        """The model's."""
        return self.model.head  # type: ignore[return-value]

    def forward(self, images: Tensor) -> PoseOutput:
        """Predict keypoints in images (N, 3, H, W)."""
        output: PoseOutput = super().forward(images)
        return output


def adapted(model: nn.Module) -> nn.Module:
    """Return a model that takes and returns float32: itself, or an adapted one that shares its weights."""
    if precision_of(model) == torch.float32:
        return model
    return AdaptedPose(model) if isinstance(model, PoseModel) else Adapted(model)


def in_float32(model: PoseModel) -> PoseModel:
    """Return a model to search: itself in float32, otherwise a copy; itself where it cannot be copied."""
    if not isinstance(model, nn.Module) or precision_of(model) == torch.float32:
        return model
    try:
        return deepcopy(model).float()
    except (RuntimeError, TypeError, AttributeError, NotImplementedError):
        return model  # a user's model may not support copying


def in_type(value: Any, dtype: torch.dtype) -> Any:
    """Convert the floating-point tensors of what a module returned; containers keep their type."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(in_type(each, dtype) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(in_type(each, dtype) for each in value)
    if isinstance(value, Mapping):
        return {key: in_type(each, dtype) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{each.name: in_type(getattr(value, each.name), dtype) for each in fields(value)})
    return value
