"""Models whose crops are wider than usual are shown such crops, and no pictures made on others."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from robustpose.analysis.alarms import watch_model
from robustpose.errors import RobustPoseError
from robustpose.jobs.run import run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import Replay
from robustpose.models import OpenedModel
from robustpose.study.plan import run_cells, workbench
from robustpose.types import Batch
from tests.conftest import LinearPose, TinyHeatmaps
from tests.study.study_fakes import NoisePeople, plan


@dataclass(frozen=True)
class Watched(NoisePeople):
    """People who remember how wide they were cropped."""

    people: int = 3
    asked: list[float] = field(default_factory=list, compare=False)

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        self.asked.append(padding)
        return super().load(rows, input_size=input_size, padding=padding)


class WidePose(LinearPose):
    padding = 1.5


WIDE = OpenedModel(name="wide", module=WidePose().eval(), fingerprint="wide-1")
USUAL = OpenedModel(name="usual", module=TinyHeatmaps().eval(), fingerprint="usual-1")


@pytest.mark.parametrize(("model", "padding"), [(WIDE, 1.5), (USUAL, 1.25)])
def test_a_model_is_shown_the_crops_it_takes(model: OpenedModel, padding: float, tmp_path: Path) -> None:
    people = Watched()
    settings = (Setting("fgsm", 8 / 255), Setting("fgsm", 8 / 255, targeted=True))
    run_cells(plan(n=3, people=people, settings=settings, models=(model,)), Store(tmp_path))
    assert {*people.asked} == {padding}


def test_pictures_of_other_crops_are_not_shown(tmp_path: Path) -> None:
    setting = Setting("fgsm", 8 / 255)
    tiny = plan(n=3, people=Watched(), settings=(setting,), models=(WIDE, USUAL))
    (made,), (shown,) = tiny.cells(WIDE, setting), tiny.cells(USUAL, None)
    cell = Replay(people=shown, source=replace(made, keep_images=3))
    with pytest.raises(
        RobustPoseError, match=r"the images of wide are crops of box x 1\.5, but usual takes box x 1\.25"
    ):
        run_all([cell], workbench(tiny), Store(tmp_path))


def test_alarms_look_at_the_crops_that_the_model_takes(tmp_path: Path) -> None:
    people, setting, store = Watched(), Setting("igsm", 8 / 255), Store(tmp_path)
    made = plan(n=3, people=people, settings=(setting,), models=(WIDE,))
    run_cells(made, store)
    people.asked.clear()
    watch_model(made, store, setting)
    assert {*people.asked} == {1.5}
