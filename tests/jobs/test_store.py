import errno
import json
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.folders import write_atomically
from robustpose.jobs.job import key_of
from robustpose.jobs.places import Folder
from robustpose.jobs.run import made_here, run_all
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells, workbench
from tests.study.study_fakes import SETTINGS, NoisePeople, files, plan


def test_a_cell_comes_back_as_it_was_put(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path / "a")
    run_cells(tiny, store)
    for cell in tiny.all_cells():
        result, pictures = store.read(cell), store.pictures(cell)
        again = Store(tmp_path / "b")
        again.put(cell, result, pictures, made=made_here("cpu"))
        read = again.read(cell)
        assert read.table.ids == result.table.ids
        assert read.table.skeleton.keypoints == ("left_hand", "right_hand", "nose")
        for field in fields(result.table):
            ours, theirs = getattr(result.table, field.name), getattr(read.table, field.name)
            if isinstance(ours, np.ndarray):
                np.testing.assert_array_equal(ours, theirs)
        assert (read.forwards, read.backwards) == (result.forwards, result.backwards)
        assert read.signals.keys() == result.signals.keys()
        for name, values in result.signals.items():
            assert values.shape == (len(result.table), 3)
            np.testing.assert_array_equal(read.signals[name], values)
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("setting", [None, *SETTINGS])
def test_a_cell_holds_what_official_scores_need(setting: Setting | None, tmp_path: Path) -> None:
    tiny, store = plan(n=3), Store(tmp_path)
    for model in tiny.models:
        cells = tiny.cells(model, setting)
        run_all(cells, workbench(tiny), store)
        result = store.read(cells[0])
        table = result.table
        assert table.score is not None and table.area is not None
        assert table.crops is not None and table.photo is not None
        np.testing.assert_allclose(table.score, result.signals["score"].mean(axis=1), rtol=1e-6)
        assert np.isnan(table.area).all()
        np.testing.assert_array_equal(table.crops, np.broadcast_to(np.eye(2, 3), (3, 2, 3)))
        assert table.photo.tolist() == list(table.ids)


