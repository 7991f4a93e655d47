"""The results of jobs and their file format: metadata as JSON, and named arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustpose.fields import whole_number
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

    @classmethod
    def from_arrays(cls, arrays: Arrays, *, most: int) -> "Pictures":
        """Restore the images of at most so many people; KeyError or ValueError if they are none."""
        clean, adversarial = arrays["clean"], arrays["adversarial"]
        for images in (clean, adversarial):
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(images) > most:
                raise ValueError(f"images of shape {images.shape} and type {images.dtype}")
        if len(adversarial) and adversarial.shape != clean.shape:
            raise ValueError(f"{clean.shape} clean and {adversarial.shape} adversarial images")
        return cls(clean=clean, adversarial=adversarial)


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

    @property
    def asked(self) -> int:
        """Number of people that were to be predicted, those without a readable photo included."""
        return len(self) + len(self.unreadable)

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
        """Restore a result; KeyError, TypeError or ValueError if it is not one."""
        skeleton, ids = skeleton_of(about), ids_of(about)
        known = _table_arrays(arrays, n=len(ids), k=len(skeleton))
        table = Table(ids=ids, skeleton=skeleton, **known)
        return cls(
            table=table,
            signals={
                name.removeprefix(_SIGNAL): values.astype(np.float64)
                for name, values in arrays.items()
                if name.startswith(_SIGNAL)
            },
            forwards=count_of(about, "forwards"),
            backwards=count_of(about, "backwards"),
            unreadable=texts_of(about["unreadable"], "unreadable"),
        )


def ids_of(about: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of a stored result's people; ValueError if they are no texts, or one is there twice."""
    ids = texts_of(about["ids"], "ids")
    if len({*ids}) < len(ids):
        raise ValueError("a person is there twice")
    return ids


def count_of(about: Mapping[str, Any], name: str) -> int:
    """Return a number of passes; ValueError if it is not a whole number of at least 0."""
    value = about[name]
    if not whole_number(value) or value < 0:
        raise ValueError(f"{name} is {value!r:.60}")
    return value


def texts_of(value: object, name: str) -> tuple[str, ...]:
    """Return a list of texts; ValueError if it is none."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name} is no list of texts")
    return tuple(value)


def check_array(array: NDArray[Any], name: str, *, shape: tuple[int, ...], kinds: str) -> None:
    """ValueError where an array has another shape (-1: any length) or another kind of numbers."""
    fits = array.ndim == len(shape) and all(s in (-1, d) for s, d in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in kinds:
        raise ValueError(f"{name} has shape {array.shape} and type {array.dtype}, expected {shape}")


def _table_arrays(arrays: Arrays, *, n: int, k: int) -> dict[str, Any]:
    """Return the arrays of a table of n people and k keypoints; KeyError or ValueError if they are not its."""
    shapes: dict[str, tuple[tuple[int, ...], str]] = {
        "predicted": ((n, k, 2), "f"),
        "keypoints": ((n, k, 2), "f"),
        "visible": ((n, k), "b"),
        "head_size": ((n,), "f"),
        "box_side": ((n,), "f"),
        "target": ((n, k, 2), "f"),
        "target_visible": ((n, k), "b"),
        "score": ((n,), "f"),
        "area": ((n,), "f"),
        "crops": ((n, 2, 3), "f"),
        "photo": ((n,), "U"),
    }
    known: dict[str, Any] = {name: arrays[name] for name in _TABLE_ARRAYS}
    known |= {name: arrays.get(name) for name in _MORE_ARRAYS}
    for name, (shape, kinds) in shapes.items():
        if known[name] is not None:
            check_array(known[name], name, shape=shape, kinds=kinds)
    for name, values in arrays.items():
        if name.startswith(_SIGNAL):
            check_array(values, name, shape=(n, -1), kinds="f")
        elif name not in known:
            raise ValueError(f"it holds an array {name[:40]!r}, which no result has")
    if (known["target"] is None) != (known["target_visible"] is None):
        raise ValueError("it holds a target without its visibility, or the other way round")
    if not np.isfinite(known["predicted"]).all():
        raise ValueError("its predictions are not all finite")
    if not np.isfinite(known["keypoints"][known["visible"]]).all():
        raise ValueError("its true keypoints are not all finite")
    return known


def as_uint8(images: Tensor) -> Pixels:
    """Convert images (N, 3, H, W) in [0, 1] to uint8 pixels (N, H, W, 3)."""
    pixels: Pixels = (images.detach().cpu().permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return pixels


def skeleton_of(about: Mapping[str, Any]) -> Skeleton:
    """Return the skeleton of stored predictions; KeyError if the result holds no poses."""
    name, keypoints = about["skeleton"]["name"], texts_of(about["skeleton"]["keypoints"], "keypoints")
    if not isinstance(name, str):
        raise ValueError("its skeleton has no name")
    skeleton = SKELETONS.get(name)
    if skeleton is None or skeleton.keypoints != keypoints:
        return Skeleton(
            name=name, keypoints=keypoints, limbs=(), uncounted=texts_of(about["uncounted"], "uncounted")
        )
    return skeleton
