"""Each alarm on a model that must raise it, and on models that must not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from robustpose.alarms import ALARMS, Alarm, probe
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.objectives import Margin, Objective, TrainingLoss
from robustpose.threats import Linf
from robustpose.types import Batch, PoseOutput
from tests.attacks.untidy import assert_same, state
from tests.conftest import TINY, LinearPose, TinyHeatmaps, tiny_batch


def people(model: LinearPose | TinyHeatmaps, *, head_size: float = 0.2) -> Batch:
    """People predicted slightly off the truth."""
    batch = tiny_batch(4, levels=(60, 200))
    torch.manual_seed(0)
    with torch.no_grad():
        seen = model.eval()(batch.images).keypoints
    return replace(batch, keypoints=seen + 0.05, head_size=torch.full((4,), head_size))


def looked_at(model: LinearPose | TinyHeatmaps, *, objective: Objective, head_size: float = 0.2) -> list[Alarm]:
    return probe(model, people(model, head_size=head_size), objective=objective, threat=Linf(8 / 255))


class Saturated(LinearPose):
    """Coordinates through a sigmoid so steep that its slope rounds to 0, and its value to 0 or 1."""

    def forward(self, images: Tensor) -> PoseOutput:
        raw = torch.sigmoid(1e7 * (images.flatten(1) @ self.W.T + self.b)).reshape(-1, 3, 2) - 0.5
        return PoseOutput(self.head.decode(raw)[0], raw.new_ones(raw.shape[:2]), (raw,))


class Decoded(TinyHeatmaps):
    """Outputs only the position of each heatmap's highest cell."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = self.head
        self.head: HeatmapHead | CoordinateHead = CoordinateHead(input_size=TINY)  # type: ignore[assignment]

    def forward(self, images: Tensor) -> PoseOutput:
        assert isinstance(self.maps, HeatmapHead)
        raw = self.head.encode(self.maps.decode(_maps(self, images))[0])
        return PoseOutput(self.head.decode(raw)[0], raw.new_ones(raw.shape[:2]), (raw,))


def _maps(model: TinyHeatmaps, images: Tensor) -> Tensor:
    """Fine noise on every cell: a small change moves the maximum."""
    features = torch.tanh(model.stem(images))
    return torch.sin(300 * model.first(features))


class HalfDecoded(Decoded):
    """Only the first keypoint's gradient is cut."""

    def forward(self, images: Tensor) -> PoseOutput:
        cut = super().forward(images).stages[-1]
        smooth = _maps(self, images).flatten(2)[..., :2] / 10
        raw = torch.cat([cut[:, :1], smooth[:, 1:]], dim=1)
        return PoseOutput(self.head.decode(raw)[0], raw.new_ones(raw.shape[:2]), (raw,))


class Random(LinearPose):
    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(images + 0.1 * torch.randn_like(images))


class Social(LinearPose):
    """Normalises with the statistics of the batch."""

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(images / images.mean())


class Steady(LinearPose):
    """A model whose loss rises under eps 8/255, but no keypoint moves out of the wide radius of its case."""


CASES: tuple[tuple[str, Callable[[], LinearPose | TinyHeatmaps], Objective], ...] = (
    ("zero-gradient", Saturated, TrainingLoss("last")),
    ("cut-gradient", Decoded, TrainingLoss("last")),
    ("cut-gradient", HalfDecoded, Margin()),
    ("randomness", Random, TrainingLoss("last")),
    ("batch-dependence", Social, Margin()),
    ("loss-without-score", Steady, TrainingLoss("last")),
)


@pytest.mark.parametrize(("name", "make", "objective"), CASES, ids=[case[1].__name__ for case in CASES])
def test_it_goes_off(name: str, make: Callable[[], LinearPose | TinyHeatmaps], objective: Objective) -> None:
    found = looked_at(make(), objective=objective, head_size=8.0 if make is Steady else 0.2)
    assert [alarm.name for alarm in found] == [name], [alarm.says for alarm in found]
    assert found[0].line.endswith(f"(docs/alarms.md#{name})")


@pytest.mark.parametrize("objective", [TrainingLoss("last"), TrainingLoss("all"), Margin()])
@pytest.mark.parametrize("make", [LinearPose, TinyHeatmaps])
def test_sound_models_are_quiet(make: type[LinearPose], objective: Objective) -> None:
    assert looked_at(make(), objective=objective) == []


def test_who_is_already_lost_has_no_zero_gradient() -> None:
    model = LinearPose()
    batch = people(model)
    lost = replace(batch, keypoints=batch.keypoints + 100)
    assert probe(model, lost, objective=Margin(), threat=Linf(8 / 255)) == []


def test_what_it_says() -> None:
    (cut,) = looked_at(HalfDecoded(), objective=Margin())
    assert "1 of 3 keypoints (left_hand)" in cut.says
    (flat,) = looked_at(Saturated(), objective=TrainingLoss("last"))
    assert "0 for 4 of 4 people" in flat.says


def test_nobody_sets_off_nothing() -> None:
    assert probe(LinearPose(), tiny_batch(0), objective=TrainingLoss(), threat=Linf(0.1)) == []


def test_side_effects_of_probing() -> None:
    model = TinyHeatmaps().train()
    model.stem.weight.grad = torch.ones_like(model.stem.weight)
    batch = tiny_batch()
    before = state(model)
    probe(model, batch, objective=Margin(), threat=Linf(8 / 255))
    assert_same(before, state(model))
    assert isinstance(model, nn.Module)


def test_every_alarm_has_a_section() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "alarms.md").read_text()
    for name in ALARMS:
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for part in ("**What it means.**", "**When it misleads.**", "**What to do.**"):
            assert part in section, f"docs/alarms.md: {name} lacks {part}"
