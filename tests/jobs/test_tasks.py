"""Models of other tasks on flags, whose answers under attack are known level by level.

The models read colours, so each step of IGSM moves red down and green up by 5/12 of 8 levels: rounded 3 levels
after one step, 7 after two, 8 from three on. A flag that is m levels more red than green is seen red while m is
more than twice that.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import key_of
from robustpose.jobs.run import run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.task import TaskResult
from robustpose.metrics import accuracy, mean_iou
from robustpose.study.plan import Plan, workbench
from tests.study.study_fakes import MARGINS, TASKS, Flags, NoisePeople, files, plan


def igsm(steps: int) -> Setting:
    return Setting("igsm", 8 / 255, steps=steps)


def flags() -> Plan:
    return plan(n=None, people=Flags(), settings=(), tasks=TASKS)


def computed(tiny: Plan, folder: Path, task: str, *settings: Setting | None) -> list[TaskResult]:
    store = Store(folder)
    cells = [cell for setting in settings for cell in tiny.task_cells(task, setting)]
    assert run_all(cells, workbench(tiny), store) == len(settings)
    return [store.read(cell) for cell in cells]


def test_the_margins_are_those_that_the_expectations_below_stand_on() -> None:
    assert MARGINS == (-2, 4, 10, 15, 20)


def test_a_classifier_is_right_while_the_margin_holds(tmp_path: Path) -> None:
    clean, *attacked = computed(flags(), tmp_path, "action", None, igsm(1), igsm(2), igsm(3), igsm(5))
    assert clean.correct is not None
    assert clean.correct.tolist() == [False, True, True, True, True]
    assert (clean.forwards, clean.backwards) == (0, 0)
    expected = {
        1: [False, False, True, True, True],
        2: [False, False, False, True, True],
        3: [False, False, False, False, True],
        5: [False, False, False, False, True],
    }
    for result, (steps, right) in zip(attacked, expected.items(), strict=True):
        assert result.ids == ("p0", "p1", "p2", "p3", "p4")
        assert result.correct is not None
        assert result.correct.tolist() == right
        assert result.intersections is None
        assert result.unions is None
        assert (result.forwards, result.backwards) == (5 * steps, 5 * steps)
    assert clean.correct is not None
    assert accuracy(clean.correct).value == 80.0


def test_fgsm_takes_all_eight_levels_at_once(tmp_path: Path) -> None:
    (result,) = computed(flags(), tmp_path, "action", Setting("fgsm", 8 / 255))
    assert result.correct is not None
    assert result.correct.tolist() == [False, False, False, False, True]
    assert (result.forwards, result.backwards) == (5, 5)


def test_a_segmenters_pixels_are_counted_by_class(tmp_path: Path) -> None:
    """The top 24 pixels of 96 are green's, the others red's.

    Seen red: 72 of red are right, all 96 are red in truth or answer, green's 24 are missed. Seen green: the other
    way about. Under attack all pixels move away from the truth: seen red below and green above, a green answer
    below means red above, which nothing gets right.
    """
    clean, weak, strong = computed(flags(), tmp_path, "parts", None, igsm(1), igsm(3))
    red, green, wrong = [72.0, 0.0, 0.0], [0.0, 24.0, 0.0], [0.0, 0.0, 0.0]
    as_red, as_green, swapped = [96.0, 24.0, 0.0], [72.0, 96.0, 0.0], [96.0, 96.0, 0.0]
    for result, shared, either in (
        (clean, [green, red, red, red, red], [as_green, as_red, as_red, as_red, as_red]),
        (weak, [wrong, wrong, red, red, red], [swapped, swapped, as_red, as_red, as_red]),
        (strong, [wrong, wrong, wrong, wrong, red], [swapped, swapped, swapped, swapped, as_red]),
    ):
        assert result.intersections is not None
        assert result.unions is not None
        assert result.intersections.tolist() == shared
        assert result.unions.tolist() == either
        assert result.correct is None
    assert (strong.forwards, strong.backwards) == (15, 15)
    assert clean.intersections is not None
    assert clean.unions is not None
    # Red: 288 of 456 pixels; green: 24 of 192; blue is nowhere and does not count.
    expected = 100 * (288 / 456 + 24 / 192) / 2
    assert mean_iou(clean.intersections, clean.unions).value == pytest.approx(expected)


@pytest.mark.parametrize("eps", [8 / 255, 0.5 / 255], ids=["rounded", "not rounded"])
@pytest.mark.parametrize("task", ["action", "parts"])
def test_along_a_trajectory_tasks_are_the_same_bytes_as_computed_alone(
    tmp_path: Path, task: str, eps: float
) -> None:
    tiny = flags()
    together, alone = Store(tmp_path / "together"), Store(tmp_path / "alone")
    cells = [cell for steps in (5, 1, 2) for cell in tiny.task_cells(task, Setting("igsm", eps, steps=steps))]
    assert run_all(cells, workbench(tiny), together) == 3
    for cell in cells:
        assert run_all([cell], workbench(tiny), alone) == 1
    assert files(tmp_path / "together") == files(tmp_path / "alone")
    assert len(files(tmp_path / "together")) == 4


def test_people_are_cut_into_blocks(tmp_path: Path) -> None:
    tiny = plan(n=30, people=Flags(people=30), settings=(), tasks=TASKS)
    cells = tiny.task_cells("action", igsm(1))
    assert [(cell.start, cell.stop) for cell in cells] == [(0, 25), (25, 30)]
    assert len({key_of(cell) for cell in cells}) == 2


def test_data_without_labels_are_refused(tmp_path: Path) -> None:
    tiny = plan(n=5, people=NoisePeople(), tasks=TASKS)
    with pytest.raises(RobustPoseError, match="noise has no labels of actions and parts"):
        run_all(tiny.task_cells("action", None), workbench(tiny), Store(tmp_path))


def test_a_task_with_weights_of_its_own_keeps_its_kind(tmp_path: Path) -> None:
    own = replace(TASKS[1], name="parts:mine", fingerprint="parts-2")
    tiny = plan(n=None, people=Flags(), settings=(), tasks=(*TASKS, own))
    (result,) = computed(tiny, tmp_path, "parts:mine", None)
    assert result.intersections is not None
