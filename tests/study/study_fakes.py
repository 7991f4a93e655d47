"""A tiny study that computes in a second: two nets of the tests, people of noise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from robustpose.models import OpenedModel
from robustpose.skeletons import Skeleton
from robustpose.study import Plan, Setting, Study, make_plan
from robustpose.types import Batch
from tests.conftest import TRIO, LinearPose, TinyHeatmaps, one_person, tiny_batch

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


def _stack(parts: list[Batch]) -> Batch:
    names = ("images", "keypoints", "visible", "head_size", "box_side", "crops")
    stacked: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], ids=tuple(part.ids[0] for part in parts), **stacked)


def models() -> tuple[OpenedModel, ...]:
    return (
        OpenedModel(name="linear", net=LinearPose().eval(), fingerprint="linear-1"),
        OpenedModel(name="heatmaps", net=TinyHeatmaps().eval(), fingerprint="heatmaps-1"),
    )


def plan(*, n: int | None = 30, people: NoisePeople | None = None, seed: int = 0) -> Plan:
    study = Study(
        name="tiny",
        title="Tiny",
        models=("linear", "heatmaps"),
        data="noise",
        settings=SETTINGS,
        n=n,
        seed=seed,
        keep_images=2,
    )
    return make_plan(study, models=models(), dataset=people or NoisePeople(), metric="pck")


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".part")
    }
