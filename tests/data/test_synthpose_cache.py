import errno
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from robustpose.data.synthpose import RENDERER_VERSION, RenderedSet, render_person, rendered_set
from robustpose.data.synthpose.cache import default_folder
from robustpose.errors import RobustPoseError

pytestmark = pytest.mark.slow


def same(one: RenderedSet, other: RenderedSet) -> bool:
    names = (
        "images",
        "mpii",
        "mpii_visibility",
        "coco",
        "coco_visibility",
        "head_size",
        "box",
        "segmentation",
        "action",
    )
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names) and all(
        (one.factors[name] == other.factors[name]).all() for name in one.factors
    )


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.shard"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RenderedSet]:
    """People 40 to 110 of val, made by this process alone: three shards."""
    folder = tmp_path_factory.mktemp("people")
    return folder, rendered_set("val", 40, 110, size=32, processes=1, folder=folder)


def test_set_is_its_people(made: tuple[Path, RenderedSet]) -> None:
    _, people = made
    for row in (0, 9, 10, 69):
        person = render_person("val", 40 + row, size=32)
        assert (people.images[row] == person.image).all()
        assert (people.mpii[row] == person.mpii).all()
        assert (people.coco_visibility[row] == person.coco_visibility).all()
        assert people.head_size[row] == person.head_size
        assert (people.segmentation[row] == person.segmentation).all()
        assert {name: values[row] for name, values in people.factors.items()} == person.factors
    assert people.images.shape == (70, 32, 32, 3)


