import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.study import Store, run_cells
from tests.study.study_fakes import files, plan


def test_a_cell_comes_back_as_it_was_put(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path / "a")
    run_cells(tiny, store)
    for cell in tiny.all_cells():
        result = store.get(cell)
        again = Store(tmp_path / "b")
        again.put(cell, result)
        read = again.get(cell)
        assert read.table.ids == result.table.ids
        assert read.table.skeleton.keypoints == ("left_hand", "right_hand", "nose")
        for field in fields(result.table):
            ours, theirs = getattr(result.table, field.name), getattr(read.table, field.name)
            if isinstance(ours, np.ndarray):
                np.testing.assert_array_equal(ours, theirs)
        assert (read.forwards, read.backwards) == (result.forwards, result.backwards)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_kept_pictures_differ_by_at_most_the_budget(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    run_cells(tiny, store)
    first = tiny.cells(tiny.models[1], tiny.study.settings[1])[0]
    result = store.get(first)
    assert result.clean_images.shape == result.adversarial_images.shape == (2, 8, 12, 3)
    change = np.abs(result.adversarial_images.astype(int) - result.clean_images.astype(int))
    assert change.max() == 8


def test_a_damaged_cell_is_named(tmp_path: Path) -> None:
    tiny = plan()
    store = Store(tmp_path)
    run_cells(tiny, store)
    cell = tiny.all_cells()[0]
    path = tmp_path / "cells" / f"{cell.key}.npz"
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"not a cell"):
        path.write_bytes(damaged)
        with pytest.raises(RobustPoseError, match=f"{cell.key}.npz is damaged"):
            store.get(cell)
    path.unlink()
    with pytest.raises(RobustPoseError, match="has not been computed"):
        store.get(cell)


@pytest.mark.parametrize("written", ['{"format": 1, "robustpose": "0.0.1"}', '{"format": 99}', "{", "[]"])
def test_a_folder_of_another_version_is_refused_and_left_as_it_is(tmp_path: Path, written: str) -> None:
    (tmp_path / "store.json").write_text(written)
    with pytest.raises(RobustPoseError, match="written by another version"):
        Store(tmp_path)
    assert files(tmp_path) == {"store.json": written.encode()}


def test_the_store_says_who_wrote_it(tmp_path: Path) -> None:
    run_cells(plan(n=1), Store(tmp_path))
    assert set(json.loads((tmp_path / "store.json").read_text())) == {"format", "robustpose"}
    Store(tmp_path)


def test_opening_a_store_writes_nothing(tmp_path: Path) -> None:
    Store(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_cannot_be_written_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = plan(n=1)
    monkeypatch.setattr(Path, "replace", lambda self, to: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        run_cells(tiny, Store(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
