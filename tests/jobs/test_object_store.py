"""Results in an object store: in memory, on a real S3 server, and through a proxy that fails a fifth of calls."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.journal import Journal, read_journal
from robustpose.jobs.places import POINTER, Place, folder_of, open_place, publish
from robustpose.jobs.run import run_all
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells, workbench
from robustpose.study.saved import load_study, save_study
from robustpose.upkeep.merge import merge
from robustpose.upkeep.verify import verify
from tests.jobs.s3_server import failing_proxy, s3_server
from tests.study.study_fakes import SETTINGS, files, plan

pytest.importorskip("obstore", reason="object stores need obstore")


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    pytest.importorskip("moto", reason="the S3 server of the tests is moto's")
    with s3_server() as port:
        yield port


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = uuid.uuid4().hex
    if request.param == "memory":
        return f"memory://{name}/run"
    point_to(request.getfixturevalue("server"), monkeypatch)
    return f"s3://bucket/{name}"


def point_to(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }.items():
        monkeypatch.setenv(key, value)


def objects(place: Place) -> dict[str, bytes]:
    return {name: place.read(name) for folder in ("cells", "pictures") for name in place.names(folder)}


def test_a_study_leaves_the_same_bytes_as_in_a_folder(url: str, tmp_path: Path) -> None:
    tiny = plan()
    run_cells(tiny, Store(tmp_path))
    store = Store(url)
    assert run_cells(tiny, store) == len(tiny.all_cells())
    here = {name: content for name, content in files(tmp_path).items() if name != "store.json"}
    assert objects(store.place) == here
    again = Store(url)
    assert run_cells(tiny, again) == 0
    cell = tiny.all_cells()[-1]
    assert (again.read(cell).table.predicted == Store(tmp_path).read(cell).table.predicted).all()
    assert json.loads(store.place.read("store.json")) == {"format": 5}


def test_of_many_that_create_one_object_one_succeeds(url: str) -> None:
    place = open_place(url)
    barrier, won = Barrier(8), []

    def create(number: int) -> None:
        barrier.wait()
        if place.create("cells/x.npz", b"%d" % number):
            won.append(number)

    threads = [Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert place.read("cells/x.npz") == b"%d" % winner


def test_a_flipped_byte_is_found_and_computed_again(url: str) -> None:
    tiny, store = plan(n=3, settings=SETTINGS[:1]), Store(url)
    run_cells(tiny, store)
    name = store.place.names("cells")[0]
    content = bytearray(store.place.read(name))
    content[len(content) // 2] ^= 1
    before = objects(store.place)
    store.place.replace(name, bytes(content))
    assert set(verify(store.place).damaged) == {name}
    told: list[str] = []
    assert run_all(tiny.all_cells(), workbench(tiny), Store(url), on_damaged=told.append) == 1
    assert len(told) == 1
    assert objects(store.place) == before


def test_a_journal_of_many_lines_is_read_back(url: str) -> None:
    tiny, store = plan(), Store(url)
    journal = Journal(store.place, {"command": "here"})

    def three_times(done: object) -> None:
        for _ in range(30):
            journal.note(done)  # type: ignore[arg-type]

    run_all(tiny.all_cells()[:8], workbench(tiny), store, on_done=three_times)
    (ran,) = read_journal(store.place)
    assert len(ran.lines) == 30 * len(store.names())
    assert len(store.place.names("journal")) == 3  # of a hundred lines each


def test_a_folder_points_to_a_url(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder, tiny = folder_of(url), plan(n=3, settings=())
    assert json.loads((folder / POINTER).read_text()) == {"url": url}
    save_study(tiny.study, folder)
    run_cells(tiny, Store(folder))
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("page")
    publish(folder)
    place = open_place(url)
    assert place.read("report/index.html") == b"page"
    assert len(place.names("cells")) == 2
    assert not (folder / "cells").exists()
    monkeypatch.chdir(tmp_path / "runs")  # another machine
    assert load_study(folder_of(url)) == tiny.study
    assert open_place(folder / "photos").path("x") == f"{url}/photos/x"


def test_folders_and_urls_merge(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = plan(n=3)
    for folder, settings in ((tmp_path / "a", SETTINGS[:2]), (tmp_path / "b", SETTINGS[2:])):
        part = plan(n=3, settings=settings)
        run_cells(part, Store(folder))
        save_study(tiny.study, folder)
    done = merge([tmp_path / "a", tmp_path / "b"], folder_of(url))
    assert (done.new, done.there) == (len(tiny.all_cells()), 2)
    assert run_cells(tiny, Store(url)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_of_all_calls_may_fail(
    seed: int, server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, or done and not answered: the study ends with the same bytes, and nothing is there twice."""
    tiny = plan(settings=SETTINGS[:2])
    run_cells(tiny, Store(tmp_path))
    here = {name: content for name, content in files(tmp_path).items() if name != "store.json"}
    with failing_proxy(server, seed=seed) as proxy:
        point_to(proxy.server_address[1], monkeypatch)
        store = Store(f"s3://bucket/{uuid.uuid4().hex}")
        journal = Journal(store.place, {"command": "here"})
        assert run_all(tiny.all_cells(), workbench(tiny), store, on_done=journal.note) == len(tiny.all_cells())
        assert objects(store.place) == here
        assert verify(store.place).damaged == {}
        (ran,) = read_journal(store.place)
        assert ran.computed == len(tiny.all_cells())
    assert proxy.failed > 5
    assert proxy.unheard > 2
    assert 0.05 < proxy.failed / proxy.calls < 0.4


def test_a_server_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from robustpose.jobs import object_store

    point_to(9, monkeypatch)
    monkeypatch.setattr(object_store, "_PATIENCE", timedelta(seconds=1))
    with pytest.raises(RobustPoseError, match="s3://bucket/run: ") as caught:
        Store("s3://bucket/run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("ftp://host/run", "a store is a folder or a URL of s3://, gs://, az://, memory://"),
        ("s3://", "names no bucket"),
        ("memory:///", "names no bucket"),
    ],
)
def test_urls_that_are_none(given: str, line: str) -> None:
    with pytest.raises(RobustPoseError, match=line):
        open_place(given)


def test_a_pointer_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    (tmp_path / POINTER).write_text("{}")
    with pytest.raises(RobustPoseError, match="does not say where results lie"):
        Store(tmp_path)
