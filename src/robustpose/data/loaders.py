"""People from a DataLoader, a Dataset or any other iterable of images, keypoints and visibility."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from robustpose.data.batches import BatchPeople
from robustpose.errors import RobustPoseError
from robustpose.given import tensor_of
from robustpose.skeletons import Skeleton
from robustpose.types import Batch

_NAMES = {
    "images": ("images", "image"),
    "keypoints": ("keypoints",),
    "visible": ("visible", "visibility"),
    "boxes": ("boxes", "box"),
    "head_size": ("head_size",),
}
"""The arguments of Batch.from_tensors, and the keys under which dictionaries may have them."""


def read_people(
    loader: Iterable[Any], *, skeleton: Skeleton | str | None = None, most: int | None = None, name: str = "loader"
) -> BatchPeople:
    """Read people from batches (images, keypoints, visible), or dictionaries with these keys, until `most`.

    A batch's further members are ignored; samples without the dimension N are batches of one. See
    Batch.from_tensors for shapes. RobustPoseError names the batch that cannot be used.
    """
    gathered: dict[str, list[Tensor]] = {}
    people = 0
    for number, item in enumerate(loader):
        try:
            parts = _parts(item)
        except RobustPoseError as error:
            raise RobustPoseError(f"batch {number} of {name}: {error}") from None
        for key, value in parts.items():
            gathered.setdefault(key, []).append(value)
        people += len(parts["images"])
        if most is not None and people >= most:
            break
    if not people:
        raise RobustPoseError(f"{name} holds no people")
    try:
        joined: dict[str, Any] = {
            key: _joined(key, values, of=len(gathered["images"])) for key, values in gathered.items()
        }
        batch = Batch.from_tensors(**joined, skeleton=skeleton)
    except RobustPoseError as error:
        raise RobustPoseError(f"{name}: {error}") from None
    return BatchPeople(batch if most is None else batch.take(range(min(most, people))), name=name)


def _parts(item: Any) -> dict[str, Tensor]:
    """Return the arguments of Batch.from_tensors that a batch holds, as tensors with the dimension N."""
    if isinstance(item, Mapping):
        found = {key: item[each] for key, names in _NAMES.items() for each in names if each in item}
        if not {"images", "keypoints"} <= found.keys():
            raise RobustPoseError(f"expected the keys images and keypoints, got {', '.join(map(str, item))}")
    elif isinstance(item, list | tuple) and len(item) >= 2:
        found = dict(zip(_NAMES, item[:3], strict=False))
    else:
        raise RobustPoseError(f"expected (images, keypoints, visible), got {type(item).__name__}")
    tensors = {key: tensor_of(value, key).cpu() for key, value in found.items()}
    if tensors["images"].ndim == 3:
        tensors = {key: tensor[None] for key, tensor in tensors.items()}
    return tensors


def _joined(key: str, values: list[Tensor], *, of: int) -> Tensor:
    shapes = {tuple(value.shape[1:]) for value in values}
    if len(values) != of or len(shapes) > 1:
        raise RobustPoseError(f"{key} must be in every batch, with the same shape, got {sorted(shapes)}")
    return torch.cat(values)
