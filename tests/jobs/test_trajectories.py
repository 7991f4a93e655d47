"""Cells of one trajectory are stored as if each had been computed alone, in fewer passes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.run import CellProgress, passes, run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.models import OpenedModel
from robustpose.study.plan import Plan, run_cells, workbench
from robustpose.types import PoseOutput
from tests.conftest import LinearPose
from tests.study.study_fakes import NoisePeople, files, plan

STEPS = (3, 1, 2, 6)


def along_trajectory(tiny: Plan, *, eps: float, targeted: bool = False) -> list[Cell]:
    """The cells of two models after each number of steps; some keep pictures."""
    return [
        replace(cell, keep_images=steps * 2)
        for steps in STEPS
        for model in tiny.models
        for cell in tiny.cells(model, Setting("igsm", eps, steps=steps, targeted=targeted))
    ]


@pytest.mark.parametrize(
    ("eps", "targeted"), [(8 / 255, False), (8 / 255, True), (0.5 / 255, False)], ids=["U", "T", "not rounded"]
)
def test_trajectory_cells_are_the_same_bytes_as_cells_computed_alone(
    tmp_path: Path, eps: float, targeted: bool
) -> None:
    tiny = plan(people=NoisePeople(broken=(2, 26)))
    cells = along_trajectory(tiny, eps=eps, targeted=targeted)
    together, alone = Store(tmp_path / "together"), Store(tmp_path / "alone")
    assert run_all(cells, workbench(tiny), together) == len(cells)
    for cell in cells:
        assert run_all([cell], workbench(tiny), alone) == 1
    assert files(tmp_path / "together") == files(tmp_path / "alone")
    for cell in cells:
        people = 24 if cell.start == 0 else 4
        assert len(together.pictures(cell).adversarial) == min(people, cell.keep_images)
        assert together.read(cell).forwards == together.read(cell).backwards
        assert cell.setting is not None
        assert together.read(cell).backwards == people * int(cell.setting.numbers["steps"])
    scores = [together.read(cell).signals["score"].tobytes() for cell in cells if cell.model == "heatmaps"]
    assert len(set(scores)) == len(scores) == len(cells) / 2, "a trajectory that stands still shows nothing"


def test_what_lacks_of_a_trajectory_is_computed_without_what_is_there(tmp_path: Path) -> None:
    tiny = plan()
    cells = [cell for cell in along_trajectory(tiny, eps=8 / 255) if cell.start == 0 and cell.model == "linear"]
    store = Store(tmp_path / "twice")
    run_all([cells[-1]], workbench(tiny), store)
    seen: list[CellProgress] = []
    assert run_all(cells, workbench(tiny), store, on_progress=seen.append) == 3
    run_all(cells, workbench(tiny), Store(tmp_path / "once"))
    assert files(tmp_path / "twice") == files(tmp_path / "once")
    assert {told.total_work for told in seen} == {25 * (2 * 3 + 3)}
    assert (seen[0].work, seen[0].cell) == (0, cells[2])
    assert (seen[-1].work, seen[-1].cell) == (225, None)


def test_work_is_the_longest_trajectory_there_and_back_and_a_score_a_cell() -> None:
    tiny = plan()
    cells = [cell for cell in along_trajectory(tiny, eps=8 / 255) if cell.start == 25 and cell.model == "linear"]
    assert passes(cells) == 5 * (2 * 6 + 4)
    assert passes(list(tiny.cells(tiny.models[0], None)[:1])) == 25


def test_a_cell_asked_for_twice_is_computed_once(tmp_path: Path) -> None:
    tiny = plan(n=5)
    (cell,) = tiny.cells(tiny.models[0], Setting("igsm", 8 / 255))
    (same,) = tiny.cells(tiny.models[0], Setting("igsm", 8 / 255, steps=10))
    store = Store(tmp_path)
    assert run_all([cell, same, replace(cell, keep_images=4)], workbench(tiny), store) == 1
    assert len(store.pictures(cell).clean) == 4


class Rooted(LinearPose):
    """Finite outputs, but the slope of sqrt at 0 is infinite, and 0 x infinity is NaN."""

    def forward(self, images: Tensor) -> PoseOutput:
        return super().forward(images + 0 * torch.sqrt(images - images.detach()))


def test_an_error_says_which_model_and_attack_it_is_of(tmp_path: Path) -> None:
    model = OpenedModel(name="rooted", module=Rooted().eval(), fingerprint="rooted-1")
    made = plan(n=2, settings=(Setting("igsm", 8 / 255, steps=3),), models=(model,))
    with pytest.raises(RobustPoseError, match=r"^rooted: IGSM-U-3 at 8/255: person p0: the gradient is NaN"):
        run_cells(made, Store(tmp_path))
