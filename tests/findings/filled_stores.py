"""Stores filled by hand with what a finding asks for: everybody has ten joints, of which so many are right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustpose.analysis.evidence import Evidence, ModelAsk, UniversalAsk
from robustpose.errors import RobustPoseError
from robustpose.findings import Finding, Verdict
from robustpose.jobs.attack import Cell
from robustpose.jobs.results import CellResult, Pictures
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import Replay
from robustpose.jobs.universal import UniversalResult
from robustpose.metrics import Table
from robustpose.models import OpenedModel
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.skeletons import Skeleton
from robustpose.study.definition import CLEAN, Grid, View
from robustpose.study.plan import Plan
from robustpose.types import PoseOutput
from tests.study.study_fakes import NoisePeople
from tests.study.study_fakes import plan as tiny_plan

TEN = Skeleton(
    name="ten", keypoints=tuple(f"joint{i}" for i in range(10)), limbs=(("joint0", "joint1"), ("joint1", "joint2"))
)
SIZE = (32, 32)

Right = Callable[[str, View], int]
Moves = Callable[[str, View], NDArray[np.float64]]


@dataclass(frozen=True)
class TenPeople(NoisePeople):
    skeleton: Skeleton = TEN


class StagedModel(nn.Module):
    """A model that is asked for nothing but its number of stages."""

    def __init__(self, *, stages: int, size: tuple[int, int], heatmaps: bool) -> None:
        super().__init__()
        self.skeleton, self.input_size, self.stages = TEN, size, stages
        coordinates = CoordinateHead(input_size=size)
        self.head: HeatmapHead | CoordinateHead = (
            HeatmapHead(input_size=size, heatmap_size=(8, 8)) if heatmaps else coordinates
        )

    def forward(self, images: Tensor) -> PoseOutput:
        keypoints = torch.zeros(len(images), len(TEN), 2)
        return PoseOutput(keypoints=keypoints, scores=keypoints[..., 0], stages=(keypoints,) * self.stages)


def opened(
    name: str, *, stages: int = 1, size: tuple[int, int] = SIZE, heatmaps: bool | None = None
) -> OpenedModel:
    """Open a model; DeepPose writes coordinates unless told, every other model heatmaps."""
    heatmaps = name != "deeppose" if heatmaps is None else heatmaps
    return OpenedModel(
        name=name, module=StagedModel(stages=stages, size=size, heatmaps=heatmaps).eval(), fingerprint=name
    )


def plan_of(*models: OpenedModel, n: int = 24, training: int = 40, grid: Grid | None = None) -> Plan:
    """Plan a study of models, on n people, with so many training people; 0 for no training set."""
    people = TenPeople(people=training, name="noise:lessons", fingerprint="lessons-1") if training else None
    made = tiny_plan(n=n, people=TenPeople(people=n), settings=(), models=models, training=people)
    grid = grid or Grid(universal_people=40, universal_samples=40, universal_batch=4, shares=(1.0,))
    return replace(made, study=replace(made.study, grid=grid))


def table(ids: range, right: int, *, moved: NDArray[np.float64] | None = None) -> Table:
    """Make people in whom the first `right` joints are predicted right and the others 1000 pixels off.

    moved  (N, 2): where all joints of each person are predicted instead
    """
    n = len(ids)
    truth = np.zeros((n, 10, 2))
    predicted = truth.copy()
    predicted[:, right:] += 1000.0
    if moved is not None:
        predicted = np.repeat(moved[:, None, :], 10, axis=1)
    return Table(
        ids=tuple(f"p{i}" for i in ids),
        skeleton=TEN,
        predicted=predicted,
        keypoints=truth,
        visible=np.ones((n, 10), bool),
        head_size=np.full(n, 2.0),
        box_side=np.full(n, 10.0),
    )


def filled(
    finding: Finding,
    plan: Plan,
    folder: Path,
    right: Right = lambda model, view: 10,
    *,
    moves: Moves | None = None,
    perturbations: Mapping[str, NDArray[np.float32]] | None = None,
) -> Evidence:
    """Store what a finding asks for, and nothing else; clean pictures are grey."""
    store = Store(folder)
    for ask in finding.asks(plan):
        if isinstance(ask, UniversalAsk):
            learned = (perturbations or {})[ask.model]
            store.put(plan.universal_cell(ask.model, ask.learn), UniversalResult(learned, np.zeros(1)))
            continue
        assert isinstance(ask, ModelAsk)
        for cell in plan.seen_cells(ask.model, ask.view):
            assert isinstance(cell, (Cell, Replay))
            people = cell.people if isinstance(cell, Replay) else cell
            moved = None if moves is None else moves(ask.model, ask.view)
            grey = np.full((min(2, people.stop - people.start), *SIZE, 3), 100, np.uint8)
            kept = Pictures(clean=grey, adversarial=grey[:0]) if ask.view == CLEAN else None
            answers = table(range(people.start, people.stop), right(ask.model, ask.view), moved=moved)
            store.put(cell, CellResult(table=answers), kept)
    return Evidence(plan, store)


def assert_reads_all_it_asks_for(finding: Finding, evidence: Evidence) -> None:
    """The finding works on its own cells, and misses each single one of them."""
    finding.find(evidence)
    files = sorted((evidence.store.folder / "cells").glob("*.npz"))
    assert files
    for file in files:
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(RobustPoseError, match="has not been computed"):
            finding.find(Evidence(evidence.plan, evidence.store))
        file.write_bytes(content)


def judged(verdicts: tuple[Verdict, ...], words: str) -> Verdict:
    """Return the one verdict whose claim has these words."""
    (found,) = [each for each in verdicts if words in each.claim]
    return found


def value(verdict: Verdict) -> float:
    assert verdict.effect is not None
    return verdict.effect.value