def test_kept_pictures_differ_by_at_most_the_budget(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    run_cells(tiny, store)
    first = tiny.cells(tiny.models[1], tiny.study.settings[1])[0]
    kept = store.pictures(first)
    assert kept.clean.shape == kept.adversarial.shape == (2, 8, 12, 3)
    change = np.abs(kept.adversarial.astype(int) - kept.clean.astype(int))
    assert change.max() == 8


def test_pictures_lie_in_a_file_of_their_own(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    run_cells(tiny, store)
    cells = tiny.all_cells()
    assert {name for name in files(tmp_path) if name.startswith("cells/")} == {
        f"cells/{key_of(cell)}.npz" for cell in cells
    }
    assert {name for name in files(tmp_path) if name.startswith("pictures/")} == {
        f"pictures/{key_of(cell)}.npz" for cell in cells if cell.start == 0
    }
    for cell in cells:
        kept = store.pictures(cell)
        assert len(kept.clean) == (2 if cell.start == 0 else 0)
        assert len(kept.adversarial) == (2 if cell.start == 0 and cell.setting is not None else 0)


def test_a_cell_that_keeps_fewer_pictures_than_asked_is_missing_until_it_is_computed_again(tmp_path: Path) -> None:
    tiny, store = plan(), Store(tmp_path)
    run_cells(tiny, store)
    before = files(tmp_path)
    cell = tiny.cells(tiny.models[1], tiny.study.settings[1])[0]
    more = replace(cell, keep_images=25)
    assert cell in store
    assert replace(cell, keep_images=0) in store
    assert replace(cell, keep_images=3) not in store
    assert more not in store
    assert run_all([more], workbench(tiny), store) == 1
    assert more in store
    kept = store.pictures(more)
    assert kept.clean.shape == kept.adversarial.shape == (25, 8, 12, 3)
    after = files(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {f"pictures/{key_of(cell)}.npz"}
    assert run_all([cell], workbench(tiny), store) == 0
    assert len(store.pictures(cell).clean) == 25


def test_asking_for_more_pictures_than_there_are_readable_people_is_answered_by_all_of_them(
    tmp_path: Path,
) -> None:
    tiny = plan(n=5, people=NoisePeople(broken=(1, 3)))
    store = Store(tmp_path)
    cells = [replace(cell, keep_images=5) for cell in tiny.cells(tiny.models[0], SETTINGS[0])]
    assert run_all(cells, workbench(tiny), store) == 1
    assert len(store.pictures(cells[0]).adversarial) == 3
    assert run_all(cells, workbench(tiny), store) == 0


def test_killed_between_its_pictures_and_itself_a_cell_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, store = plan(), Store(tmp_path / "killed")
    cell = tiny.cells(tiny.models[0], SETTINGS[0])[0]

    def killed(self: Folder, name: str, content: bytes) -> bool:
        if name.startswith("cells/"):
            raise KeyboardInterrupt
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / name, content)
        return True

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            run_all([cell], workbench(tiny), store)
    assert (tmp_path / "killed" / "pictures" / f"{key_of(cell)}.npz").exists()
    assert cell not in store
    assert replace(cell, keep_images=0) not in store
    assert run_all([cell], workbench(tiny), store) == 1
    run_all([cell], workbench(tiny), Store(tmp_path / "undisturbed"))
    assert files(tmp_path / "killed") == files(tmp_path / "undisturbed")


def test_damaged_pictures_are_named(tmp_path: Path) -> None:
    tiny, store = plan(n=3), Store(tmp_path)
    run_cells(tiny, store)
    cell = tiny.all_cells()[0]
    (tmp_path / "pictures" / f"{key_of(cell)}.npz").write_bytes(b"no pictures")
    with pytest.raises(RobustPoseError, match=f"pictures/{key_of(cell)}.npz is damaged"):
        store.pictures(cell)
    assert len(store.read(cell).table) == 3


def test_a_damaged_cell_is_named(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    run_cells(tiny, store)
    cell = tiny.all_cells()[0]
    path = tmp_path / "cells" / f"{key_of(cell)}.npz"
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"not a cell"):
        path.write_bytes(damaged)
        with pytest.raises(RobustPoseError, match=f"{key_of(cell)}.npz is damaged"):
            store.read(cell)
    path.unlink()
    with pytest.raises(RobustPoseError, match="has not been computed"):
        store.read(cell)


def test_other_bytes_anywhere_are_damage_or_make_no_difference(tmp_path: Path) -> None:
    """What a disk or a copy may do to a file: a few bytes, wherever they fall, and never a traceback."""
    tiny, store, generator = plan(n=1), Store(tmp_path), np.random.default_rng(0)
    run_cells(tiny, store)
    cell = tiny.all_cells()[0]
    path = tmp_path / "cells" / f"{key_of(cell)}.npz"
    content, damaged = path.read_bytes(), 0
    for _ in range(300):
        changed = bytearray(content)
        for place in generator.integers(len(content), size=3):
            changed[place] ^= int(generator.integers(1, 256))
        path.write_bytes(changed)
        try:
            store.read(cell)
        except RobustPoseError as error:
            assert "is damaged" in str(error)
            damaged += 1
    assert damaged > 200


def test_a_store_of_the_format_before_is_refused(tmp_path: Path) -> None:
    """Format 1 kept the pictures in the cell's own file."""
    (tmp_path / "store.json").write_text(json.dumps({"format": 1, "robustpose": "0.1.0"}))
    with pytest.raises(RobustPoseError, match="written by another version"):
        Store(tmp_path)
    (tmp_path / "store.json").write_text(json.dumps({"format": 3, "robustpose": "0.1.0"}))
    Store(tmp_path)


@pytest.mark.parametrize("written", ['{"format": 1, "robustpose": "0.0.1"}', '{"format": 99}', "{", "[]"])
def test_a_folder_of_another_version_is_refused_and_left_as_it_is(tmp_path: Path, written: str) -> None:
    (tmp_path / "store.json").write_text(written)
    with pytest.raises(RobustPoseError, match="written by another version"):
        Store(tmp_path)
    assert files(tmp_path) == {"store.json": written.encode()}


def test_the_store_says_who_wrote_it(tmp_path: Path) -> None:
    run_cells(plan(n=1), Store(tmp_path))
    assert set(json.loads((tmp_path / "store.json").read_text())) == {"format"}
    Store(tmp_path)


def test_opening_a_store_writes_nothing(tmp_path: Path) -> None:
    Store(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_cannot_be_written_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = plan(n=1)
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "disk full")))
    with pytest.raises(RobustPoseError, match=f"{tmp_path}: disk full; name a writable folder with free space"):
        run_cells(tiny, Store(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
