import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robustpose.analysis.scores import result_rows, write_results
from robustpose.jobs.run import CellProgress
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells
from tests.study.study_fakes import files, plan

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SLOW_STUDY = """
import sys, time
from pathlib import Path
from robustpose.analysis.scores import result_rows, write_results
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells
from tests.study.study_fakes import plan
folder, pause = Path(sys.argv[1]), float(sys.argv[2])
tiny = plan()
store = Store(folder)
run_cells(tiny, store, on_progress=lambda progress: time.sleep(pause))
write_results(result_rows(tiny, store), folder / "results.csv")
"""


def run_study(folder: Path, *, pause: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SLOW_STUDY, str(folder), str(pause)], cwd=ROOT)


def wait_for_cells(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list((folder / "cells").glob("*.npz"))) < count:
        assert time.monotonic() < deadline, "the study computed no cell in a minute"
        time.sleep(0.02)


def test_killed_and_run_again_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert run_study(undisturbed, pause=0).wait() == 0
    for cells in (1, 4):
        process = run_study(killed, pause=0.2)
        wait_for_cells(killed, cells)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (killed / "results.csv").exists()
    assert len(files(killed)) < len(files(undisturbed))
    assert run_study(killed, pause=0).wait() == 0
    assert files(killed) == files(undisturbed)


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    total = len(tiny.all_cells())
    assert total == 2 * 5 * 2  # models, clean and four settings, blocks of 25 people
    assert run_cells(tiny, store) == total
    seen: list[CellProgress] = []
    assert run_cells(tiny, store, on_progress=seen.append) == 0
    assert [(p.work, p.total_work, p.cell) for p in seen] == [(0, 0, None)]


def test_an_interrupted_cell_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = plan()
    store = Store(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_cells(tiny, store)
    assert not any(cell in store for cell in tiny.all_cells())


def test_cells_of_untargeted_attacks_are_shared_by_studies_of_other_sizes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_cells(plan(n=25), store)
    bigger = plan(n=30)
    shared = [cell for cell in bigger.all_cells() if cell in store]
    assert {cell.start for cell in shared} == {0}
    assert all(cell.setting is None or not cell.setting.targeted for cell in shared)
    assert len(shared) == 2 * 4


def test_results_are_the_same_bytes_when_written_twice(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    run_cells(tiny, store)
    for name in ("a.csv", "b.csv"):
        write_results(result_rows(tiny, store), tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
