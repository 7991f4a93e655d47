"""Folders that hold results: files of other writers, of killed ones, and folders that move."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robustpose import folders
from robustpose.errors import RobustPoseError
from robustpose.folders import create_atomically, write_atomically
from robustpose.jobs.journal import Journal, read_journal
from robustpose.jobs.places import Folder, open_place
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells, workbench
from tests.study.study_fakes import files, plan

WRITER = """
import socket, sys
from pathlib import Path
import os
from robustpose import folders
socket.gethostname = lambda: "same-name"
os.getpid = lambda: 7
path, letter = Path(sys.argv[1]), sys.argv[2].encode()
for _ in range(200):
    folders.write_atomically(path, letter * 300_000)
"""


def test_writers_of_one_number_on_one_host_name_do_not_mix(tmp_path: Path) -> None:
    """Containers that share a folder may all be process 7 of a host of one name."""
    path = tmp_path / "file"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            content = path.read_bytes()
            assert len(content) == 300_000
            assert len(set(content)) == 1, "two writers wrote one file"
            seen.add(content[:1])
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_is_written_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def told(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **more: object) -> object:
            order.append(name)
            return call(*args, **more)

        return run

    monkeypatch.setattr(os, "fsync", told("sync", os.fsync))
    monkeypatch.setattr(os, "link", told("link", os.link))
    assert create_atomically(tmp_path / "file", b"content")
    assert order == ["sync", "link", "sync"], "the file, its name, and the folder that holds the name"


def test_of_two_that_create_a_file_one_is_told_that_it_came_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    link = os.link

    def late(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        assert create_atomically(path, b"first")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert not create_atomically(path, b"second")
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_writer_left_is_removed_an_hour_later(tmp_path: Path) -> None:
    cells = tmp_path / "cells"
    cells.mkdir()
    left, under_way = cells / ".a.npz.host-1-00.part", cells / ".b.npz.host-2-00.part"
    for path in (left, under_way):
        path.write_bytes(b"half")
    os.utime(left, (time.time() - 4000,) * 2)
    run_cells(plan(n=1), Store(tmp_path))
    assert not left.exists()
    assert under_way.exists()


def test_leftovers_are_dated_by_the_folders_own_clock(tmp_path: Path) -> None:
    left = tmp_path / ".a.part"
    left.write_bytes(b"half")
    now = left.stat().st_mtime
    folders.remove_leftovers(tmp_path, now=now + 3000)
    assert left.exists()
    folders.remove_leftovers(tmp_path, now=now + 4000)
    assert not left.exists()


def test_a_folder_that_moves_while_a_run_writes_to_it_ends_the_run(tmp_path: Path) -> None:
    tiny, before, after = plan(), tmp_path / "before", tmp_path / "after"
    with pytest.raises(RobustPoseError, match=f"{before} was moved or removed while this run wrote to it"):
        run_all(tiny.all_cells(), workbench(tiny), Store(before), on_done=lambda done: moved(before, after))
    assert not before.exists(), "half of a run lies in a new folder"
    run_cells(tiny, Store(after))
    run_cells(tiny, Store(tmp_path / "undisturbed"))
    assert files(after) == files(tmp_path / "undisturbed")


def moved(before: Path, after: Path) -> None:
    if before.exists():
        before.rename(after)


def test_a_killed_runs_results_are_attributed(tmp_path: Path) -> None:
    tiny, store = plan(), Store(tmp_path)
    journal = Journal(store.place, {"command": "robustpose study tiny"})
    count = 0

    def killed_at_the_third(done: object) -> None:
        nonlocal count
        journal.note(done)  # type: ignore[arg-type]
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(tiny.all_cells(), workbench(tiny), store, on_done=killed_at_the_third)
    (part,) = (tmp_path / "journal").iterdir()
    part.write_bytes(part.read_bytes() + b'{"keys": ["half a li')
    (ran,) = read_journal(store.place)
    assert ran.about["command"] == "robustpose study tiny"
    assert {key for line in ran.lines for key in line["keys"]} == {*store.names()}
    assert ran.computed == len(store.names()) == 3
    assert all(line["seconds"] >= 0 and line["passes"] > 0 and line["device"] == "cpu" for line in ran.lines)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("a file in the way")
    with pytest.raises(RobustPoseError, match=f"{tmp_path}: File exists; name a writable folder"):
        run_cells(plan(n=1), Store(tmp_path))


def test_names_of_a_folder_are_the_newest_first(tmp_path: Path) -> None:
    place = open_place(tmp_path)
    assert isinstance(place, Folder)
    for age, name in enumerate("abc"):
        write_atomically(tmp_path / name, b"")
        place.create(f"cells/{name}", b"")
        os.utime(tmp_path / "cells" / name, (1000 + age, 1000 + age))
    assert place.names("cells") == ["cells/c", "cells/b", "cells/a"]
    assert place.names("nothing") == []
