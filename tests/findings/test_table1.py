"""Table 1: hand-made matrices and cells whose vulnerabilities, contrasts and verdicts are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robustpose.analysis.evidence import ModelAsk
from robustpose.findings.finding import Chart, Tabular
from robustpose.findings.matrix import (
    Matrix,
    Source,
    alike_and_unlike,
    black_box_loss,
    misfits,
    regression_as_source,
)
from robustpose.findings.statistics import Sample
from robustpose.findings.table1 import EPS16, TABLE1
from robustpose.metrics import Estimate
from robustpose.study.definition import Grid, View
from tests.findings.filled_stores import (
    TenPeople,
    assert_reads_all_it_asks_for,
    filled,
    judged,
    opened,
    plan_of,
    value,
)


def sample(left: float) -> Sample:
    return Sample(np.asarray(left), np.full(5, left), 40)


def matrix(rows: dict[str, dict[str, float]]) -> Matrix:
    """Make a matrix of {target: {source: left}}; a source's name may end in -ALL."""
    sources = {
        name: Source(name.removesuffix("-ALL"), name.endswith("-ALL")) for row in rows.values() for name in row
    }
    left = {(target, sources[name]): sample(each) for target, row in rows.items() for name, each in row.items()}
    return Matrix(targets=tuple(rows), sources=tuple(sources.values()), left=left)


def test_vulnerability_leaves_out_the_model_itself_and_its_all() -> None:
    made = matrix({"shg2": {"shg2": 1.0, "shg2-ALL": 2.0, "shg8": 50.0, "shg8-ALL": 40.0, "deeppose": 90.0}})
    vulnerability = made.vulnerability("shg2")
    assert vulnerability is not None
    assert vulnerability.value == pytest.approx(60.0)
    assert matrix({"shg2": {"shg2": 1.0, "shg2-ALL": 2.0}}).vulnerability("shg2") is None


@pytest.mark.parametrize(("left", "holds"), [(60.0, "holds"), (80.0, "does not hold")])
def test_black_box_loss_averages_pairs_of_different_models(left: float, holds: str) -> None:
    made = matrix({"a": {"a": 0.0, "b": left, "b-ALL": 0.0}, "b": {"a": left, "b": 0.0, "b-ALL": 0.0}})
    (verdict,) = black_box_loss(made, kind="They", metric="PCK")
    assert value(verdict) == pytest.approx(100.0 - left)
    assert verdict.holds == holds


def test_alike_designs_are_set_against_unlike_ones_target_by_target() -> None:
    rows = {
        "shg2": {"shg2": 1.0, "shg8": 50.0, "deeppose": 90.0},
        "shg8": {"shg2": 60.0, "shg8": 1.0, "deeppose": 80.0},
        "deeppose": {"shg2": 10.0, "shg8": 10.0, "deeppose": 1.0},
    }
    (verdict,) = alike_and_unlike(matrix(rows), kind="They", metric="PCK")
    assert value(verdict) == pytest.approx((40.0 + 20.0) / 2)  # deeppose has no alike source
    assert verdict.holds == "holds"
    rows["shg2"]["deeppose"], rows["shg8"]["deeppose"] = 10.0, 20.0
    (verdict,) = alike_and_unlike(matrix(rows), kind="They", metric="PCK")
    assert verdict.holds == "does not hold"


HOURGLASSES = ("shg2", "shg8", "attention_hg", "dlcm")
RESNETS = ("deeppose", "chained", "resreg", "resdec", "resdec_pre")


@pytest.mark.parametrize(
    ("model", "alike"), [(model, True) for model in HOURGLASSES] + [(model, False) for model in RESNETS]
)
def test_the_architecture_says_which_designs_are_alike(model: str, alike: bool) -> None:
    """A target that keeps 20 under an hourglass and 70 under a ResNet: the sign says which of them is alike."""
    alike = model in HOURGLASSES
    rows = {f"{model}:mine": {"shg8:theirs": 20.0, "resdec@photos": 70.0}, "shg8:theirs": {}, "resdec@photos": {}}
    (verdict,) = alike_and_unlike(matrix(rows), kind="They", metric="PCK")
    assert value(verdict) == pytest.approx(50.0 if alike else -50.0)
    assert verdict.holds == ("holds" if alike else "does not hold")


