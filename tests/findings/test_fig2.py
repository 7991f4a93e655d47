"""Figures 2b to 2f on hand-made answers: effects by hand, verdicts that flip, models that lack, what is asked."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from robustpose.analysis.evidence import Evidence, ModelAsk
from robustpose.errors import RobustPoseError
from robustpose.findings.fig2 import FIG2A, FIG2B, FIG2C, FIG2D, FIG2EF
from robustpose.findings.finding import Chart, Finding, Found, Tabular, Verdict
from robustpose.findings.statistics import within
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.metrics import Estimate
from robustpose.models import OpenedModel
from tests.findings.hand_made import EPS, Right, evidence_of, hand_plan, heatmaps, regression, staged

SIX = (regression("deeppose"), staged("shg2"), staged("shg8"), heatmaps("dlcm"))
BACKBONE = (regression("resreg:mine"), heatmaps("resdec:mine"), heatmaps("resdec_pre"))


def find(finding: Finding, folder: Path, right: Right, *models: OpenedModel) -> Found:
    plan = hand_plan(*models)
    return finding.find(evidence_of(plan, finding.asks(plan), folder, right))


def verdict_on(found: Found, words: str) -> Verdict:
    (only,) = [each for each in found.verdicts if words in each.claim]
    return only


def effect(verdict: Verdict) -> float:
    assert verdict.effect is not None
    return verdict.effect.value


def by_model(left: Mapping[str, int], *, through_all: int = 0) -> Right:
    """Clean 40; so many under attack, fewer where all stages are attacked."""

    def right(model: str, setting: Setting | None) -> int:
        if setting is None:
            return 40
        return left[model] - (through_all if setting.objective == "training_loss_all" else 0)

    return right


def test_2b_effects_by_hand(tmp_path: Path) -> None:
    left = {"deeppose": 4, "shg2": 20, "shg8": 32, "dlcm": 26}
    found = find(FIG2B, tmp_path, by_model(left, through_all=10), *SIX)
    heat = verdict_on(found, "heatmap models have a higher")
    assert effect(heat) == pytest.approx(100 * (20 + 32 + 26) / 120 - 10)
    assert heat.holds == "holds"
    stages = verdict_on(found, "when all stages are attacked")
    assert effect(stages) == pytest.approx(25.0) and stages.holds == "holds"
    dlcm = verdict_on(found, "DLCM is the most robust")
    assert effect(dlcm) == pytest.approx(100 * (26 - 32) / 40) and "here shg8" in dlcm.measured
    assert dlcm.holds == "does not hold"
    stacks = verdict_on(found, "8 stacks are more robust")
    assert effect(stacks) == pytest.approx(30.0) and stacks.holds == "holds"


def test_2b_lays_its_contrasts_out_over_the_budgets_and_judges_at_8(tmp_path: Path) -> None:
    left = {"deeppose": 4, "shg2": 20, "shg8": 32, "dlcm": 26}
    found = find(FIG2B, tmp_path, by_model(left, through_all=10), *SIX)
    assert all(isinstance(each, Chart | Tabular) for each in found.exhibits)
    (table,) = [each for each in found.exhibits if each.stem == "fig2b_contrasts"]
    assert isinstance(table, Tabular)
    assert table.columns == tuple(f"{255 * eps:g}/255" for eps in EPS)
    values = [[each.value for each in row if isinstance(each, Estimate)] for _, row in table.rows]
    assert values[0] == pytest.approx([100 * (20 + 32 + 26) / 120 - 10] * len(EPS))
    assert pytest.approx([30.0] * len(EPS)) in values


def test_2b_verdicts_flip_with_the_data(tmp_path: Path) -> None:
    left = {"deeppose": 36, "shg2": 20, "shg8": 8, "dlcm": 30}
    found = find(FIG2B, tmp_path, by_model(left, through_all=-8), *SIX)
    assert [each.holds for each in found.verdicts] == ["does not hold"] * 4


def test_2b_shows_ours_in_colour_and_the_papers_in_grey(tmp_path: Path) -> None:
    found = find(FIG2B, tmp_path, by_model(dict.fromkeys(("deeppose", "shg2", "shg8", "dlcm"), 20)), *SIX)
    curves = {each.name: each for each in found.exhibits[0].curves}  # type: ignore[union-attr]
    assert curves["shg8"].slot == 2 and curves["shg8"].y == (50.0, 50.0, 50.0) and curves["shg8"].x == (1, 8, 16)
    assert curves["8-SHG, paper"].slot is None and curves["8-SHG, paper"].y[5] == 20.4
    assert curves["shg8-ALL"].dashed and "dlcm-ALL" not in curves


def test_2b_chained_is_set_against_the_worst_other_heatmap_model(tmp_path: Path) -> None:
    models = (heatmaps("chained"), staged("shg2"), staged("shg8"), regression("deeppose"))
    left = {"chained": 10, "shg2": 20, "shg8": 30, "deeppose": 1}
    chained = verdict_on(find(FIG2B, tmp_path / "a", by_model(left), *models), "Chained is the least robust")
    assert chained.holds == "holds" and effect(chained) == pytest.approx(25.0)
    chained = verdict_on(find(FIG2B, tmp_path / "b", by_model({**left, "shg8": 2}), *models), "Chained")
    assert chained.holds == "does not hold" and effect(chained) == pytest.approx(-20.0)


def test_2a_orders_of_models_under_one_step(tmp_path: Path) -> None:
    left = {"deeppose": 4, "shg2": 20, "shg8": 28, "dlcm": 36}
    found = find(FIG2A, tmp_path / "a", by_model(left), *SIX)
    assert [each.holds for each in found.verdicts] == ["holds"] * 4
    assert effect(verdict_on(found, "After one FGSM step")) == pytest.approx(70.0)
    assert effect(verdict_on(found, "heatmap models have a higher")) == pytest.approx(60.0)
    assert effect(verdict_on(found, "8 stacks are more robust")) == pytest.approx(20.0)
    assert effect(verdict_on(found, "at 16/255 and at 32/255")) == pytest.approx(20.0)
    turned = {"deeppose": 36, "shg2": 20, "shg8": 8, "dlcm": 4}
    found = find(FIG2A, tmp_path / "b", by_model(turned), *SIX)
    assert [each.holds for each in found.verdicts] == ["does not hold"] * 4


def test_2a_without_a_heatmap_model_says_what_it_lacks(tmp_path: Path) -> None:
    found = find(FIG2A, tmp_path, by_model({"deeppose": 20}), regression("deeppose"))
    assert found.verdicts == () and sum("not judged" in remark for remark in found.remarks) == 3


def test_2b_says_what_it_lacks(tmp_path: Path) -> None:
    found = find(FIG2B, tmp_path, by_model({"resdec": 20}), heatmaps("resdec"))
    assert found.verdicts == () and sum("not judged" in remark for remark in found.remarks) == 5


def test_2c_matches_designs_and_judges_no_difference_as_an_equivalence(tmp_path: Path) -> None:
    def right(model: str, setting: Setting | None) -> int:
        if setting is None:
            return 40
        small = setting.eps <= 1 / 255
        return {"resreg:mine": 4, "resdec:mine": 32 if small else 12, "resdec_pre": 32 if small else 30}[model]

    found = find(FIG2C, tmp_path, right, *BACKBONE)
    assert [each.holds for each in found.verdicts] == ["holds", "holds", "undecided"]
    assert [effect(each) for each in found.verdicts] == pytest.approx([20.0, 45.0, 0.0])
    no_difference = found.verdicts[2].effect  # on any of 40 people; on 3.5 of them there could be one
    assert no_difference is not None and no_difference.high == pytest.approx(100 * 3.8415 / 43.8415, abs=0.01)


def test_2c_shows_no_model_of_another_design_though_it_has_stages() -> None:
    asks = FIG2C.asks(hand_plan(*BACKBONE, staged("shg2")))
    assert {ask.model for ask in asks if isinstance(ask, ModelAsk)} == {model.name for model in BACKBONE}


def test_2c_flips(tmp_path: Path) -> None:
    left = {"resreg:mine": 30, "resdec:mine": 20, "resdec_pre": 5}
    found = find(FIG2C, tmp_path, by_model(left), *BACKBONE)
    assert [each.holds for each in found.verdicts] == ["does not hold"] * 3


def test_2c_asks_nothing_without_a_pair(tmp_path: Path) -> None:
    plan = hand_plan(regression("deeppose"), heatmaps("resdec"))
    assert list(FIG2C.asks(plan)) == []
    found = FIG2C.find(Evidence(plan, Store(tmp_path)))
    assert found.verdicts == () and "needs resdec" in found.remarks[0]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-1, 1, "holds"), (-1, 3, "undecided"), (3, 4, "does not hold"), (-4, -3, "does not hold")],
)
def test_alike_is_within_the_margin(low: float, high: float, expected: str) -> None:
    assert within(Estimate(value=0, low=low, high=high, n=20), margin=2.0) == expected


def level(setting: Setting) -> int:
    return round(setting.eps * 255)


def diverging(model: str, setting: Setting | None) -> int:
    """Targeted ever farther apart, untargeted together in the end; 4 hits more through all stages."""
    place = {"deeppose": 0, "shg2": 1, "shg8": 2, "dlcm": 3}[model]
    if setting is None:
        return 40
    if setting.targeted:
        more = 4 if setting.objective == "training_loss_all" else 0
        return {1: 2, 8: 10 + 4 * place, 16: 4 + 10 * place}[level(setting)] + more
    return {1: 6 + 10 * place, 8: 4, 16: 4}[level(setting)]


def test_2d_effects_by_hand(tmp_path: Path) -> None:
    found = find(FIG2D, tmp_path, diverging, *SIX)
    every_stage = verdict_on(found, "when all stages are attacked")
    assert effect(every_stage) == pytest.approx(10.0) and every_stage.holds == "holds"
    harder = verdict_on(found, "harder than untargeted")
    assert effect(harder) == pytest.approx(90.0 - 40.0) and harder.holds == "holds"
    apart = verdict_on(found, "diverge")
    assert (
        effect(apart) == pytest.approx(25 * (20 / 12) ** 0.5, abs=0.5) and apart.holds == "holds"
    )  # 10, 35, 60, 85: sd 32.3, of which a little is chance
    assert verdict_on(found, "models converge with eps").holds == "holds"
    assert verdict_on(found, "fall of every score").holds == "holds"


def test_2d_a_fall_of_all_odds_alike_is_no_convergence_of_odds(tmp_path: Path) -> None:
    def right(model: str, setting: Setting | None) -> int:
        if setting is None:
            return 40
        if setting.targeted:
            return 20
        good = model == "dlcm"
        return {1: 36 if good else 12, 8: 14 if good else 1, 16: 14 if good else 1}[level(setting)]

    found = find(FIG2D, tmp_path, right, *SIX)
    assert effect(verdict_on(found, "models converge with eps")) == pytest.approx(30.0 - 16.25, abs=0.5)
    odds = verdict_on(found, "fall of every score")  # those of one model are 21 times those of the others, at both
    assert effect(odds) == pytest.approx(0.0, abs=0.2) and odds.holds == "undecided"
    assert verdict_on(found, "diverge").holds == "undecided"  # all alike: neither apart nor together


def test_2d_two_models_have_no_spread(tmp_path: Path) -> None:
    found = find(FIG2D, tmp_path, diverging, *SIX[:2])
    assert not any("verge" in each.claim for each in found.verdicts)
    assert any("needs 3 models" in remark for remark in found.remarks)


def reversing(model: str, setting: Setting | None) -> int:
    """8 stacks keep 30, 20 of 40 after 10 and 100 steps, 2 stacks 20 and 28; targets the other way round."""
    if setting is None:
        return 40
    steps = setting.numbers["steps"]
    kept = {"shg2": 20, "shg8": 30, "deeppose": 24, "dlcm": 24}[model]
    if steps == 100:
        kept += {"shg2": 0, "shg8": -20, "deeppose": -10, "dlcm": -10}[model]
    return 40 - kept if setting.targeted else kept


def test_2ef_effects_by_hand(tmp_path: Path) -> None:
    found = find(FIG2EF, tmp_path, reversing, *SIX)
    assert [each.holds for each in found.verdicts] == ["holds"] * 4
    assert [effect(each) for each in found.verdicts] == pytest.approx([25.0, 25.0, 25.0, 25.0])
    assert any("66.3" in remark for remark in found.remarks)
    rows = dict(found.exhibits[1].rows)  # type: ignore[union-attr]
    assert rows["shg8"][-2:] == (20.4, 3.5) and rows["shg8"][3].value == 25.0


def test_2ef_shows_attacks_through_all_stages_and_no_verdict_of_a_walk_that_ends_early(tmp_path: Path) -> None:
    def right(model: str, setting: Setting | None) -> int:
        through_all = setting is not None and setting.objective == "training_loss_all"
        return reversing(model, setting) - 2 * through_all

    found = find(FIG2EF, tmp_path, right, *SIX)
    curves = {each.name: each for each in found.exhibits[0].curves}  # type: ignore[union-attr]
    assert curves["shg8-ALL"].dashed and "dlcm-ALL" not in curves
    assert curves["shg8-ALL"].y == pytest.approx([each - 5 for each in curves["shg8"].y])
    rows = dict(found.exhibits[1].rows)  # type: ignore[union-attr]
    assert rows["shg8-ALL"][3].value == 20.0 and rows["shg8-ALL"][-2:] == (None, None)
    plan = hand_plan(*SIX)
    plan = replace(plan, study=replace(plan.study, grid=replace(plan.study.grid, long=20)))
    assert list(FIG2EF.asks(plan)) == []
    short = FIG2EF.find(Evidence(plan, Store(tmp_path)))
    assert short.verdicts == () and "more than 20 are needed" in short.remarks[0]


def test_2ef_a_lead_kept_is_no_reversal(tmp_path: Path) -> None:
    def right(model: str, setting: Setting | None) -> int:
        return 40 if setting is None else {"shg2": 10, "shg8": 30}[model]

    found = find(FIG2EF, tmp_path, right, staged("shg2"), staged("shg8"))
    assert effect(verdict_on(found, "Untargeted, the order")) == pytest.approx(-50.0)
    assert verdict_on(found, "Untargeted, the order").holds == "does not hold"
    assert verdict_on(found, "after 100 untargeted steps").holds == "undecided"


@pytest.mark.parametrize("finding", [FIG2B, FIG2D, FIG2EF])
def test_a_cell_that_lacks_is_said(finding: Finding, tmp_path: Path) -> None:
    plan = hand_plan(*SIX)
    evidence_of(plan, finding.asks(plan), tmp_path, diverging if finding is FIG2D else reversing)
    next((tmp_path / "cells").glob("*.npz")).unlink()
    with pytest.raises(RobustPoseError, match="has not been computed"):
        finding.find(Evidence(plan, Store(tmp_path)))


def test_budgets_of_the_grid_need_not_hold_8(tmp_path: Path) -> None:
    plan = hand_plan(*SIX)
    grid = replace(plan.study.grid, eps=(1 / 255,), targeted_eps=(1 / 255,))
    plan = replace(plan, study=replace(plan.study, grid=grid))
    for name, finding in {"b": FIG2B, "d": FIG2D, "ef": FIG2EF}.items():
        right = diverging if finding is FIG2D else reversing
        assert finding.find(evidence_of(plan, finding.asks(plan), tmp_path / name, right)).verdicts
