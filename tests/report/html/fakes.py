"""A study small enough for a test: random pictures, two untrained models of one layer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.models import OpenedModel
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, make_plan, run_cells
from robustpose.types import Batch, PoseOutput

SIDE = 32


@dataclass(frozen=True)
class FakePeople:
    """People made of noise; every fifth has no head size, and `unreadable` of them have no photo."""

    name: str = "noise"
    people: int = 30
    unreadable: int = 1
    head_size: float = 9.0
    left_out: tuple[str, ...] = ("2 people without a box",)

    @property
    def skeleton(self) -> Skeleton:
        return MPII_16

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()

    has_head_sizes: bool = True

    def content(self, rows: Sequence[int]) -> str:
        return ""

    def __len__(self) -> int:
        return self.people

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        read = [row for row in rows if row < self.people - self.unreadable]
        drawn = [torch.Generator().manual_seed(row) for row in read]
        height, width = input_size
        images = [torch.randint(256, (3, height, width), generator=g) / 255 for g in drawn]
        keypoints = [torch.rand((16, 2), generator=g) * width for g in drawn]
        n = len(read)
        return Batch(
            images=torch.stack(images) if images else torch.zeros((0, 3, height, width)),
            keypoints=torch.stack(keypoints) if keypoints else torch.zeros((0, 16, 2)),
            visible=torch.ones((n, 16), dtype=torch.bool),
            head_size=torch.tensor([float("nan") if row % 5 == 4 else self.head_size for row in read]),
            box_side=torch.full((n,), float(width)),
            crops=torch.eye(3, dtype=torch.float64)[:2].repeat(n, 1, 1),
            ids=tuple(f"{self.name}/{row:04d}" for row in read),
            skeleton=MPII_16,
            unreadable=tuple(f"{self.name}/{row:04d}: no such photo" for row in rows if row not in read),
        )


class FakeModel(nn.Module):
    """One convolution to heatmaps, or one layer to coordinates; its seed is its character."""

    skeleton = MPII_16
    input_size = (SIDE, SIDE)

    def __init__(self, seed: int, *, coordinates: bool) -> None:
        super().__init__()
        self.head = CoordinateHead(self.input_size) if coordinates else HeatmapHead(self.input_size, (8, 8))
        self.layer = nn.Linear(3 * 64, 32) if coordinates else nn.Conv2d(3, 16, 7, stride=4, padding=3)
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) * 0.08)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> PoseOutput:
        if isinstance(self.head, CoordinateHead):
            small = nn.functional.avg_pool2d(images - 0.5, 4)
            raw = self.layer(small.flatten(1)).reshape(-1, 16, 2).clamp(-0.5, 0.5)
        else:
            raw = self.layer(images - 0.5)
        keypoints, scores = self.head.decode(raw)
        return PoseOutput(keypoints=keypoints, scores=scores, stages=(raw,))


def fake_models(*names: str) -> tuple[OpenedModel, ...]:
    """Make models: heatmaps and coordinates by turns."""
    return tuple(
        OpenedModel(
            name=name, module=FakeModel(seed, coordinates=seed % 2 == 1), fingerprint=f"{seed:02d}fa{seed:02d}fa"
        )
        for seed, name in enumerate(names)
    )


SETTINGS = (
    *(Setting("fgsm", level / 255) for level in (0.5, 2, 8, 32)),
    *(Setting("igsm", level / 255, steps=3) for level in (0.5, 8)),
    Setting("igsm", 8 / 255, steps=3, objective="training_loss_all"),
    *(Setting("igsm", level / 255, steps=3, targeted=True) for level in (8, 32)),
)


def fake_study(
    folder: Path,
    *,
    names: Sequence[str] = ("maps", "direct"),
    settings: Sequence[Setting] = SETTINGS,
    people: FakePeople | None = None,
    title: str = "Two tiny models on noise",
) -> tuple[Plan, Store]:
    """Run a fake study to its end."""
    people = FakePeople() if people is None else people
    study = Study(
        name="fake",
        title=title,
        models=tuple(names),
        data=people.name,
        settings=tuple(settings),
        n=len(people),
        keep_images=3,
    )
    plan = make_plan(study, models=fake_models(*names), dataset=people, metric="pckh")
    store = Store(folder / "study")
    run_cells(plan, store)
    return plan, store
