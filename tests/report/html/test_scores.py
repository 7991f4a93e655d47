import math
import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from robustpose.analysis.headline import main_settings, measure_of
from robustpose.analysis.scores import Row
from robustpose.attacks import ATTACKS
from robustpose.jobs.setting import Setting
from robustpose.objectives import OBJECTIVES
from robustpose.report.html.scores import (
    Family,
    Model,
    families,
    half_gone,
    panels,
    pictured,
    strongest,
)
from robustpose.report.html.tables import print_cell, worst_of
from robustpose.report.html.words import answer, how, listed, threat_rule


def row(setting: Setting, value: float, *, n: int = 9) -> Row:
    return Row(
        model="net",
        data="data",
        attack=setting.label,
        eps=setting.budget,
        steps=1,
        objective=setting.objective,
        rounded=True,
        measure="target" if setting.targeted else "relative",
        metric="PCKh@0.5",
        part="all",
        value=value,
        low=value - 1,
        high=value + 1,
        n=n,
    )


def model(settings: Sequence[Setting], values: Sequence[float], *, slot: int = 0) -> Model:
    rows = [row(setting, value) for setting, value in zip(settings, values, strict=True)]
    return Model(
        name=f"model {slot}", slot=slot, rows={(r.attack, r.eps, r.objective, r.measure, r.part): r for r in rows}
    )


FGSM, IGSM = Setting("fgsm", 8 / 255), Setting("igsm", 8 / 255)
ALL = Setting("igsm", 8 / 255, objective="training_loss_all")
HUNDRED = Setting("igsm", 8 / 255, steps=100)
TARGETED = Setting("igsm", 8 / 255, targeted=True)
PAPER = (
    *(Setting("fgsm", level / 255) for level in (0.5, 8, 32)),
    *(Setting("igsm", level / 255) for level in (0.5, 8, 32)),
    ALL,
    *(Setting("igsm", level / 255, targeted=True) for level in (2, 8, 32)),
)


def labels(found: Sequence[Family]) -> list[str]:
    return [family.label for family in found]


def test_settings_that_differ_only_in_eps_are_one_family_by_rising_eps() -> None:
    shuffled = [Setting("fgsm", level / 255) for level in (8, 0.5, 2)]
    (family,) = families(shuffled)
    assert [round(setting.eps * 255, 3) for setting in family.settings] == [0.5, 2, 8]
    assert labels(families(PAPER)) == ["FGSM-U", "IGSM-U-10", "IGSM-U-10-ALL", "IGSM-T-20"]


def test_another_objective_shares_the_panel_and_one_eps_is_no_curve() -> None:
    found = panels(families(PAPER))
    assert [labels(panel) for panel in found] == [["FGSM-U"], ["IGSM-U-10", "IGSM-U-10-ALL"], ["IGSM-T-20"]]
    assert panels(families([FGSM, IGSM])) == ()


def test_the_headline_is_about_8_of_255_or_else_the_largest_eps() -> None:
    assert main_settings(PAPER) == (FGSM, IGSM, ALL)
    small, large = Setting("fgsm", 2 / 255), Setting("fgsm", 4 / 255)
    assert main_settings([small, large, TARGETED]) == (large,)
    assert main_settings([TARGETED]) == (TARGETED,)
    assert main_settings([]) == ()


def test_the_strongest_setting_does_most_damage_to_the_models_together() -> None:
    settings = [FGSM, IGSM, ALL]
    models = [model(settings, [50, 9, 8]), model(settings, [40, 5, 10], slot=1)]
    assert strongest(models, settings) == IGSM
    assert [worst_of(each, settings)[0] for each in models] == [ALL, IGSM]
    assert strongest([model(settings, [math.nan] * 3)], settings) == FGSM
    weaker = Setting("igsm", 8 / 255, targeted=True, steps=5)
    assert strongest([model([weaker, TARGETED], [10, 60])], [weaker, TARGETED]) == TARGETED


def test_pictures_show_the_most_steps_at_8_of_255_and_the_plain_loss() -> None:
    assert pictured(PAPER, targeted=False) == IGSM
    assert pictured(PAPER, targeted=True) == TARGETED
    assert pictured([IGSM, HUNDRED, Setting("igsm", 32 / 255)], targeted=False) == HUNDRED
    assert pictured([Setting("fgsm", 4 / 255), Setting("fgsm", 2 / 255)], targeted=False) == Setting(
        "fgsm", 4 / 255
    )
    assert pictured([IGSM], targeted=True) is None
    l2 = Setting("igsm", 8 / 255, threat="l2", steps=100)
    assert pictured([IGSM, l2], targeted=False) == IGSM, "budgets of two threats cannot be compared"


def test_half_is_gone_at_the_smallest_eps_of_any_attack() -> None:
    settings = [Setting("fgsm", 8 / 255), Setting("igsm", 2 / 255), Setting("igsm", 4 / 255)]
    assert half_gone(model(settings, [49, 50, 30]), settings) == settings[2]
    assert half_gone(model(settings, [60, 70, math.nan]), settings) is None


