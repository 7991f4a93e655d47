"""Sweeps: which models are of which kind, what curves are drawn of them."""

from pathlib import Path

import numpy as np
import pytest

from robustpose.findings.contrasts import leads
from robustpose.findings.reported import paper_curves, paper_steps
from robustpose.findings.statistics import Sample, smallest
from robustpose.findings.sweeps import (
    IGSM_T,
    IGSM_U,
    asks_of,
    curves,
    heatmap_models,
    model_of,
    regression_models,
    staged_models,
)
from robustpose.jobs.setting import Setting
from robustpose.models import OpenedModel, build
from robustpose.types import PoseModel
from tests.findings.hand_made import EPS, evidence_of, hand_plan, heatmaps, regression, staged

MODELS = (regression("deeppose"), heatmaps("resdec:mine"), staged("shg2"))


def test_kinds_of_models() -> None:
    plan = hand_plan(*MODELS)
    assert heatmap_models(plan) == ["resdec:mine", "shg2"]
    assert regression_models(plan) == ["deeppose"]
    assert staged_models(plan) == ["shg2"]
    assert model_of(["resdec_pre", "resdec:mine"], "resdec") == "resdec:mine"
    assert model_of(["resdec_pre"], "resdec") is None


def test_part_maps_are_heatmaps_and_integral_regression_is_neither() -> None:
    models = {name: build(name).eval() for name in ("dlcm", "integral")}
    real = [
        OpenedModel(name=n, module=model, fingerprint=n)
        for n, model in models.items()
        if isinstance(model, PoseModel)
    ]
    plan = hand_plan(*MODELS)
    object.__setattr__(plan, "models", tuple(real))
    assert heatmap_models(plan) == ["dlcm"]
    assert regression_models(plan) == []


def test_settings_cover_the_grid() -> None:
    made = IGSM_T.over(hand_plan(*MODELS), all_stages=True)
    assert [each.eps for each in made] == list(EPS)
    assert {each.label for each in made} == {"IGSM-T-20-ALL"}


def test_curves_are_relative_untargeted_and_of_the_target_targeted(tmp_path: Path) -> None:
    def right(model: str, setting: Setting | None) -> int:
        return 20 if setting is None else 30 if setting.targeted else 5

    plan = hand_plan(*MODELS)
    settings, targeted = IGSM_U.over(plan), IGSM_T.over(plan)
    evidence = evidence_of(plan, asks_of(["shg2"], [*settings, *targeted]), tmp_path, right)
    (line,) = curves(evidence, ["shg2"], settings, suffix="-ALL")
    assert (line.name, line.slot, line.dashed, line.y) == ("shg2-ALL", 2, True, (25.0, 25.0, 25.0))
    (line,) = curves(evidence, ["shg2"], targeted)
    assert line.y == (75.0, 75.0, 75.0) and not line.dashed
    assert all(low < 75.0 < high for low, high in zip(line.low, line.high, strict=True))


def test_paper_curves_are_of_these_designs_only() -> None:
    names = [each.name for each in paper_curves("fig2b", ["shg2:mine", "resdec", "vitpose"])]
    assert names == ["2-SHG, paper", "2-SHG-ALL, paper", "ResDec-NoPre, paper"]
    (bars,) = paper_steps(["shg8", "vitpose"], {10: "igsm_u_10_relative_pckh", 100: "igsm_u_100_relative_pckh"})
    assert (bars.x, bars.y, bars.slot) == ((10.0, 100.0), (20.4, 3.5), None)


def test_the_best_other_is_found_in_every_draw() -> None:
    ours = Sample(np.asarray(10.0), np.array([10.0, 10.0]), 40)
    others = [
        Sample(np.asarray(4.0), np.array([12.0, 2.0]), 40),
        Sample(np.asarray(6.0), np.array([1.0, 9.0]), 30),
    ]
    found = smallest(leads(ours, others))
    assert (found.value, found.n) == (4.0, 30)
    assert found.low == pytest.approx(-2.0, abs=0.1)  # of -2 and 1, where the lead over the best is smallest
    assert smallest([ours]).value == 10.0
