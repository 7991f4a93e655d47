"""People who are three spots of light, red, green and blue, and a model that finds a spot by its colour."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.data.annotations import Person
from robustpose.data.people import PhotoPeople
from robustpose.geometry import Pixels
from robustpose.models import OpenedModel
from robustpose.models.heads import CoordinateHead
from robustpose.types import PoseOutput
from tests.conftest import TRIO
from tests.data.files import write_photo

SIZE = (48, 60)
"""(H, W) of the crops: they differ, so that swapping them shows."""

PHOTO = (150, 200)
_BLUR = 3.0


class SpotFinder(nn.Module):
    """Keypoint k lies at the centroid of colour k; satisfies PoseModel."""

    def __init__(self) -> None:
        super().__init__()
        self.skeleton, self.input_size, self.head = TRIO, SIZE, CoordinateHead(input_size=SIZE)

    def forward(self, images: Tensor) -> PoseOutput:
        y, x = torch.meshgrid(*(torch.arange(side).double() for side in images.shape[2:]), indexing="ij")
        light = (images.double() - 0.2).clamp_min(0) + 1e-12
        weight = light / light.sum(dim=(2, 3), keepdim=True)
        keypoints = torch.stack([(weight * x).sum(dim=(2, 3)), (weight * y).sum(dim=(2, 3))], dim=-1)
        raw = self.head.encode(keypoints)
        return PoseOutput(keypoints=keypoints, scores=torch.ones(keypoints.shape[:2]), stages=(raw,))


def finder() -> OpenedModel:
    return OpenedModel(name="finder", module=SpotFinder().eval(), fingerprint="finder-1")


def spots(keypoints: Sequence[tuple[float, float]]) -> Pixels:
    """Draw a photo of three spots."""
    y, x = np.mgrid[: PHOTO[0], : PHOTO[1]]
    drawn = [255 * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * _BLUR**2)) for u, v in keypoints]
    return np.stack(drawn, axis=-1).round().astype(np.uint8)


def people(folder: Path, n: int = 4, *, missing: Sequence[int] = ()) -> PhotoPeople:
    """Write photos, one a person; those of `missing` are not there."""
    rng, made = np.random.default_rng(0), []
    for number in range(n):
        keypoints = np.array([85.0, 65.0]) + rng.uniform(0, 28, (3, 2)) * [1.0, 0.8]
        name = f"{number}.png"
        if number not in missing:
            write_photo(folder / name, spots([(float(x), float(y)) for x, y in keypoints]))
        made.append(
            Person(
                id=f"p{number}",
                photo=name,
                box=(75.3, 58.1, 50.0, 40.0),
                keypoints=keypoints,
                visible=np.array([True, True, number != 1]),
                head_size=6.0,
            )
        )
    return PhotoPeople(name="spots", skeleton=TRIO, people=tuple(made), folder=folder)
