"""The paper's numbers, as data: spots typed in by hand from its figures and tables."""

import pytest

from robustpose.findings.reported import PAPER_NAMES, paper_name, reported
from robustpose.models import MODELS


def test_spots_of_every_table() -> None:
    assert reported("fig2a")["DeepPose"]["8"] == 42.5
    assert reported("fig2b")["8-SHG"]["8"] == 20.4
    assert reported("fig2b")["ResDec-Pre (2c)"]["8"] == 17.3
    assert reported("fig2d")["2-SHG-ALL"]["8"] == 80.5
    assert reported("fig2ef")["8-SHG"]["igsm_u_100_relative_pckh"] == 3.5
    assert reported("table1")["DeepPose"]["Chained"] == 42.04
    assert reported("table2")["mean UI"]["hip"] == 3.12


def test_every_curve_has_all_eight_budgets() -> None:
    for figure in ("fig2a", "fig2b", "fig2d"):
        for row in reported(figure).values():
            assert list(row) == ["0.25", "0.5", "1", "2", "4", "8", "16", "32"]


def test_designs_of_the_paper_are_models_and_have_their_curve() -> None:
    drawn = {row.partition(" (")[0] for row in reported("fig2b")}
    assert set(PAPER_NAMES) <= set(MODELS)
    assert set(PAPER_NAMES.values()) <= drawn


def test_own_weights_keep_the_paper_name() -> None:
    assert paper_name("shg2:mine") == "2-SHG"
    assert paper_name("vitpose") == "vitpose"


def test_a_table_it_has_not() -> None:
    with pytest.raises(KeyError):
        reported("fig9")
