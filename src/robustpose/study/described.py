"""Descriptions of models, stored with a study, so that a report neither opens a model nor runs its code.

describe_plan(plan)                     describes the models of a plan as JSON
stored_model(facts), stored_task        restore a described model, which cannot be run
described_by_results                    restores a model from results of older versions, without descriptions
runs_code(spec)                         returns whether opening a model runs code
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from robustpose import attacks
from robustpose.data.augment import PADDING
from robustpose.errors import RobustPoseError
from robustpose.jobs.results import skeleton_of
from robustpose.jobs.workbench import input_size_of, padding_of
from robustpose.models import OpenedModel, OpenedTask
from robustpose.models.importers import IMPORTERS
from robustpose.models.importers.imported import ImportedPose
from robustpose.models.importers.python import plain_name
from robustpose.skeletons import Skeleton
from robustpose.study.plan import Plan
from robustpose.types import DescribedHead, MarginHead, PoseModel, PoseOutput


def _refuse(*_: object, **__: object) -> NoReturn:
    raise RobustPoseError("this model was read from a study's folder and was not opened, so it cannot be run")


@dataclass(frozen=True)
class StoredHead:
    """The description of a head without margins, which computes nothing. See types.DescribedHead."""

    kind: str = ""
    loss_name: str = "the loss of its head"
    decodes_scores: bool = True
    encode = decode = loss = _refuse


@dataclass(frozen=True)
class StoredMarginHead:
    """The description of a head with margins, which computes nothing. See types.MarginHead."""

    kind: str
    loss_name: str
    decodes_scores: bool = True
    places_compete: bool = False
    encode = decode = loss = margins = _refuse


@dataclass(frozen=True)
class StoredPose:
    """The description of a pose model that was not opened; satisfies PoseModel, but cannot be run.

    stages    number of supervised outputs
    imported  whether it is a third-party model, whose training loss is unknown
    clean_score  metric and clean score stated in its spec; None if there are none
    """

    skeleton: Skeleton
    input_size: tuple[int, int]
    head: StoredHead | StoredMarginHead = StoredHead()
    padding: float = PADDING
    stages: int = 1
    imported: bool = False
    clean_score: tuple[str, float] | None = None

    def __call__(self, images: Tensor, /) -> PoseOutput:
        """RobustPoseError."""
        _refuse()


class StoredTask(nn.Module):
    """The description of a model of another task that was not opened: its number of classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes


def runs_code(spec: str) -> bool:
    """Return whether opening a model by this spec runs code that the spec or its file contains."""
    return any(IMPORTERS[word].runs_code for word in spec.split(":") if word in IMPORTERS)


def is_imported(model: PoseModel) -> bool:
    """Return whether a model is a third-party model, whose training loss is unknown."""
    return model.imported if isinstance(model, StoredPose) else isinstance(model, ImportedPose)


def clean_score_of(model: PoseModel) -> tuple[str, float] | None:
    """Return the metric and the clean score that a model's spec states; None without one."""
    if isinstance(model, StoredPose):
        return model.clean_score
    return model.spec.clean_score if isinstance(model, ImportedPose) else None


def stages_of(model: PoseModel) -> int:
    """Count a model's supervised outputs, by a pass of an empty image."""
    if isinstance(model, StoredPose):
        return model.stages
    return len(attacks.predict(model, _empty_image(model), ids=("none",)).stages)


def classes_of(model: nn.Module) -> int:
    """Count the classes of a model of another task, by a pass of an empty image."""
    if isinstance(model, StoredTask):
        return model.classes
    with torch.no_grad():
        return int(model(_empty_image(model)).shape[1])


def describe_plan(plan: Plan) -> dict[str, object]:
    """Describe a plan's models, and those of other tasks."""
    tasks = [
        {"name": task.name, "fingerprint": task.fingerprint, "classes": classes_of(task.module)}
        for task in plan.tasks
    ]
    return {"models": [describe(each) for each in plan.models], "tasks": tasks}


def describe(model: OpenedModel) -> dict[str, object]:
    """Return a model's description as JSON values, for stored_model."""
    module, head = model.module, model.module.head
    said = StoredHead(head.kind, head.loss_name) if isinstance(head, DescribedHead) else StoredHead()
    return {
        "name": model.name,
        "fingerprint": model.fingerprint,
        "skeleton": asdict(module.skeleton),
        "input_size": input_size_of(module),
        "padding": padding_of(module),
        "head": asdict(said) | {"margins": isinstance(head, MarginHead)},
        "stages": stages_of(module),
        "imported": is_imported(module),
        "clean_score": clean_score_of(module),
    }


def stored_model(facts: Mapping[str, Any]) -> OpenedModel:
    """Restore a model that cannot be run from its description; KeyError or similar if that is incomplete."""
    head = dict(facts["head"])
    height, width = facts["input_size"]
    module = StoredPose(
        skeleton=Skeleton(**{name: _tuples(value) for name, value in facts["skeleton"].items()}),
        input_size=(int(height), int(width)),
        head=(StoredMarginHead if head.pop("margins") else StoredHead)(**head),
        padding=float(facts["padding"]),
        stages=int(facts["stages"]),
        imported=bool(facts["imported"]),
        clean_score=_score(facts.get("clean_score")),
    )
    return OpenedModel(name=str(facts["name"]), module=module, fingerprint=str(facts["fingerprint"]))


def stored_task(facts: Mapping[str, Any]) -> OpenedTask:
    """Restore a model of another task that cannot be run from its description."""
    return OpenedTask(str(facts["name"]), StoredTask(int(facts["classes"])), str(facts["fingerprint"]))


def described_by_results(folder: Path, spec: str) -> OpenedModel:
    """Restore a model that cannot be run from the results in a folder.

    RobustPoseError if the results do not identify the model, or include no images of its input size.
    """
    place = spec.rpartition("torch:")[2].rpartition("callable:")[2].rpartition("torchscript:")[2]
    found: dict[tuple[str, str], tuple[Skeleton, tuple[int, int]]] = {}
    for path in sorted((folder / "pictures").glob("*.npz")):
        try:
            with np.load(folder / "cells" / path.name, allow_pickle=False) as cell:
                about = json.loads(cell["about"].tobytes())
            with np.load(path, allow_pickle=False) as pictures:
                height, width = pictures["clean"].shape[1:3]
            job, size = about["job"], (int(height), int(width))
            found[job["model"], job["model_fingerprint"]] = skeleton_of(about), size
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
            continue  # damaged, or not the predictions of one model
    theirs = [each for each in found if each[0] in (spec, place, plain_name(place))]
    if len(theirs or found) != 1:
        raise RobustPoseError(
            f"{folder}: its study does not describe {spec}, and opening it would run its code; run the study "
            "again with this version, which reuses the results"
        )
    ((name, fingerprint),) = theirs or found
    skeleton, size = found[name, fingerprint]
    return OpenedModel(name=name, module=StoredPose(skeleton, size), fingerprint=fingerprint)


def _score(value: Any) -> tuple[str, float] | None:
    return None if value is None else (str(value[0]), float(value[1]))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def _empty_image(model: Any) -> Tensor:
    height, width = input_size_of(model)
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None  # it may be on a GPU
    return torch.zeros(1, 3, height, width, device=None if first is None else first.device)
