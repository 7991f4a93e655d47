"""What is said of weaker attacks, and the commands that it names."""

import pytest

from robustpose.jobs.setting import Setting
from robustpose.report.stronger import FROM_PYTHON, stronger_than, weakness
from robustpose.study.definition import Study

IGSM, AUTOPOSE = Setting("igsm", 8 / 255), Setting("autopose", 8 / 255)


def study(*settings: Setting, name: str = "attack") -> Study:
    return Study(name=name, title="", models=("shg2",), data="synthpose", settings=settings, n=5)


@pytest.mark.parametrize(
    ("setting", "stronger"),
    [
        (IGSM, "autopose"),
        (Setting("fgsm", 2.0, threat="l2"), "autopose"),
        (Setting("autopose", 8 / 255, steps=50), "autopose"),
        (AUTOPOSE, ""),
        (Setting("autopose", 8 / 255, steps=900), ""),
        (Setting("spatial", 30.0, threat="spatial"), ""),
        (Setting("eot_patch", 32.0, threat="patch"), ""),
    ],
)
def test_what_is_stronger(setting: Setting, stronger: str) -> None:
    assert stronger_than(setting) == stronger


def test_the_sentence_names_the_command() -> None:
    assert weakness(study(IGSM), "shg2") == (
        "IGSM-U-10 at 8/255 is weaker than autopose, so the relative scores are upper bounds; "
        "the stronger attack: robustpose attack --model shg2 --attack autopose --eps 8/255 --n 5"
    )
    few = weakness(study(Setting("autopose", 8 / 255, steps=50)), "shg2")
    assert few.startswith("AUTOPOSE-U at 8/255 ran with 50 gradients per person, fewer than its own number, so")
    several = weakness(study(IGSM, Setting("fgsm", 8 / 255), AUTOPOSE), "shg2")
    assert several == "", "autopose is among them"
    assert weakness(study(IGSM, Setting("fgsm", 8 / 255)), "shg2").startswith(
        "The attacks of this study are weaker"
    )
    assert weakness(study(), "shg2") == ""


def test_from_python_it_names_the_call() -> None:
    aimed = study(Setting("igsm", 8 / 255, targeted=True), name=FROM_PYTHON)
    assert weakness(aimed, "net").endswith(
        "so the target scores are lower bounds; the stronger attack: "
        "rp.attack(model, data, attack='autopose', eps='8/255', targeted=True)"
    )
