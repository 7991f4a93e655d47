"""The results of jobs and their file format: metadata as JSON, and named arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.metrics import Table
from robustpose.skeletons import SKELETONS, Skeleton

Arrays = dict[str, NDArray[Any]]
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_TABLE_ARRAYS = ("predicted", "keypoints", "visible", "head_size", "box_side")
_MORE_ARRAYS = ("target", "target_visible", "score", "area", "crops", "photo")
_SIGNAL = "signal_"


class Stored(Protocol):
    """A result that can be stored in a file."""

    def to_arrays(self) -> tuple[dict[str, object], Arrays]:
        """Return metadata for JSON, and arrays."""
        ...

    def __len__(self) -> int:
        """Number of people."""
        ...

    @classmethod
    def from_arrays(cls, about: dict[str, Any], arrays: Arrays) -> Self:
        """Restore a result; KeyError or ValueError if something is missing."""
        ...


@dataclass(frozen=True)
class Pictures:
    """The input images of a cell.

    clean, adversarial  (M, H, W, 3) uint8, the crops of the block's first M people
    """

    clean: Pixels
    adversarial: Pixels

    @classmethod
    def none(cls) -> "Pictures":
        """No pictures."""
        return cls(clean=np.zeros((0, 1, 1, 3), np.uint8), adversarial=np.zeros((0, 1, 1, 3), np.uint8))


@dataclass(frozen=True)
class CellResult:
    """The predictions of a model.

    table       predictions and ground truth
    signals     (N, K) each, further outputs of the model: 'score' and, for heatmaps, 'divergence'
                (jobs/signals.py); for spatial attacks also the motion of each person
    forwards    forward passes of one image that the attack used
    backwards   gradients of one image that the attack used
    unreadable  one line for each person whose photo could not be read
    """

    table: Table
    signals: Mapping[str, Floats] = field(default_factory=dict)
    forwards: int = 0
    backwards: int = 0
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def to_arrays(self) -> tuple[dict[str, object], Arrays]:
        """Return metadata for JSON, and arrays."""
        table = self.table
        arrays: Arrays = {name: getattr(table, name) for name in _TABLE_ARRAYS}
        more = {name: getattr(table, name) for name in _MORE_ARRAYS}
        arrays |= {name: values for name, values in more.items() if values is not None}
        arrays |= {_SIGNAL + name: np.asarray(values, np.float32) for name, values in self.signals.items()}
        about: dict[str, object] = {
            "ids": table.ids,
            "skeleton": {"name": table.skeleton.name, "keypoints": table.skeleton.keypoints},
            "uncounted": table.skeleton.uncounted,
            "forwards": self.forwards,
            "backwards": self.backwards,
            "unreadable": self.unreadable,
        }
        return about, arrays

    @classmethod
    def from_arrays(cls, about: dict[str, Any], arrays: Arrays) -> "CellResult":
        """Restore a result."""
        known: dict[str, Any] = {name: arrays[name] for name in _TABLE_ARRAYS}
        known |= {name: arrays.get(name) for name in _MORE_ARRAYS}
        table = Table(
            ids=tuple(about["ids"]),
            skeleton=skeleton_of(about),
            **known,
        )
        return cls(
            table=table,
            signals={
                name.removeprefix(_SIGNAL): values.astype(np.float64)
                for name, values in arrays.items()
                if name.startswith(_SIGNAL)
            },
            forwards=about["forwards"],
            backwards=about["backwards"],
            unreadable=tuple(about["unreadable"]),
        )


def as_uint8(images: Tensor) -> Pixels:
    """Convert images (N, 3, H, W) in [0, 1] to uint8 pixels (N, H, W, 3)."""
    pixels: Pixels = (images.detach().cpu().permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return pixels


def skeleton_of(about: Mapping[str, Any]) -> Skeleton:
    """Return the skeleton of stored predictions; KeyError if the result holds no poses."""
    name, keypoints = about["skeleton"]["name"], tuple(about["skeleton"]["keypoints"])
    skeleton = SKELETONS.get(name)
    if skeleton is None or skeleton.keypoints != keypoints:
        return Skeleton(name=name, keypoints=keypoints, limbs=(), uncounted=tuple(about["uncounted"]))
    return skeleton
