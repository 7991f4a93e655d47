"""status, verify, merge, prune, diff and export on a tiny study; what each says is counted by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from robustpose.errors import RobustPoseError
from robustpose.jobs.job import key_of, with_sources
from robustpose.jobs.journal import Journal
from robustpose.jobs.run import Shard, run_all
from robustpose.jobs.sealed import seal, unseal
from robustpose.jobs.store import Store
from robustpose.study.plan import Plan, run_cells, workbench
from robustpose.study.saved import save_study
from robustpose.upkeep.compare import compare_runs
from robustpose.upkeep.export import export
from robustpose.upkeep.merge import merge
from robustpose.upkeep.opened import OpenedRun
from robustpose.upkeep.prune import prune, unasked
from robustpose.upkeep.status import status_of
from robustpose.upkeep.verify import verify
from tests.conftest import LinearPose
from tests.study.study_fakes import SETTINGS, NoisePeople, files, plan, tiny_models


def opened(folder: Path, tiny: Plan) -> OpenedRun:
    return OpenedRun(folder, tiny, Store(folder), tuple(with_sources(tiny.all_cells())))


def test_status_counts_what_is_stored_and_measures_the_rest(tmp_path: Path) -> None:
    tiny, store = plan(settings=SETTINGS[:2]), Store(tmp_path)
    journal = Journal(store.place, {"command": "robustpose study tiny --n 30"})
    done = [*tiny.cells(tiny.models[0], None), *tiny.cells(tiny.models[0], SETTINGS[1])[:1]]
    run_all(done, workbench(tiny), store, on_done=journal.note)
    status = status_of(opened(tmp_path, tiny))
    counted = {(line.model, line.attack): (line.done, line.total) for line in status.lines}
    assert counted["linear", "clean"] == (2, 2)
    assert counted["linear", SETTINGS[1].title] == (1, 2)
    assert counted["heatmaps", SETTINGS[0].title] == (0, 2)
    assert (status.done, status.total) == (3, 12)
    # 25 or 5 people; a clean pass 1, FGSM 2 + 1, three steps of IGSM 6 + 1
    left = 5 * 7 + 30 * 3 + 30 * 1 + 30 * 3 + 30 * 7
    assert status.passes_left == left
    (part,) = (tmp_path / "journal").iterdir()
    lines = [json.loads(line) for line in part.read_text().splitlines()[1:]]
    seconds, passes = sum(line["seconds"] for line in lines), sum(line["passes"] for line in lines)
    assert passes == 30 + 25 * 7
    assert status.seconds_left == pytest.approx(left * seconds / passes)
    assert status.last_command == "robustpose study tiny --n 30"
    run_cells(tiny, store)
    assert status_of(opened(tmp_path, tiny)).passes_left == 0


def test_verify_of_a_whole_store_finds_nothing(tmp_path: Path) -> None:
    tiny = plan()
    run_cells(tiny, Store(tmp_path))
    found = verify(Store(tmp_path).place)
    assert found.damaged == {}
    stored = [name for name in files(tmp_path) if name.endswith(".npz")]
    assert (found.objects, found.unsealed) == (len(stored), 0)


@pytest.mark.parametrize("folder", ["cells", "pictures"])
def test_verify_finds_each_flipped_byte(folder: str, tmp_path: Path) -> None:
    run_cells(plan(n=3, settings=SETTINGS[:1]), Store(tmp_path))
    path = min((tmp_path / folder).iterdir())
    content, generator = path.read_bytes(), np.random.default_rng(1)
    for place in generator.integers(len(content), size=40):
        changed = bytearray(content)
        changed[place] ^= int(generator.integers(1, 256))
        path.write_bytes(changed)
        assert {*verify(Store(tmp_path).place).damaged} == {f"{folder}/{path.name}"}


def test_verify_finds_a_byte_that_still_parses_in_a_store_without_checksums_by_its_truth(tmp_path: Path) -> None:
    """A changed truth is valid by itself, checksum made again or not; the other results of the people tell."""
    tiny = plan(n=3)
    run_cells(tiny, Store(tmp_path))
    cell = tiny.cells(tiny.models[0], SETTINGS[1])[0]
    path = tmp_path / "cells" / f"{key_of(cell)}.npz"
    for change in ("keypoints", "ids", "head_size"):
        about, arrays = unseal(path.read_bytes())
        before = path.read_bytes()
        if change == "ids":
            about["ids"][1] = "somebody"
        else:
            arrays[change] = arrays[change] + 1
        path.write_bytes(seal(about, arrays))
        found = verify(Store(tmp_path).place).damaged
        assert set(found) == {f"cells/{path.name}"}
        assert "differ from those of 4 other results" in found[f"cells/{path.name}"]
        path.write_bytes(before)


def test_verify_names_what_is_no_result(tmp_path: Path) -> None:
    run_cells(plan(n=1, settings=()), Store(tmp_path))
    (tmp_path / "cells" / "notes.txt").write_text("mine")
    assert verify(Store(tmp_path).place).damaged == {"cells/notes.txt": "no stored result has such a name"}


def test_shards_in_folders_of_their_own_merge_into_the_whole(tmp_path: Path) -> None:
    tiny = plan()
    cells, bench = tiny.all_cells(), workbench(tiny)
    run_all(cells, bench, Store(tmp_path / "whole"))
    shards = [tmp_path / f"shard{index}" for index in (1, 2, 3)]
    for index, folder in enumerate(shards, start=1):
        run_all(cells, bench, Store(folder), shard=Shard(index, 3))
        save_study(tiny.study, folder)
    done = merge(shards, tmp_path / "merged")
    assert (done.new, done.there, done.other) == (len(cells), 0, 0)
    merged = files(tmp_path / "merged")
    assert merged.pop("study.json")
    assert merged == files(tmp_path / "whole")
    again = merge(shards, tmp_path / "merged")
    assert (again.new, again.there, again.other) == (0, len(cells), 0)


def test_nothing_is_merged_of_damaged_folders_and_of_other_studies(tmp_path: Path) -> None:
    tiny = plan(n=3, settings=SETTINGS[:1])
    one, other, out = tmp_path / "one", tmp_path / "other", tmp_path / "out"
    for folder in (one, other):
        run_cells(tiny, Store(folder))
        save_study(tiny.study, folder)
    path = min((other / "cells").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RobustPoseError, match=rf"other: 1 results are damaged; the first: cells/{path.name}"):
        merge([one, other], out)
    assert not out.exists()
    save_study(replace(tiny.study, seed=4), other)
    with pytest.raises(RobustPoseError, match="other holds another study than"):
        merge([one, other], out)
    with pytest.raises(RobustPoseError, match="holds no results to merge"):
        merge([one, tmp_path / "nowhere"], out)


def test_merging_keeps_the_most_pictures(tmp_path: Path) -> None:
    tiny = plan(n=6, settings=SETTINGS[:1])
    few, many = tmp_path / "few", tmp_path / "many"
    cell = tiny.cells(tiny.models[0], SETTINGS[0])[0]
    run_all([cell], workbench(tiny), Store(few))
    more = replace(cell, keep_images=6)
    run_all([more], workbench(tiny), Store(many))
    for sources in ([few, many], [many, few]):
        out = tmp_path / sources[0].name / "out"
        merge(sources, out)
        assert len(Store(out).pictures(cell).clean) == 6


def test_prune_lists_and_removes_what_the_study_does_not_ask_for(tmp_path: Path) -> None:
    run_cells(plan(n=6, settings=SETTINGS[:1]), Store(tmp_path))
    kept = files(tmp_path)
    run_cells(plan(n=6, settings=SETTINGS[1:2]), Store(tmp_path))
    Store(tmp_path).place.replace("damaged/cells-x.npz", b"damaged")
    run = opened(tmp_path, plan(n=6, settings=SETTINGS[:1]))
    names = unasked(run)
    extra = {name: content for name, content in files(tmp_path).items() if name not in kept}
    assert names == {name: len(content) for name, content in extra.items()}
    prune(run, names)
    assert files(tmp_path) == kept


def test_diff_of_equal_runs_and_of_a_changed_model(tmp_path: Path) -> None:
    tiny = plan(n=30, settings=SETTINGS[:1])
    one, other = tmp_path / "one", tmp_path / "other"
    run_cells(tiny, Store(one))
    linear, heatmaps = tiny_models()
    moved = LinearPose(seed=3).eval()
    changed = plan(n=30, settings=SETTINGS[:1], models=(replace(linear, module=moved, fingerprint="x"), heatmaps))
    run_cells(changed, Store(other))
    same = compare_runs(opened(one, tiny), opened(one, tiny))
    assert same.facts == () and same.only == ()
    assert {each.verdict for each in same.scores} == {"same predictions"}
    assert {(each.change.low, each.change.value, each.change.high) for each in same.scores} == {(0, 0, 0)}
    found = compare_runs(opened(one, tiny), opened(other, changed))
    assert found.facts == (("weights of linear", "linear-1", "x"),)
    verdicts = {(each.model, each.attack): each for each in found.scores}
    assert verdicts["heatmaps", "clean"].verdict == "same predictions"
    each = verdicts["linear", "clean"]
    assert each.change.value == pytest.approx(each.after.value - each.before.value)
    beyond = each.change.low > 0 or each.change.high < 0
    assert each.verdict == ("differs" if beyond else "within noise")


def test_diff_of_other_people_compares_none(tmp_path: Path) -> None:
    class Others(NoisePeople):
        def load(self, rows: Any, **how: Any) -> Any:
            batch = super().load(rows, **how)
            return replace(batch, ids=tuple(f"q{name}" for name in batch.ids))

    one, other = plan(n=6, settings=()), plan(n=6, settings=(), people=Others(fingerprint="others"))
    run_cells(one, Store(tmp_path / "one"))
    run_cells(other, Store(tmp_path / "other"))
    found = compare_runs(opened(tmp_path / "one", one), opened(tmp_path / "other", other))
    assert {each.verdict for each in found.scores} == {"other people"}


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_export_holds_every_keypoint_of_every_person(format: str, tmp_path: Path) -> None:
    tiny = plan(n=30, settings=SETTINGS[:1])
    run_cells(tiny, Store(tmp_path))
    path = tmp_path / f"all.{format}"
    rows = export(opened(tmp_path, tiny), path, format=format)
    frame = pl.read_parquet(path) if format == "parquet" else pl.read_csv(path)
    assert len(frame) == rows == 2 * 2 * 30 * 3  # models, clean and FGSM, people, keypoints
    cell = tiny.cells(tiny.models[0], SETTINGS[0])[0]
    table = Store(tmp_path).read(cell).table
    chosen = frame.filter((pl.col("model") == "linear") & (pl.col("attack") != "clean"))
    nose = chosen.filter((pl.col("person") == "p4") & (pl.col("keypoint") == "nose")).row(0, named=True)
    assert (nose["x"], nose["y"]) == pytest.approx(table.predicted[4, 2].tolist())
    assert nose["distance"] == pytest.approx(np.linalg.norm(table.predicted[4, 2] - table.keypoints[4, 2]))
    assert nose["radius"] == pytest.approx(0.1 * table.box_side[4])
    assert nose["hit"] == (nose["distance"] <= nose["radius"])
    unlabelled = chosen.filter(~pl.col("visible"))
    assert unlabelled["hit"].null_count() == len(unlabelled) == 1
    with pytest.raises(RobustPoseError, match="unknown format 'xlsx'"):
        export(opened(tmp_path, tiny), path, format="xlsx")