def test_a_headline_is_about_one_threat() -> None:
    linf, l2 = Setting("apgd", 8 / 255), Setting("apgd", 2.0, threat="l2")
    assert main_settings([linf, l2]) == (linf,)
    assert main_settings([l2, linf]) == (l2,)
    assert half_gone(model([linf, l2], [60, 10]), [linf, l2]) is None
    assert half_gone(model([l2, linf], [10, 10]), [l2, linf]) == l2
    assert [family.settings for family in families([linf, l2])] == [(linf,), (l2,)]
    ((panel,),) = panels(families([l2, replace(l2, eps=4.0)]))
    assert [each.eps for each in panel.settings] == [l2.eps, 4.0]
    assert len(panels(families([*PAPER, l2, replace(l2, eps=4.0)]))) == len(panels(families(PAPER))) + 1


def test_a_score_is_printed_with_its_interval_or_the_reason_why_not() -> None:
    cell = print_cell(row(FGSM, 12.34), "relative")
    assert (cell.text, cell.span, cell.n) == ("12.3", "[11.3, 13.3]", 9)
    missing = print_cell(row(FGSM, math.nan), "relative")
    assert (missing.text, missing.span) == ("–", "")
    assert missing.title == "the clean score is 0"
    assert print_cell(row(TARGETED, math.nan, n=0), "target").title.startswith("no person with a target pose")
    assert print_cell(None, "clean").n == 0


def test_words() -> None:
    assert [listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert how(families([FGSM])[0]) == "1 step away from the true pose, by the model’s own training loss"
    assert how(families([TARGETED])[0]).startswith("20 steps towards the pose of another person")
    assert how(families([ALL])[0]).endswith("summed over all stages")


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_is_told_in_words(attack: str) -> None:
    spec = ATTACKS[attack]
    eps = {"linf": 8 / 255, "patch": 8.0, "spatial": 30.0}[spec.default_threat]
    setting = Setting(attack, eps, objective=spec.default_objective, threat=spec.default_threat)
    assert re.match(r"(\d+ (step|query|queries)|the worst)", how(Family(attack, (setting,))))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_told_in_words(objective: str) -> None:
    assert ", by the" in how(Family("SQUARE", (Setting("square", 8 / 255, objective=objective),)))


def test_ensembles_and_motions_are_told_as_what_they_are() -> None:
    def said(attack: str, eps: float, **more: Any) -> str:
        return how(Family(attack, (Setting(attack, eps, threat=ATTACKS[attack].default_threat, **more),)))

    assert said("autopose", 2 / 255) == (
        "the worst image of 6 attacks away from the true pose, at most 500 gradients per person"
    )
    assert said("spatial", 30.0) == "the worst of at most 99 motions of a lattice, by the number of lost keypoints"
    assert said("worst_of_k", 30.0, steps=1) == (
        "the worst of 1 random motions and the identity, by the number of lost keypoints"
    )


def headline(values: Sequence[float], settings: Sequence[Setting]) -> str:
    """The page's first sentence about models of these scores, a setting each."""
    plan: Any = SimpleNamespace(dataset=None)
    found = [
        model([setting], [value], slot=slot)
        for slot, (setting, value) in enumerate(zip(settings, values, strict=True))
    ]
    worst = [
        (setting, each.row(setting, measure_of(setting))) for setting, each in zip(settings, found, strict=True)
    ]
    return answer(plan, found, worst)


def test_the_first_sentence_names_the_least_and_the_most_robust_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustpose.report.html.words.metric_of", lambda plan: SimpleNamespace(name="PCKh@0.5"))
    assert headline([30.0, 5.25, 61.5, 40.0], [IGSM] * 4) == (
        "Under IGSM-U-10 at 8/255, the relative score (% of clean PCKh@0.5) ranges from "
        "5.2 % (model 1) to 61.5 % (model 2)."
    )
    assert headline([30.0, 5.5], [IGSM] * 2) == (
        "Under IGSM-U-10 at 8/255, the relative score (% of clean PCKh@0.5) is "
        "30.0 % for model 0 and 5.5 % for model 1."
    )
    assert headline([30.0, 5.5], [IGSM, FGSM]).startswith(
        "Under the most damaging attack of this study at eps 8/255, the relative score"
    )
    assert headline([30.0, 5.5], [TARGETED] * 2) == (
        "IGSM-T-20 at 8/255 moves 30.0 % of the keypoints of model 0 to the target pose."
    )
    assert headline([math.nan], [IGSM]) == "No relative score is given for these models and people."


@pytest.mark.parametrize(
    ("setting", "budget", "rule"),
    [
        (Setting("fgsm", 8 / 255), "8/255", "may change every pixel value, 0 to 255, by at most eps"),
        (Setting("fgsm", 100.0, threat="l0"), "100 pixels", "may change at most eps pixels"),
        (
            Setting("fgsm", 2.0, threat="l2"),
            "2 in L2",
            "may change the image by at most eps in the L2 norm, with pixel values in [0, 1]",
        ),
    ],
)
def test_the_page_says_what_the_attacker_may_do(setting: Setting, budget: str, rule: str) -> None:
    assert setting.budget == budget
    assert threat_rule([setting]) == f"The attacker {rule}."
