"""Making a study smaller: which attacks remain, and what the grid says."""

from robustpose.jobs.setting import Setting
from robustpose.studies.grid import chosen, narrowed, over
from robustpose.studies.paper import PAPER
from robustpose.studies.quick import QUICK
from robustpose.study.options import GridOptions


def test_without_options_a_study_stays_as_it_is() -> None:
    assert chosen(PAPER, GridOptions()) == PAPER
    assert chosen(QUICK, GridOptions()) == QUICK


def test_budgets_are_of_255_or_as_people_write_them() -> None:
    small = narrowed(
        PAPER,
        GridOptions(eps="8, 2/255", steps_walk="5,1", long=20, universal_samples=320, universal_people=160),
    )
    assert small.grid.eps == small.grid.targeted_eps == (2 / 255, 8 / 255)
    assert (small.grid.walk, small.grid.long) == ((1, 5), 20)
    assert (small.grid.universal_samples, small.grid.universal_people) == (320, 160)
    assert {setting.eps for setting in small.settings} == {2 / 255, 8 / 255}
    assert len(small.settings) == 2 * len({(each.attack, each.targeted) for each in PAPER.settings})


def test_an_attack_at_one_budget_keeps_it() -> None:
    one = Setting("igsm", 8 / 255, objective="training_loss_all")
    made = over((Setting("fgsm", 1 / 255), Setting("fgsm", 32 / 255), one), (2 / 255,))
    assert made == (Setting("fgsm", 2 / 255), one)
