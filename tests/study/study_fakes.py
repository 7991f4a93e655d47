"""A tiny study that computes in a second: two models of the tests, people of noise, flags with labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustpose.jobs.setting import Setting
from robustpose.models import OpenedModel, OpenedTask
from robustpose.skeletons import Skeleton
from robustpose.study.definition import Grid, Study
from robustpose.study.plan import Plan, make_plan
from robustpose.types import Batch, PoseDataset, TaskLabels
from tests.conftest import TINY, TRIO, LinearPose, TinyHeatmaps, one_person, tiny_batch

SETTINGS = (
    Setting("fgsm", 8 / 255),
    Setting("igsm", 8 / 255, steps=3),
    Setting("igsm", 0.5 / 255, steps=2, objective="training_loss_all"),
    Setting("igsm", 8 / 255, steps=2, targeted=True),
)


@dataclass(frozen=True)
class NoisePeople:
    """People of random pictures; those in `broken` have photos that cannot be read."""

    people: int = 30
    broken: tuple[int, ...] = ()
    name: str = "noise"
    skeleton: Skeleton = TRIO
    fingerprint: str = "noise-1"
    left_out: tuple[str, ...] = ()

    has_head_sizes: bool = True

    def content(self, rows: Sequence[int]) -> str:
        return ""

    def __len__(self) -> int:
        return self.people

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        everyone = tiny_batch(self.people)
        good = [row for row in rows if row not in self.broken]
        parts = [one_person(everyone, row) for row in good]
        keep = tiny_batch(0) if not parts else _stack(parts)
        return replace(keep, unreadable=tuple(f"p{row}: broken" for row in rows if row in self.broken))


MARGINS = (-2, 4, 10, 15, 20)
"""Levels by which each flag is more red than green, by turns."""


@dataclass(frozen=True)
class Flags(NoisePeople):
    """Pictures of one colour: 100 + margin levels of red, 100 of green, 50 of blue.

    The action is 0 for red. The part is 1 in the top two rows of the eight, 0 below.
    """

    people: int = len(MARGINS)
    name: str = "flags"
    fingerprint: str = "flags-1"

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        batch = super().load(rows, input_size=input_size, padding=padding)
        colours = torch.tensor([[100.0 + MARGINS[row % len(MARGINS)], 100.0, 50.0] for row in rows]) / 255
        return replace(batch, images=colours[:, :, None, None].expand(-1, -1, *input_size).contiguous())

    def task_labels(self, rows: Sequence[int], /, *, input_size: tuple[int, int], padding: float) -> TaskLabels:
        assert padding == 1.25, "the labels must be cropped as the pictures are"
        parts = np.zeros((len(rows), *input_size), np.uint8)
        parts[:, :2] = 1
        return TaskLabels(actions=np.zeros(len(rows), np.int64), parts=parts, part_flip_order=(0, 1, 2))


class Colour(nn.Module):
    """A classifier of three classes: how red, green and blue the whole picture is."""

    input_size = TINY

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class Colours(nn.Module):
    """A segmenter of three classes: how red, green and blue each pixel is."""

    input_size = TINY

    def forward(self, images: Tensor) -> Tensor:
        return images


TASKS = (
    OpenedTask(name="action", module=Colour().eval(), fingerprint="action-1"),
    OpenedTask(name="parts", module=Colours().eval(), fingerprint="parts-1"),
)


def _stack(parts: list[Batch]) -> Batch:
    names = ("images", "keypoints", "visible", "head_size", "box_side", "crops")
    stacked: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], ids=tuple(part.ids[0] for part in parts), **stacked)


def tiny_models() -> tuple[OpenedModel, ...]:
    return (
        OpenedModel(name="linear", module=LinearPose().eval(), fingerprint="linear-1"),
        OpenedModel(name="heatmaps", module=TinyHeatmaps().eval(), fingerprint="heatmaps-1"),
    )


def plan(
    *,
    n: int | None = 30,
    people: NoisePeople | None = None,
    seed: int = 0,
    settings: tuple[Setting, ...] = SETTINGS,
    models: tuple[OpenedModel, ...] | None = None,
    training: PoseDataset | None = None,
    tasks: tuple[OpenedTask, ...] = (),
) -> Plan:
    models = tiny_models() if models is None else models
    study = Study(
        name="tiny",
        title="Tiny",
        models=tuple(model.name for model in models),
        data="noise",
        settings=settings,
        n=n,
        seed=seed,
        keep_images=2,
        grid=Grid(universal_people=10, universal_samples=12, universal_batch=4),
    )
    made = make_plan(study, models=models, dataset=people or NoisePeople(), metric="pck")
    return replace(made, tasks=tasks, training=training)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".part")
    }
