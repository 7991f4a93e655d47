"""What other cells stand on comes first and once; every field is part of a key."""

from dataclasses import replace
from typing import Any

import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import Job, key_of, trajectories, with_sources
from robustpose.jobs.setting import Setting
from robustpose.jobs.task import TaskCell
from robustpose.jobs.transfer import Replay
from robustpose.jobs.universal import UniversalCell

CELL = Cell(model="net", model_fingerprint="a", data="people", data_fingerprint="b", start=0, stop=25)
ATTACK = replace(CELL, setting=Setting("igsm", 8 / 255))
UNIVERSAL = UniversalCell(
    model="net",
    model_fingerprint="a",
    data="training",
    data_fingerprint="c",
    start=0,
    stop=100,
    eps=8 / 255,
    samples=200,
)
REPLAY = Replay(people=CELL, source=ATTACK, change="box3")
TASK = TaskCell(
    task="action",
    fingerprint="a",
    data="people",
    data_fingerprint="b",
    start=0,
    stop=25,
    setting=Setting("igsm", 8 / 255),
)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"model_fingerprint": "d"},
        {"data": "other"},
        {"data_fingerprint": "d"},
        {"start": 1},
        {"stop": 99},
        {"eps": 16 / 255},
        {"samples": 201},
        {"batch": 8},
        {"step_size": 1 / 100},
        {"objective": "training_loss_all"},
        {"photos": "d"},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_a_universal_perturbation_changes_its_key(change: dict[str, object]) -> None:
    assert key_of(replace(UNIVERSAL, **change)) != key_of(UNIVERSAL)  # type: ignore[arg-type]


def test_every_field_of_a_universal_perturbation_is_tried_above() -> None:
    assert set(UNIVERSAL.fields()) - {"kind"} == {
        *("model", "model_fingerprint", "data", "data_fingerprint", "start", "stop", "eps", "samples", "batch"),
        *("step_size", "objective", "photos", "seed"),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"people": replace(CELL, start=1)},
        {"people": replace(CELL, model_fingerprint="d")},
        {"people": replace(CELL, photos="d")},
        {"source": None},
        {"source": UNIVERSAL},
        {"source": replace(ATTACK, model_fingerprint="d")},
        {"source": replace(ATTACK, setting=Setting("igsm", 4 / 255))},
        {"change": ""},
        {"change": "box5"},
    ],
)
def test_every_field_of_a_replay_changes_its_key(change: dict[str, object]) -> None:
    assert key_of(replace(REPLAY, **change)) != key_of(REPLAY)  # type: ignore[arg-type]


def test_how_many_pictures_the_source_keeps_is_no_part_of_a_replays_key() -> None:
    assert key_of(replace(REPLAY, source=replace(ATTACK, keep_images=25))) == key_of(REPLAY)


@pytest.mark.parametrize(
    "change",
    [
        {"task": "parts"},
        {"fingerprint": "d"},
        {"data": "other"},
        {"data_fingerprint": "d"},
        {"start": 1},
        {"stop": 24},
        {"setting": None},
        {"setting": Setting("fgsm", 8 / 255)},
        {"setting": Setting("igsm", 4 / 255)},
        {"setting": Setting("igsm", 8 / 255, steps=11)},
        {"seed": 1},
    ],
)
def test_every_field_of_a_task_changes_its_key(change: dict[str, object]) -> None:
    assert key_of(replace(TASK, **change)) != key_of(TASK)  # type: ignore[arg-type]


def test_a_tasks_default_number_of_steps_and_the_same_number_given_are_one_job() -> None:
    assert key_of(replace(TASK, setting=Setting("igsm", 8 / 255, steps=10))) == key_of(TASK)


def test_different_kinds_never_share_a_key() -> None:
    jobs: list[Job[Any]] = [
        CELL,
        ATTACK,
        UNIVERSAL,
        REPLAY,
        TASK,
        Replay(people=CELL),
        replace(TASK, setting=None),
    ]
    assert len({key_of(job) for job in jobs}) == len(jobs)


