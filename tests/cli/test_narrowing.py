"""Making a study smaller: which attacks remain, and what the grid says."""

from robustpose.cli.narrowing import narrowed, over
from robustpose.jobs.setting import Setting
from robustpose.studies.paper import PAPER
from robustpose.studies.quick import QUICK


def test_without_options_a_study_stays_as_it_is() -> None:
    assert narrowed(PAPER, eps="", steps_walk="", long=None, samples=None, people=None) == PAPER
    assert narrowed(QUICK, eps="", steps_walk="", long=None, samples=None, people=None) == QUICK


def test_budgets_are_of_255_or_as_people_write_them() -> None:
    small = narrowed(PAPER, eps="8, 2/255", steps_walk="5,1", long=20, samples=320, people=160)
    assert small.grid.eps == small.grid.targeted_eps == (2 / 255, 8 / 255)
    assert (small.grid.walk, small.grid.long) == ((1, 5), 20)
    assert (small.grid.universal_samples, small.grid.universal_people) == (320, 160)
    assert {setting.eps for setting in small.settings} == {2 / 255, 8 / 255}
    assert len(small.settings) == 2 * len({(each.attack, each.targeted) for each in PAPER.settings})


def test_an_attack_at_one_budget_keeps_it() -> None:
    one = Setting("igsm", 8 / 255, objective="training_loss_all")
    made = over((Setting("fgsm", 1 / 255), Setting("fgsm", 32 / 255), one), (2 / 255,))
    assert made == (Setting("fgsm", 2 / 255), one)