def test_a_defence_leaves_a_model_in_its_family() -> None:
    rows = {"flip:shg2": {"shg8": 20.0, "flip:resdec": 70.0}, "shg8": {}, "flip:resdec": {}}
    (verdict,) = alike_and_unlike(matrix(rows), kind="They", metric="PCK")
    assert value(verdict) == pytest.approx(50.0)


def test_a_model_of_another_origin_is_alike_only_to_itself() -> None:
    rows = {"onnx:net": {"shg8": 20.0, "resdec": 70.0}, "shg8": {}, "resdec": {}}
    assert alike_and_unlike(matrix(rows), kind="They", metric="PCK") == []


def test_the_worst_source_is_set_against_the_next_worst_on_the_same_targets() -> None:
    rows = {
        "deeppose": {"deeppose": 1.0, "a": 99.0, "b": 99.0},
        "a": {"deeppose": 90.0, "a": 1.0, "b": 60.0},
        "b": {"deeppose": 80.0, "a": 75.0, "b": 1.0},
    }
    little, worst = regression_as_source(matrix(rows), kind="They", metric="PCK")
    assert value(little) == pytest.approx(85.0)
    assert little.holds == "holds"
    assert value(worst) == pytest.approx(5.0)  # against a, on b; what deeppose itself keeps plays no part
    assert "(a)" in worst.measured
    assert worst.holds == "holds"
    rows["b"]["deeppose"] = 70.0
    assert regression_as_source(matrix(rows), kind="They", metric="PCK")[1].holds == "does not hold"


def test_two_models_do_not_tell_the_worst_source() -> None:
    made = matrix({"deeppose": {"deeppose": 1.0, "a": 99.0}, "a": {"deeppose": 90.0, "a": 1.0}})
    assert len(regression_as_source(made, kind="They", metric="PCK")) == 1


def test_pairs_of_other_crops_are_named_as_left_out() -> None:
    plan = plan_of(opened("shg2"), opened("deeppose", size=(32, 24)))
    asked = {(ask.model, ask.view.source) for ask in TABLE1.asks(plan) if isinstance(ask, ModelAsk)}
    assert asked == {("shg2", ""), ("deeppose", "")}
    made = matrix({"a": {"a": 1.0}, "b": {"b": 1.0}})
    assert misfits(made) == ("Left out because the crops differ in size or padding: b on a, a on b.",)


def _right(model: str, view: View) -> int:
    if view.setting is not None:
        return 0
    if view.universal is None:
        return 10
    if view.source:
        return 6
    if view.universal.share < 1:
        return 3
    return 2 if view.on == "training" else 1