def test_two_processes_make_the_same_bytes(made: tuple[Path, RenderedSet], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    again = rendered_set(
        "val",
        40,
        110,
        size=32,
        processes=2,
        folder=tmp_path,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert same(made[1], again)
    assert [shard.read_bytes() for shard in shards(tmp_path)] == [shard.read_bytes() for shard in shards(made[0])]
    assert steps[-1] == (70, 70)
    assert len(steps) == 3
    assert not list(tmp_path.rglob("*.part"))


def test_second_time_reads_from_disk(made: tuple[Path, RenderedSet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustpose.data.synthpose.cache.render_person", None)
    assert same(made[1], rendered_set("val", 40, 110, size=32, folder=made[0]))
    part = rendered_set("val", 60, 62, size=32, folder=made[0], with_segmentation=False)
    assert (part.images == made[1].images[20:22]).all()
    assert part.segmentation.shape == (2, 0, 0)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_shard_is_reported_and_made_anew(
    damage: str, made: tuple[Path, RenderedSet], caplog: pytest.LogCaptureFixture
) -> None:
    folder, people = made
    shard = shards(folder)[0]
    whole = shard.read_bytes()
    flipped = bytes([whole[1000] ^ 1])
    shard.write_bytes({"cut": whole[:-10], "flip": whole[:1000] + flipped + whole[1001:], "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        again = rendered_set("val", 40, 110, size=32, processes=1, folder=folder)
    assert "damaged" in caplog.text
    assert same(people, again)
    assert shard.read_bytes() == whole


def test_two_at_once_do_not_fight(made: tuple[Path, RenderedSet], tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from robustpose.data.synthpose import rendered_set\n"
        f"print(rendered_set('val', 50, 100, size=32, processes=1, folder=Path({str(tmp_path)!r})).digest())\n"
    )
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    digests = [process.communicate(timeout=300)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    people = rendered_set("val", 50, 100, size=32, folder=tmp_path)
    assert digests == [people.digest()] * 2
    assert (people.images == made[1].images[10:60]).all()
    assert len(shards(tmp_path)) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_nobody_is_an_empty_set(tmp_path: Path) -> None:
    nobody = rendered_set("train", 7, 7, size=32, folder=tmp_path)
    assert nobody.images.shape == (0, 32, 32, 3)
    assert nobody.mpii.shape == (0, 16, 2)


def test_folder_is_the_users_choice_and_names_the_renderer(
    made: tuple[Path, RenderedSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBUSTPOSE_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "synthpose"
    monkeypatch.delenv("ROBUSTPOSE_CACHE")
    assert default_folder().name == "synthpose"
    assert shards(made[0])[0].relative_to(made[0]).parts[0] == RENDERER_VERSION


def test_people_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match="people are 0 to 999, got 990 to 1004"):
        rendered_set("test", 990, 1005, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_truth_does_not_depend_on_nuisance(tmp_path: Path) -> None:
    plain = rendered_set("val", 40, 45, size=32, nuisance=False, processes=1, folder=tmp_path)
    camera = rendered_set("val", 40, 45, size=32, processes=1, folder=tmp_path)
    assert np.array_equal(plain.mpii, camera.mpii)
    assert not np.array_equal(plain.images, camera.images)


def is_alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the children of a process from /proc")
def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "render.py"
    script.write_text(
        "from pathlib import Path\n"
        "from robustpose.data.synthpose import rendered_set\n"
        "if __name__ == '__main__':\n"
        f"    rendered_set('train', 0, 100_000, size=32, processes=2, folder=Path({str(tmp_path)!r}))\n"
    )
    renderer = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("*.shard")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = Path(f"/proc/{renderer.pid}/task/{renderer.pid}/children").read_text().split()
    assert len(children) >= 2
    renderer.kill()
    renderer.wait()
    while alive := [child for child in children if is_alive(child)]:
        assert time.monotonic() < deadline, f"workers {alive} outlived the process that started them"
        time.sleep(0.1)


REFUSALS = {"ENOSPC": "No space left on device", "EACCES": "Permission denied", "ENOTDIR": "Not a directory"}


def refuse(monkeypatch: pytest.MonkeyPatch, where: str, code: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(getattr(errno, code), REFUSALS[code])

    monkeypatch.setattr(where, refused)


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize(
    "where", ["pathlib.Path.mkdir", "robustpose.data.synthpose.cache.tempfile.mkstemp", "pathlib.Path.read_bytes"]
)
def test_what_the_disk_refuses_names_the_folder_and_how_to_choose_another(
    where: str, code: str, made: tuple[Path, RenderedSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made[0] if "read" in where else tmp_path
    render_person("val", 0, size=32)  # loads the assets
    monkeypatch.setattr("robustpose.data.synthpose.cache.PEOPLE_PER_SHARD", 50 if "read" in where else 1)
    refuse(monkeypatch, where, code)
    with pytest.raises(RobustPoseError, match=f"{folder}.*: {REFUSALS[code]}; .*set ROBUSTPOSE_CACHE"):
        rendered_set("val", 50, 51, size=32, processes=1, folder=folder)


def test_a_file_where_the_cache_should_be_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBUSTPOSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(RobustPoseError, match=r"file/synthpose/.*ROBUSTPOSE_CACHE"):
        rendered_set("val", 0, 1, size=32)


def test_what_a_killed_process_left_goes_and_what_another_writes_stays(
    made: tuple[Path, RenderedSet],
) -> None:
    folder = shards(made[0])[0].parent
    left, being_written = folder / "00000-left.part", folder / "00000-now.part"
    for aside in (left, being_written):
        aside.write_bytes(b"half")
    os.utime(left, (time.time() - 3600, time.time() - 3600))
    rendered_set("val", 50, 51, size=32, folder=made[0])
    assert not left.exists()
    assert being_written.exists()
    being_written.unlink()


class KilledPool:
    """A pool whose processes were killed."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> "KilledPool":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, *_: object) -> Future[None]:
        task: Future[None] = Future()
        task.set_exception(BrokenProcessPool("a process was terminated abruptly"))
        return task

    def shutdown(self, **_: object) -> None: ...


def test_a_killed_worker_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustpose.data.synthpose.cache.ProcessPoolExecutor", KilledPool)
    with pytest.raises(RobustPoseError, match=r"was killed, perhaps because memory ran out.*fewer --processes"):
        rendered_set("val", 0, 100, size=32, processes=2, folder=tmp_path)


@pytest.mark.parametrize(("start", "stop"), [(0, 2.5), ("0", 2)])
def test_people_are_numbered_in_whole_numbers(start: int, stop: int, tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match="people of synthpose: expected a whole number"):
        rendered_set("val", start, stop, size=32, folder=tmp_path)
