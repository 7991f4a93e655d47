"""The same cells on Ray: the same bytes, whoever dies; and shards of job arrays."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import Job, key_of, trajectories, with_sources
from robustpose.jobs.ray import RayEngine
from robustpose.jobs.run import Shard, run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.jobs.transfer import Replay
from robustpose.study.definition import View
from robustpose.study.plan import workbench
from robustpose.types import Batch
from tests.study.study_fakes import NoisePeople, files, plan

STRONG = Setting("igsm", 8 / 255, steps=3)


def everything() -> list[Job[Any]]:
    tiny = plan()
    transfer = View(setting=STRONG, source="linear")
    return [*tiny.all_cells(), *tiny.seen_cells("heatmaps", transfer)]


@pytest.fixture
def one_thread() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Deadly(NoisePeople):
    """Whoever loads these people first is killed; `grave` remembers that it happened."""

    grave: str = ""

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        try:
            Path(self.grave).touch(exist_ok=False)
        except FileExistsError:
            return super().load(rows, input_size=input_size, padding=padding)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")


@pytest.mark.slow
def test_two_workers_store_the_same_bytes_though_one_is_killed(tmp_path: Path, one_thread: None) -> None:
    pytest.importorskip("ray", reason="the ray engine needs ray")
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    cells = everything()
    assert any(isinstance(cell, Replay) for cell in cells)
    computed = run_all(cells, workbench(plan()), here)
    deadly = plan(people=Deadly(grave=str(tmp_path / "grave")))
    bench = workbench(deadly)
    assert run_all(cells, bench, there, engine=RayEngine(workers=2)) == computed
    assert (tmp_path / "grave").exists()
    assert files(tmp_path / "here") == files(tmp_path / "there")
    assert run_all(cells, bench, there, engine=RayEngine(workers=2)) == 0


@pytest.mark.slow
def test_what_goes_wrong_in_a_worker_is_said_as_it_is_here(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray engine needs ray")
    tiny = plan(n=25)
    with torch.no_grad():
        next(tiny.models[1].module.parameters()).fill_(float("nan"))  # type: ignore[attr-defined]
    with pytest.raises(RobustPoseError, match="person p0: the model returned NaN or infinity"):
        run_all(tiny.cells(tiny.models[1], None), workbench(tiny), Store(tmp_path), engine=RayEngine(workers=1))


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray engine needs ray")
    with pytest.raises(RobustPoseError, match="ray at auto: "):
        run_all(plan().all_cells(), workbench(plan()), Store(tmp_path), engine=RayEngine(address="auto"))


@pytest.mark.parametrize("wrong", [{"workers": -1}, {"threads": 0}, {"gpus": -0.5}])
def test_numbers_of_workers_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(RobustPoseError, match="workers, threads and gpus must be"):
        RayEngine(**wrong)  # type: ignore[arg-type]


def test_shards_share_the_walks_and_the_last_run_finishes(tmp_path: Path) -> None:
    alone, shared = Store(tmp_path / "alone"), Store(tmp_path / "shared")
    cells, bench = everything(), workbench(plan())
    total = run_all(cells, bench, alone)
    counts = [run_all(cells, bench, shared, shard=Shard(index, 3)) for index in (3, 1, 2)]
    assert all(count < total for count in counts)
    waiting = total - sum(counts)
    assert run_all(cells, bench, shared) == waiting
    assert run_all(cells, bench, shared, shard=Shard(2, 3)) == 0
    assert files(tmp_path / "alone") == files(tmp_path / "shared")


def test_shards_are_disjoint_and_together_everything() -> None:
    together = trajectories(with_sources(everything()))
    shares = [[key_of(cell) for walk in Shard(index, 3).of(together) for cell in walk] for index in (1, 2, 3)]
    assert sorted(key for share in shares for key in share) == sorted(key_of(c) for walk in together for c in walk)
    assert all(share for share in shares)


@pytest.mark.parametrize(("index", "count"), [(0, 2), (3, 2), (1, 0)])
def test_a_shard_that_does_not_exist(index: int, count: int) -> None:
    with pytest.raises(RobustPoseError, match="1 <= i <= n"):
        Shard(index, count)


@dataclass(frozen=True)
class Fatal(NoisePeople):
    """Whoever loads these people is killed, each time."""

    def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")


@pytest.mark.slow
def test_a_task_that_kills_every_worker_ends_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray engine needs ray")
    tiny = plan(people=Fatal())
    with pytest.raises(RobustPoseError, match="ray workers died") as caught:
        run_all(tiny.all_cells()[:1], workbench(tiny), Store(tmp_path), engine=RayEngine(workers=1))
    assert "\n" not in str(caught.value)
