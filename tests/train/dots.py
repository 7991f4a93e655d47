"""A tiny training: people who are three dots, a model that learns them, eight steps."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.models.weights import WeightFacts
from robustpose.skeletons import Skeleton
from robustpose.train import Progress, Recipe, train
from robustpose.types import Batch, PoseOutput
from tests.conftest import TRIO, TinyHeatmaps

RECIPE = Recipe(architecture="tiny", people=8, samples=32, batch=4, lr=1e-2, warmup_steps=2, ema=0.9)
STEPS = 8
EVERY = 3


class Normed(TinyHeatmaps):
    """With batch statistics, which a checkpoint must hold too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(self.norm(images))


def tiny(architecture: str, *, size: str, skeleton: Skeleton = TRIO) -> Normed:
    return Normed()


class Dots:
    """People who are three coloured dots on grey, one for each keypoint."""

    left_out: tuple[str, ...] = ()

    def __init__(self, n: int, *, name: str = "dots", skeleton: Skeleton = TRIO) -> None:
        self.n, self.name, self.fingerprint, self.skeleton = n, name, f"{name} {n}", skeleton

    has_head_sizes = True

    def content(self, rows: Sequence[int]) -> str:
        return ""

    def __len__(self) -> int:
        return self.n

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        height, width = input_size
        if rows and max(rows) >= self.n:
            raise IndexError("no such person")
        images = torch.full((len(rows), 3, height, width), 100 / 255)
        k = len(self.skeleton)
        keypoints = torch.zeros(len(rows), k, 2)
        for i, row in enumerate(rows):
            generator = np.random.default_rng(row)
            for joint in range(k):
                x, y = int(generator.integers(2, width - 2)), int(generator.integers(2, height - 2))
                keypoints[i, joint] = torch.tensor([x, y])
                images[i, joint % 3, y - 1 : y + 2, x - 1 : x + 2] = 1.0
        n = len(rows)
        return Batch(
            images=images,
            keypoints=keypoints,
            visible=torch.ones(n, k, dtype=torch.bool),
            head_size=torch.full((n,), 6.0),
            box_side=torch.full((n,), 12.0),
            crops=torch.zeros(n, 2, 3, dtype=torch.float64),
            ids=tuple(map(str, rows)),
            skeleton=self.skeleton,
        )


def ignore(progress: Progress) -> None:
    pass


def start(
    out: Path,
    *,
    recipe: Recipe = RECIPE,
    on_progress: Callable[[Progress], None] = ignore,
    data: str = "dots",
    workers: int = 0,
) -> WeightFacts:
    return train(
        recipe,
        training=Dots(8, name=data),
        validation=Dots(5),
        out=out,
        workers=workers,
        validate_every=EVERY,
        on_progress=on_progress,
    )


def weights(out: Path) -> bytes:
    return (out / "tiny.safetensors").read_bytes()


class StoppedError(Exception):
    pass


def stop_at(step: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.step == step:
            raise StoppedError

    return stop
