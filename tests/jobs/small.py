"""People in photos of 48 x 64 pixels, and two models of crops that corruptions accept: 32 x 40 and 40 x 32."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.data.annotations import Person
from robustpose.data.people import PhotoPeople
from robustpose.jobs.corruption import Corrupted, CorruptedCell
from robustpose.jobs.workbench import Workbench
from robustpose.models import OpenedModel
from robustpose.models.heads import CoordinateHead
from robustpose.types import PoseOutput
from tests.conftest import TRIO
from tests.data.files import noise, write_photo


class Linear(nn.Module):
    """Keypoints are a linear function of the pixels: every change of an image changes them."""

    def __init__(self, size: tuple[int, int], *, seed: int = 0) -> None:
        super().__init__()
        self.skeleton, self.input_size, self.head = TRIO, size, CoordinateHead(input_size=size)
        generator = torch.Generator().manual_seed(seed)
        pixels = 3 * size[0] * size[1]
        self.W = nn.Parameter(torch.randn(2 * len(TRIO), pixels, generator=generator) / pixels)

    def forward(self, images: Tensor) -> PoseOutput:
        raw = (images.flatten(1) @ self.W.T).reshape(-1, len(self.skeleton), 2)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


MODELS = (
    OpenedModel(name="wide", module=Linear((32, 40)).eval(), fingerprint="wide-1"),
    OpenedModel(name="tall", module=Linear((40, 32), seed=1).eval(), fingerprint="tall-1"),
    OpenedModel(name="again", module=Linear((32, 40), seed=2).eval(), fingerprint="again-1"),
)


def people(folder: Path, *, missing: bool = False) -> PhotoPeople:
    """Make three people in two photos; a fourth has no photo if `missing`."""
    for number in range(2):
        write_photo(folder / f"{number}.png", noise(seed=number))
    persons = [
        Person(
            id=f"p{number}",
            photo=f"{number // 2}.png",
            box=(4.0 + 10 * number, 2.0, 20.0, 40.0),
            keypoints=np.array([[10.0 + 10 * number, 12.0], [14.0, 20.0], [20.0, 30.0]]),
            visible=np.array([True, True, number != 2]),
            head_size=10.0,
        )
        for number in range(3)
    ]
    if missing:
        persons.insert(1, Person("gone", "gone.png", (1, 1, 20, 40), np.zeros((3, 2)), np.ones(3, bool), 10.0))
    return PhotoPeople(name="small", skeleton=TRIO, people=tuple(persons), folder=folder)


def bench_of(dataset: PhotoPeople) -> Workbench:
    return Workbench(
        models={model.fingerprint: model for model in MODELS}, datasets={dataset.fingerprint: dataset}
    )


def cell(dataset: PhotoPeople, what: Corrupted, *, model: int = 0, stop: int | None = None) -> CorruptedCell:
    return CorruptedCell(
        model=MODELS[model].name,
        model_fingerprint=MODELS[model].fingerprint,
        data=dataset.name,
        data_fingerprint=dataset.fingerprint,
        start=0,
        stop=len(dataset) if stop is None else stop,
        corrupted=what,
        photos="content",
    )
