"""What torch modules return, read by the names that a spec gives its stages."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from robustpose.errors import RobustPoseError, unknown_name

ONLY = "output"


class StagesOf(nn.Module):
    """A module that returns a tensor, several, or a record of them, as the tuple of a spec's stages.

    A tensor alone is called "output"; of a list or tuple the members are "0", "1", ... and "output" is the last;
    of a dictionary or a dataclass they have their keys, and "output" is the only tensor.
    """

    def __init__(self, model: nn.Module, stages: tuple[str, ...], *, where: str) -> None:
        super().__init__()
        self.model, self.stages, self.where = model, stages, where

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run the module; RobustPoseError where a stage is not among what it returns."""
        named = named_outputs(self.model(x))
        if not named:
            raise RobustPoseError(f"{self.where}: returns no tensor")
        for stage in self.stages:
            if stage not in named:
                raise RobustPoseError(f"{self.where}: {unknown_name('stage', stage, named)}")
        return tuple(named[stage] for stage in self.stages)


def named_outputs(returned: Any) -> dict[str, Tensor]:
    """Return the tensors of what a module returned, by name; see StagesOf."""
    if isinstance(returned, Tensor):
        return {ONLY: returned}
    if isinstance(returned, Mapping):
        found = {str(key): value for key, value in returned.items() if isinstance(value, Tensor)}
        return found | ({ONLY: next(iter(found.values()))} if len(found) == 1 else {})
    if is_dataclass(returned):
        return named_outputs({field.name: getattr(returned, field.name) for field in fields(returned)})
    if isinstance(returned, list | tuple):
        found = {str(place): value for place, value in enumerate(returned) if isinstance(value, Tensor)}
        return found | ({ONLY: list(found.values())[-1]} if found else {})
    return {}