def test_verdicts_of_known_cells(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2", stages=2), opened("deeppose"))
    evidence = filled(TABLE1, plan, tmp_path, _right)
    found = TABLE1.find(evidence)
    strong = judged(found.verdicts, "more than 80%")
    assert value(strong) == pytest.approx(90.0)
    assert strong.holds == "holds"
    unseen = judged(found.verdicts, "on people that it was not trained on than")
    assert value(unseen) == pytest.approx(10.0)
    assert unseen.holds == "holds"
    specific = judged(found.verdicts, "image-specific IGSM-U-10")
    assert value(specific) == pytest.approx(-10.0)
    assert specific.holds == "does not hold"
    tenth = judged(found.verdicts, "a tenth")
    assert value(tenth) == pytest.approx(20.0)
    assert tenth.holds == "holds"
    assert value(judged(found.verdicts, "at least 30%")) == pytest.approx(40.0)


def test_verdicts_flip_with_the_cells(tmp_path: Path) -> None:
    def weak(model: str, view: View) -> int:
        if view.universal is None:
            return 10
        if view.universal.share < 1:
            return 4
        return 3 if view.on == "training" else 5

    found = TABLE1.find(filled(TABLE1, plan_of(opened("shg2"), opened("deeppose")), tmp_path, weak))
    for words in ("more than 80%", "not trained on than", "a tenth"):
        assert judged(found.verdicts, words).holds == "does not hold"


def test_exhibits_show_every_source_and_the_papers_matrix(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2", stages=2), opened("deeppose"))
    found = TABLE1.find(filled(TABLE1, plan, tmp_path, _right))
    ours, paper, people, shares = found.exhibits
    assert isinstance(ours, Tabular) and isinstance(paper, Tabular)
    assert ours.columns == ("shg2", "shg2-ALL", "deeppose", "Vulner.")
    cells = dict(ours.rows)["deeppose"]
    assert [round(each.value) for each in cells if isinstance(each, Estimate)] == [60, 60, 10, 60]
    assert dict(paper.rows)["DeepPose"][-2:] == (2.78, 69.24)
    assert isinstance(people, Tabular)
    assert people.columns == ("8/255, validation", "8/255, training", "16/255, validation", "16/255, training")
    assert isinstance(shares, Chart)
    assert [(each.name, each.x, each.slot) for each in shares.curves[1:]] == [
        ("shg2", (4.0, 40.0), 0),
        ("deeppose", (4.0, 40.0), 1),
    ]
    assert shares.curves[1].y == pytest.approx((30.0, 10.0))


def test_it_asks_for_16_levels_whatever_the_grid_says() -> None:
    grid = Grid(universal_people=40, universal_samples=40, universal_batch=4, universal_eps=(4 / 255,), shares=())
    asks = TABLE1.asks(plan_of(opened("shg2"), grid=grid))
    views = [ask.view for ask in asks if isinstance(ask, ModelAsk)]
    learns = {view.universal for view in views if view.universal is not None}
    assert {round(learn.eps * 255) for learn in learns} == {4, 16}
    assert {learn.share for learn in learns if learn.eps == EPS16} == {0.1, 1.0}


def test_it_reads_all_that_it_asks_for(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2", stages=2), opened("deeppose"), n=3)
    assert_reads_all_it_asks_for(TABLE1, filled(TABLE1, plan, tmp_path, _right))


def test_people_that_were_not_learned_on_are_told(tmp_path: Path) -> None:
    grid = Grid(universal_people=4, universal_samples=4, universal_batch=4, shares=(1.0,))
    found = TABLE1.find(filled(TABLE1, plan_of(opened("shg2"), n=6, grid=grid), tmp_path, _right))
    assert any("only the first 4 were used in training" in remark for remark in found.remarks)


def test_what_is_left_on_other_people_is_shown(tmp_path: Path) -> None:
    """Learned here, shown there: 4 of 8 joints remain of those people, 1 of 10 of ours."""

    def right(model: str, view: View) -> int:
        if view.on == "other":
            return 4 if view.universal else 8
        return _right(model, view)

    plan = plan_of(opened("shg2"))
    other = TenPeople(people=30, name="elsewhere", fingerprint="elsewhere-1", has_head_sizes=False)
    plan = replace(plan, other=other, metric="pckh")
    found = TABLE1.find(filled(TABLE1, plan, tmp_path, right))
    (table,) = (each for each in found.exhibits if isinstance(each, Tabular) and each.stem == "table1_across")
    assert table.columns == (
        "noise: clean PCKh@0.5",
        "noise: left",
        "elsewhere: clean PCK@0.1",  # no head sizes are known there
        "elsewhere: left",
    )
    cells = table.rows[0][1]
    assert [each.value for each in cells if isinstance(each, Estimate)] == pytest.approx([100, 10, 80, 50])
    assert_reads_all_it_asks_for(TABLE1, filled(TABLE1, plan, tmp_path / "again", right))
    alone = TABLE1.find(filled(TABLE1, plan_of(opened("shg2")), tmp_path / "alone", _right))
    assert not any(isinstance(each, Tabular) and each.stem == "table1_across" for each in alone.exhibits)


def test_other_training_data_are_told_and_not_set_against(tmp_path: Path) -> None:
    lessons = TenPeople(people=40, name="noise:train", fingerprint="lessons-1")
    same = replace(plan_of(opened("shg2")), training=lessons)
    found = TABLE1.find(filled(TABLE1, same, tmp_path / "same", _right))
    assert judged(found.verdicts, "on people that it was not trained on than").holds == "holds"
    assert any("Trained on 40 people of noise:train" in remark for remark in found.remarks)
    different = replace(same, training=replace(lessons, name="rendered:train"))
    found = TABLE1.find(filled(TABLE1, different, tmp_path / "different", _right))
    assert not any("not trained on than" in each.claim for each in found.verdicts)
    assert any("is not judged, because the data sets differ" in remark for remark in found.remarks)


def test_without_a_training_set_it_asks_nothing_and_says_so(tmp_path: Path) -> None:
    plan = plan_of(opened("shg2"), training=0)
    assert not TABLE1.asks(plan)
    found = TABLE1.find(filled(TABLE1, plan, tmp_path))
    assert not found.verdicts and not found.exhibits
    assert "no training set" in found.remarks[0]