def test_an_unknown_change_is_guessed() -> None:
    with pytest.raises(RobustPoseError, match="unknown defence 'boks3'; did you mean 'box3'"):
        Replay(people=CELL, change="boks3")


@pytest.mark.parametrize(
    ("job", "title"),
    [
        (Replay(people=CELL), "net: clean images"),
        (replace(REPLAY, source=replace(ATTACK, model="other")), "net: images of other box3"),
        (UNIVERSAL, "net: universal perturbation at 8/255"),
        (TASK, "action: IGSM-U-10 at 8/255"),
        (replace(TASK, setting=None), "action: clean"),
        (ATTACK, "net: IGSM-U-10 at 8/255"),
    ],
)
def test_titles_say_what_is_computed(job: Replay | UniversalCell | TaskCell | Cell, title: str) -> None:
    assert job.title == title


def test_sources_come_first_and_once() -> None:
    kept = replace(ATTACK, keep_images=25)
    second = replace(REPLAY, source=kept, change="")
    universal = Replay(people=CELL, source=UNIVERSAL)
    ordered = with_sources([replace(REPLAY, source=kept), second, universal, Replay(people=CELL), CELL, TASK])
    assert ordered == [kept, UNIVERSAL, Replay(CELL), CELL, TASK, replace(REPLAY, source=kept), second, universal]
    assert len({key_of(cell) for cell in ordered}) == len(ordered)
    for place, cell in enumerate(ordered):
        if isinstance(cell, Replay) and cell.source is not None:
            assert key_of(cell.source) in {key_of(before) for before in ordered[:place]}


@pytest.mark.parametrize("order", [(0, 6, 25), (25, 6, 0), (6, 25, 0)])
def test_of_one_cell_the_one_that_keeps_more_pictures_stays(order: tuple[int, ...]) -> None:
    kept = with_sources([replace(ATTACK, keep_images=keep) for keep in order])
    assert [cell.keep_images for cell in kept if isinstance(cell, Cell)] == [25]
    behind = with_sources(
        [replace(ATTACK, keep_images=2), replace(REPLAY, source=replace(ATTACK, keep_images=25))]
    )
    assert [cell.keep_images for cell in behind if isinstance(cell, Cell)] == [25]


def test_nothing_is_left_of_nothing() -> None:
    assert with_sources([]) == []
    assert trajectories([]) == []


def test_a_trajectory_gathers_cells_that_differ_in_their_steps_alone() -> None:
    def of(steps: int, **change: object) -> Cell:
        setting = Setting("igsm", 8 / 255, steps=steps)
        return replace(ATTACK, setting=setting, **change)  # type: ignore[arg-type]

    one: list[Job[Any]] = [of(5), of(20), of(1, keep_images=25)]
    alone: list[Job[Any]] = [
        CELL,
        replace(ATTACK, setting=Setting("fgsm", 8 / 255)),
        of(2, start=25, stop=50),
        of(2, seed=1),
        of(2, model_fingerprint="d"),
        replace(ATTACK, setting=Setting("igsm", 4 / 255, steps=2)),
        replace(ATTACK, setting=Setting("igsm", 8 / 255, steps=2, targeted=True)),
        replace(ATTACK, setting=Setting("igsm", 8 / 255, steps=2, objective="training_loss_all")),
        UNIVERSAL,
        REPLAY,
    ]
    gathered = trajectories([one[0], *alone[:4], one[1], *alone[4:], one[2]])
    assert gathered[0] == one
    assert gathered[1:] == [[cell] for cell in alone]


def test_tasks_share_trajectories_but_not_with_other_tasks() -> None:
    def of(steps: int, **change: object) -> TaskCell:
        return replace(TASK, setting=Setting("igsm", 8 / 255, steps=steps), **change)  # type: ignore[arg-type]

    clean, parts = replace(TASK, setting=None), of(2, task="parts", fingerprint="e")
    assert trajectories([of(1), clean, parts, of(3)]) == [[of(1), of(3)], [clean], [parts]]
