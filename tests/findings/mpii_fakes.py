"""A study of models that are never asked: its cells are filled in by hand, so what findings must find is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from robustpose.analysis.evidence import Evidence, ModelAsk, cells_of
from robustpose.findings import Finding
from robustpose.jobs.attack import Cell
from robustpose.jobs.results import CellResult, Pictures
from robustpose.jobs.store import Store
from robustpose.metrics import Table
from robustpose.models import OpenedModel
from robustpose.models.heads import CoordinateHead, HeatmapHead
from robustpose.skeletons import MPII_16, Skeleton
from robustpose.study.definition import Study, View
from robustpose.study.plan import Plan, make_plan
from robustpose.types import PoseOutput
from tests.study.study_fakes import NoisePeople

SIZE = (64, 64)
HEAD = 10.0
"""Head size of everybody: PCKh@0.5 reaches 5 pixels."""


class SilentModel(nn.Module):
    """A model that must not be asked."""

    def __init__(self, skeleton: Skeleton, *, heatmaps: bool) -> None:
        super().__init__()
        self.skeleton, self.input_size = skeleton, SIZE
        self.head: HeatmapHead | CoordinateHead = CoordinateHead(input_size=SIZE)
        if heatmaps:
            self.head = HeatmapHead(input_size=SIZE, heatmap_size=(16, 16))

    def forward(self, images: Tensor) -> PoseOutput:
        raise AssertionError("a finding must not ask a model")


@dataclass(frozen=True)
class People(NoisePeople):
    skeleton: Skeleton = MPII_16


def silent_plan(kinds: Mapping[str, bool], *, n: int, skeleton: Skeleton = MPII_16) -> Plan:
    """Plan a study of models by name and whether they write heatmaps."""
    models = tuple(
        OpenedModel(name=name, module=SilentModel(skeleton, heatmaps=heatmaps).eval(), fingerprint=name)
        for name, heatmaps in kinds.items()
    )
    study = Study(name="silent", title="Silent", models=tuple(kinds), data="noise", settings=(), n=n)
    return make_plan(study, models=models, dataset=People(people=n, skeleton=skeleton), metric="pckh")


def apart(n: int, skeleton: Skeleton = MPII_16) -> Table:
    """N people whose joints are 100 pixels apart, everything predicted right and every target 1000 further."""
    joints = len(skeleton)
    truth = np.tile(np.stack([100.0 * np.arange(joints), np.zeros(joints)], axis=1), (n, 1, 1))
    return Table(
        ids=tuple(f"p{row}" for row in range(n)),
        skeleton=skeleton,
        predicted=truth.copy(),
        keypoints=truth,
        visible=np.ones((n, joints), bool),
        head_size=np.full(n, HEAD),
        box_side=np.full(n, 100.0),
        target=truth + np.array([0.0, 1000.0]),
        target_visible=np.ones((n, joints), bool),
    )


def moved(table: Table, joints: Sequence[str], *, by: float) -> Table:
    """Move the predictions of some joints downwards."""
    predicted = table.predicted.copy()
    predicted[:, [table.skeleton.index(joint) for joint in joints], 1] += by
    return replace(table, predicted=predicted)


def sides(*parts: str) -> list[str]:
    """Name the left and the right joint of parts."""
    return [f"{side}_{part}" for part in parts for side in ("left", "right")]


def _block(result: CellResult, rows: range) -> CellResult:
    """Cut what all people answered down to a block of them."""
    index = [row for row in rows if row < len(result.table)]
    signals = {name: values[index] for name, values in result.signals.items()}
    return replace(result, table=result.table.take(index), signals=signals)


Answer = Callable[[str, View], CellResult]


def fill(
    plan: Plan,
    finding: Finding,
    folder: Path,
    answer: Answer,
    *,
    pictures: Callable[[str, View], Pictures] | None = None,
    without: int | None = None,
) -> Evidence:
    """Answer exactly what a finding asks, or all but one of its cells."""
    store = Store(folder)
    for place, ask in enumerate(finding.asks(plan)):
        assert isinstance(ask, ModelAsk)
        if place == without:
            continue
        kept = None if pictures is None else pictures(ask.model, ask.view)
        for cell in cells_of(plan, [ask]):
            assert isinstance(cell, Cell)
            store.put(cell, _block(answer(ask.model, ask.view), range(cell.start, cell.stop)), kept)
    return Evidence(plan, store)
