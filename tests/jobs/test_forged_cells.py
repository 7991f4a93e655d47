"""What a disk, a copy or somebody else may put in the place of a cell: none of it is believed."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.attack import Cell
from robustpose.jobs.job import key_of
from robustpose.jobs.results import CellResult
from robustpose.jobs.run import run_all
from robustpose.jobs.sealed import is_sealed, seal, unseal
from robustpose.jobs.store import Store
from robustpose.study.plan import run_cells, workbench
from tests.study.study_fakes import SETTINGS, files, plan

Content = tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]


def stored(folder: Path) -> tuple[Store, Cell, Path]:
    """A store with one attacked cell of six people, and the cell's file."""
    tiny, store = plan(n=6), Store(folder)
    cell = tiny.cells(tiny.models[0], SETTINGS[0])[0]
    run_all([cell], workbench(tiny), store)
    return store, cell, folder / "cells" / f"{key_of(cell)}.npz"


def _nan(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["predicted"][2, 0, 0] = np.nan


def _three(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    about["ids"] = about["ids"][:3]
    for name in [name for name in arrays if name != "about"]:
        arrays[name] = arrays[name][:3]


def _complex(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["predicted"] = arrays["predicted"].astype(np.complex128)


def _text(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["keypoints"] = arrays["keypoints"].astype("U8")


def _longer(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["visible"] = np.concatenate([arrays["visible"]] * 2)


def _more(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["weights"] = np.zeros(1000)


def _twice(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    about["ids"][1] = about["ids"][0]


def _numbers(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    about["ids"] = list(range(6))


def _unknown_truth(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["keypoints"][0, 1] = np.inf


def _half_target(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["target"] = arrays["keypoints"]


def _no_passes(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    about["backwards"] = -1


def _other_job(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    about["job"]["seed"] = 7


def _other_version(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    about["job"]["versions"]["torch"] = "9.9"


def _no_object(about: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["predicted"] = np.array([[None]], dtype=object)


FORGERIES: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], None], str]] = {
    "NaN": (_nan, "its predictions are not all finite"),
    "three of six people": (_three, "it holds 3 people, its job has 6"),
    "complex numbers": (_complex, "an array of type complex128"),
    "text": (_text, r"keypoints has shape \(6, 3, 2\) and type <U8"),
    "another length": (_longer, r"visible has shape \(12, 3\)"),
    "an array too many": (_more, "it holds an array 'weights'"),
    "a person twice": (_twice, "a person is there twice"),
    "ids that are numbers": (_numbers, "ids is no list of texts"),
    "an infinite truth": (_unknown_truth, "its true keypoints are not all finite"),
    "half a target": (_half_target, "it holds a target without its visibility"),
    "passes below 0": (_no_passes, "backwards is -1"),
    "another seed": (_other_job, "it holds the result of another job"),
    "another version": (_other_version, "it holds the result of another job"),
}


@pytest.mark.parametrize("kind", FORGERIES)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "format 4"])
def test_a_forged_cell_is_damaged(kind: str, sealed: bool, tmp_path: Path) -> None:
    """Even where its checksum was made again, and in a store of the format before, which had none."""
    forge, what = FORGERIES[kind]
    store, cell, path = stored(tmp_path)
    about, arrays = unseal(path.read_bytes())
    arrays = {name: values.copy() for name, values in arrays.items()}
    forge(about, arrays)
    if sealed:
        path.write_bytes(seal(about, arrays))
    else:
        del about["format"]
        held = {**arrays, "about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
        np.savez_compressed(path, **held)  # type: ignore[arg-type]
    with pytest.raises(RobustPoseError, match=rf"{key_of(cell)}.npz is damaged \({what}"):
        store.read(cell)


def test_a_cell_whose_checksum_was_cut_off_is_damaged(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    about, arrays = unseal(path.read_bytes())
    held = {**arrays, "about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    np.savez_compressed(path, **held)  # type: ignore[arg-type]
    with pytest.raises(RobustPoseError, match="its checksum is missing"):
        store.read(cell)


def test_swapped_cells_are_damaged_both(tmp_path: Path) -> None:
    tiny, store = plan(n=6), Store(tmp_path)
    run_cells(tiny, store)
    one, other = (tiny.cells(model, SETTINGS[0])[0] for model in tiny.models)
    paths = [tmp_path / "cells" / f"{key_of(cell)}.npz" for cell in (one, other)]
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    found = store.damaged(tiny.all_cells())
    assert set(found) == {f"cells/{path.name}" for path in paths}
    assert all("it holds the result of another job" in line for line in found.values())


def test_swapped_pictures_are_damaged(tmp_path: Path) -> None:
    tiny, store = plan(n=6), Store(tmp_path)
    run_cells(tiny, store)
    one, other = (tiny.cells(model, SETTINGS[0])[0] for model in tiny.models)
    source = tmp_path / "pictures" / f"{key_of(other)}.npz"
    (tmp_path / "pictures" / f"{key_of(one)}.npz").write_bytes(source.read_bytes())
    with pytest.raises(RobustPoseError, match=f"it holds the images of {key_of(other)}"):
        store.pictures(one)
    assert set(store.damaged([one, other])) == {f"pictures/{key_of(one)}.npz"}


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    content, generator = path.read_bytes(), np.random.default_rng(0)
    for place in generator.integers(len(content), size=300):
        changed = bytearray(content)
        changed[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(changed)
        with pytest.raises(RobustPoseError, match="is damaged"):
            store.read(cell)


def test_a_header_of_a_million_million_rows_takes_no_memory(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    about, arrays = unseal(path.read_bytes())
    del about["format"]
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 3, 2)})
    del arrays["predicted"]
    held = {**arrays, "about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    np.savez_compressed(path, **held)  # type: ignore[arg-type]
    import zipfile

    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("predicted.npy", head.getvalue())
    with pytest.raises(RobustPoseError, match=r"an array of shape \(1000000000000, 3, 2\) in 0 bytes"):
        store.read(cell)


def test_what_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("extra.npy", "w") as entry:
        for _ in range(1100):
            entry.write(bytes(1_000_000))
    with pytest.raises(RobustPoseError, match="it unpacks to more than 1 GB"):
        store.read(cell)


def test_damaged_cells_are_all_named_set_aside_and_computed_again(tmp_path: Path) -> None:
    tiny = plan(n=6)
    run_cells(tiny, Store(tmp_path / "whole"))
    store = Store(tmp_path / "damaged")
    run_cells(tiny, store)
    first, second, *_ = tiny.all_cells()
    broken = {f"cells/{key_of(cell)}.npz" for cell in (first, second)}
    for name in broken:
        (tmp_path / "damaged" / name).write_bytes(b"no cell")
    (tmp_path / "damaged" / "pictures" / f"{key_of(first)}.npz").write_bytes(b"no pictures")
    lines: list[str] = []
    assert run_all(tiny.all_cells(), workbench(tiny), store, on_damaged=lines.append) == 2
    assert sum("/cells/" in line for line in lines) == 2
    assert sum("/pictures/" in line for line in lines) == 1
    aside = {name for name in files(tmp_path / "damaged") if name.startswith("damaged/")}
    assert aside == {f"damaged/{name.replace('/', '-')}" for name in {*broken, f"pictures/{key_of(first)}.npz"}}
    after = {name: held for name, held in files(tmp_path / "damaged").items() if name not in aside}
    assert after == files(tmp_path / "whole")


def test_a_cell_of_the_format_before_is_read_and_stays(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    about, arrays = unseal(path.read_bytes())
    result = store.read(cell)
    del about["format"], about["made"]
    held = {**arrays, "about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    np.savez_compressed(path, **held)  # type: ignore[arg-type]
    (tmp_path / "store.json").write_text(json.dumps({"format": 4}))
    again = Store(tmp_path)
    np.testing.assert_array_equal(again.read(cell).table.predicted, result.table.predicted)
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 4}
    other = replace(cell, seed=3)
    again.put(other, result)
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 5}
    assert not is_sealed(path.read_bytes())
    assert is_sealed((tmp_path / "cells" / f"{key_of(other)}.npz").read_bytes())
    assert cell in Store(tmp_path)


def test_a_stored_result_is_written_once(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    before, result = path.read_bytes(), store.read(cell)
    moved = CellResult(table=replace(result.table, predicted=result.table.predicted + 1))
    assert not store.put(cell, moved)
    assert path.read_bytes() == before


def test_an_object_says_what_made_it(tmp_path: Path) -> None:
    store, cell, path = stored(tmp_path)
    about = store.about(key_of(cell))
    assert about["job"]["seed"] == 0
    assert about["job"]["setting"]["attack"] == "fgsm"
    assert about["made"]["device"] == "cpu"
    assert about["made"]["threads"] == 1
    assert about["job"]["versions"]["torch"] == about["made"]["torch"]
    assert "predicted" in np.load(path).files, "numpy alone reads it"
