"""Opens what users give: models by name, path, module or function; people by name, path, Batch or DataLoader."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import Dataset

from robustpose.api.completing import complete_spec
from robustpose.data import open_dataset
from robustpose.data.batches import BatchPeople
from robustpose.data.loaders import read_people
from robustpose.defences import open_defended
from robustpose.errors import RobustPoseError
from robustpose.models import OpenedModel
from robustpose.models.content import content_of
from robustpose.models.importers import IMPORTERS
from robustpose.models.importers.python import opened_callable, opened_module
from robustpose.models.specs import ModelSpec, make_spec
from robustpose.skeletons import Skeleton
from robustpose.types import Batch, PoseDataset

AnyModel = str | Path | OpenedModel | nn.Module | Callable[..., Any]
AnySpec = str | Path | ModelSpec | Mapping[str, object] | None
AnyData = str | Path | PoseDataset | Batch | Iterable[Any] | Dataset[Any]


def load_model(model: AnyModel, *, spec: AnySpec = None, card: AnySpec = None) -> OpenedModel:
    """Open a model: 'shg2', 'onnx:PATH', ..., the path of a model file, an nn.Module or a Python function.

    spec  the model spec of a third-party model: a path, or the content of the file as a dictionary. A module with
          the attributes skeleton, input_size and head (types.PoseModel), and a ViTPose of transformers, need none.

    A module may be trained on afterwards: `attack` reads its weights at each call. `card` is the older name of
    `spec`. RobustPoseError if the model cannot be opened.
    """
    opened = open_for(model, spec=card if spec is None else spec)
    return opened if opened.content else replace(opened, content=content_of(opened.module))


def open_for(model: AnyModel, *, spec: AnySpec = None, people: PoseDataset | None = None) -> OpenedModel:
    """Open a model for people; of an open one whose weights changed, the fingerprint changes too.

    people  if they are in memory, a spec given as a dictionary may leave out what they and the module tell
    """
    if isinstance(model, OpenedModel):
        if spec is not None:
            raise RobustPoseError(f"{model.name} is already open; pass the spec to load_model when you open it")
        return model.current()
    if isinstance(model, nn.Module) and isinstance(spec, Mapping):
        sample = people.batch.take([0]) if isinstance(people, BatchPeople) else None
        spec = complete_spec(spec, plain(model), sample=sample)
    known = read_given(spec)
    if isinstance(model, Path):
        model = _named(model)
    if isinstance(model, str):
        return open_defended(model, spec=known)
    if isinstance(model, nn.Module):
        return opened_module(plain(model), name=type(plain(model)).__name__, spec=known)
    if callable(model):
        return opened_callable(model, name=getattr(model, "__name__", "function"), spec=known)
    raise RobustPoseError(f"a model must be a name, an nn.Module or a function, got {type(model).__name__}")


def plain(model: nn.Module) -> nn.Module:
    """Return the module inside DataParallel and DistributedDataParallel; any other itself."""
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inside: nn.Module = model.module
        return inside
    return model


def read_given(spec: AnySpec) -> Path | ModelSpec | None:
    """Read a model spec as users give it; RobustPoseError for what is none."""
    if isinstance(spec, Mapping):
        return make_spec(spec)
    if spec is None or isinstance(spec, Path | ModelSpec):
        return spec
    if isinstance(spec, str):
        return Path(spec)
    raise RobustPoseError(f"spec must be a path or a dictionary, got {type(spec).__name__}")


def load_data(
    data: AnyData,
    *,
    images: str | Path = "",
    min_keypoints: int = 0,
    min_box: float = 0,
    skeleton: Skeleton | str | None = None,
    n: int | None = None,
) -> PoseDataset:
    """Open labelled people: 'synthpose', 'coco:PATH', 'mpii:PATH', a Batch, or a DataLoader.

    A DataLoader, a Dataset or any iterable yields (images, keypoints, visible), or dictionaries with these keys;
    see Batch.from_tensors for their shapes. Images in memory are rounded to 8 bits.

    images         the photo folder, if the photos are not next to the annotation file
    min_keypoints  minimum number of labelled, non-face keypoints per person in photos
    min_box        minimum longer side of a person's box, in photo pixels
    skeleton       of a DataLoader's keypoints; default: see Batch.from_tensors
    n              number of people to read from a DataLoader; default: all

    RobustPoseError if the data cannot be opened.
    """
    if isinstance(data, str | Path):
        return open_dataset(
            _dataset_named(data),
            images=Path(images) if images else None,
            min_keypoints=min_keypoints,
            min_box=min_box,
        )
    if images or min_keypoints or min_box:
        raise RobustPoseError("images, min_keypoints and min_box are for annotation files, not for data in memory")
    if isinstance(data, Batch):
        return BatchPeople(data)
    given: Any = data
    if hasattr(given, "load") and hasattr(given, "fingerprint"):
        opened: PoseDataset = given
        return opened
    if isinstance(given, Iterable) and not isinstance(given, Tensor | np.ndarray):
        return read_people(given, skeleton=skeleton, most=n, name=type(given).__name__)
    if hasattr(given, "__getitem__") and hasattr(given, "__len__") and not isinstance(given, Tensor | np.ndarray):
        samples = (given[row] for row in range(len(given)))  # a Dataset
        return read_people(samples, skeleton=skeleton, most=n, name=type(given).__name__)
    raise RobustPoseError(f"data must be a name, a Batch or a DataLoader, got {type(given).__name__}")


def _named(path: Path) -> str:
    """Return the name under which a model file or a folder of transformers is opened."""
    if not path.exists():
        raise RobustPoseError(f"{path}: no such file")
    if path.is_dir():
        return f"hf:{path}"
    places = [importer.place for importer in IMPORTERS.values() if path.suffix.lower() in importer.suffixes]
    if len(places) != 1 or places[0].count(":") > 1:
        known = (
            " or ".join(place.replace("PATH", str(path)) for place in places)
            or "a name of `robustpose list models`"
        )
        raise RobustPoseError(f"{path}: a path alone does not say what this file is; write {known}")
    return places[0].replace("PATH", str(path))


def _dataset_named(data: str | Path) -> str:
    """Return a data set's name; a path alone does not tell the form of its annotations."""
    if isinstance(data, Path):
        raise RobustPoseError(f"data {str(data)!r} must be named with its form, such as 'coco:{data}'")
    return data
