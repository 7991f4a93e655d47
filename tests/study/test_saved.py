"""A study's definition beside its cells: read back, whoever computed them."""

from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.errors import RobustPoseError
from robustpose.study import Plan, Store, all_rows, load_plan, run_all, run_cells, save_plan, workbench
from tests.study.study_fakes import SETTINGS, plan


def elsewhere(made: Plan) -> Plan:
    """The same study by code of another version."""
    return replace(made, version="0.0.9+0123456789ab+torch1.0")


def test_cells_that_another_version_computed_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(n=4, settings=SETTINGS[:1])
    monkeypatch.setattr("robustpose.study.saved.open_plan", lambda study: plan(n=4, settings=SETTINGS[:1]))
    store = Store(tmp_path)
    run_cells(elsewhere(made), store)
    save_plan(elsewhere(made), tmp_path)
    held = load_plan(tmp_path)
    assert held.version == elsewhere(made).version
    assert repr(all_rows(held, store)) == repr(all_rows(elsewhere(made), store))  # NaN is not itself
    with pytest.raises(RobustPoseError, match="not computed"):
        all_rows(made, store)


def test_a_folder_without_a_version_is_one_line(tmp_path: Path) -> None:
    save_plan(plan(n=4), tmp_path)
    path = tmp_path / "study.json"
    path.write_text(path.read_text().replace('"version"', '"verison"'))
    with pytest.raises(RobustPoseError, match="version"):
        load_plan(tmp_path)


@pytest.mark.parametrize("per_cell", [1, 7, 100])
def test_scores_do_not_depend_on_how_many_people_are_attacked_together(tmp_path: Path, per_cell: int) -> None:
    made = plan(n=30)
    cut = replace(made, study=replace(made.study, per_cell=per_cell))
    assert {cell.stop - cell.start for cell in cut.all_cells()} <= {per_cell, 30 % per_cell, 30}
    for each, folder in ((made, tmp_path / "25"), (cut, tmp_path / "cut")):
        run_all(list(each.all_cells()), workbench(each), Store(folder))
    scores = repr(all_rows(cut, Store(tmp_path / "cut")))  # NaN is not itself
    assert scores == repr(all_rows(made, Store(tmp_path / "25")))
