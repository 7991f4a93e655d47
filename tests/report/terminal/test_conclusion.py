"""The sentences at the end of a result, on tables typed by hand."""

import math
import shlex
from collections.abc import Sequence

import pytest

from robustpose.analysis.scores import Row
from robustpose.jobs.setting import Setting
from robustpose.report.stronger import attack_command
from robustpose.report.terminal.conclusion import conclusion
from robustpose.study.definition import Study

NAN = math.nan
FGSM, IGSM = Setting("fgsm", 8 / 255), Setting("igsm", 8 / 255)
TARGETED = Setting("igsm", 8 / 255, targeted=True)
AUTOPOSE = Setting("autopose", 8 / 255)


def row(
    model: str,
    setting: Setting | None,
    value: float,
    low: float = NAN,
    high: float = NAN,
    *,
    part: str = "all",
    n: int = 50,
    metric: str = "PCKh@0.5",
) -> Row:
    targeted = setting is not None and setting.targeted
    return Row(
        model=model,
        data="synthpose:val",
        attack="clean" if setting is None else setting.label,
        eps="0/255" if setting is None else setting.budget,
        steps=1,
        objective="" if setting is None else setting.objective,
        rounded=True,
        measure="clean" if setting is None else "target" if targeted else "relative",
        metric=f"target {metric}" if targeted else metric,
        part=part,
        value=value,
        low=low,
        high=high,
        n=n,
    )


def study(*settings: Setting, models: Sequence[str] = ("shg2",), n: int | None = 50) -> Study:
    return Study(name="attack", title="", models=tuple(models), data="synthpose:val", settings=settings, n=n)


def test_one_model_under_one_attack() -> None:
    rows = [
        row("shg2", None, 87.1),
        row("shg2", IGSM, 12.34, 9.2, 15.6),
        row("shg2", IGSM, 30.0, part="upper_neck"),
        row("shg2", IGSM, 1.5, part="wrist"),
        row("shg2", IGSM, 4.0, part="hip"),
        row("shg2", IGSM, 0.0, part="pelvis", n=0),
        row("shg2", IGSM, 90.0, 89, 91, metric="OKS AP"),
    ]
    assert conclusion(study(IGSM), rows) == [
        "IGSM-U-10 at 8/255 is weaker than autopose, so the relative scores are upper bounds; "
        "the stronger attack: robustpose attack --model shg2 --attack autopose --eps 8/255 --n 50",
        "shg2 loses 87.7% of its clean PCKh@0.5 to IGSM-U-10 at 8/255 (relative score 12.3% [9.2, 15.6], n = 50).",
        "The wrist is lost first (relative score 1.5%), the upper neck last (30.0%).",
        "The page shows the images and the scores by joint.",
    ]


def test_several_models_are_a_range_under_the_attack_that_costs_them_most() -> None:
    rows = [
        *(row(model, None, 80.0) for model in ("a", "b", "c")),
        *(row(model, FGSM, 55.0, 50, 60) for model in ("a", "b", "c")),
        row("a", IGSM, 20.0, 17, 23),
        row("b", IGSM, 60.0, 57, 63),
        row("c", IGSM, 10.0, 8, 12),
        *(row("a", IGSM, value, part=part) for part, value in (("wrist", 10.0), ("knee", 0.0))),
        *(row("b", IGSM, value, part=part) for part, value in (("wrist", 10.0), ("knee", 60.0))),
    ]
    said = conclusion(study(FGSM, IGSM, TARGETED, models=("a", "b", "c")), rows)
    assert said[0].startswith("The attacks of this study are weaker than autopose")
    assert "--model c --attack autopose" in said[0]
    assert said[1] == (
        "IGSM-U-10 at 8/255 costs the 3 models between 40.0% (b, relative score 60.0% [57.0, 63.0], n = 50) and "
        "90.0% (c, relative score 10.0% [8.0, 12.0], n = 50) of their clean PCKh@0.5."
    )
    assert said[2] == "The wrist is lost first (relative score 10.0%), the knee last (30.0%)."


def test_joints_that_are_lost_alike_share_a_verb() -> None:
    rows = [row("shg2", None, 80.0), row("shg2", IGSM, 20.0)]
    rows += [row("shg2", IGSM, value, part=part) for part, value in (("wrist", 5.0), ("knee", 5.0), ("hip", 9.0))]
    said = conclusion(study(IGSM), rows)[2]
    assert said == "The wrist and knee are lost first (relative score 5.0%), the hip last (9.0%)."


def test_one_person_has_no_interval() -> None:
    rows = [row("shg2", None, 80.0, n=1), row("shg2", IGSM, 25.0, 25.0, 25.0, n=1)]
    assert conclusion(study(IGSM, n=1), rows)[1] == (
        "shg2 loses 75.0% of its clean PCKh@0.5 to IGSM-U-10 at 8/255 "
        "(relative score 25.0%, 1 person, so no interval)."
    )


def test_an_interval_that_is_undefined_is_left_out() -> None:
    rows = [row("shg2", None, 80.0, n=2), row("shg2", IGSM, 25.0, n=2)]
    assert "(relative score 25.0%, n = 2, no interval)." in conclusion(study(IGSM, n=2), rows)[1]


def test_a_model_that_loses_nothing() -> None:
    rows = [
        row("shg2", None, 80.0),
        row("shg2", FGSM, 100.0, 100, 100),
        row("shg2", FGSM, 100.0, part="knee"),
        row("shg2", FGSM, 100.0, part="hip"),
    ]
    said = conclusion(study(FGSM), rows)
    assert said[1] == (
        "shg2 loses nothing of the clean PCKh@0.5 to FGSM-U at 8/255 "
        "(relative score 100.0% [100.0, 100.0], n = 50)."
    )
    assert len(said) == 3 and "autopose" in said[0]


def test_a_loss_that_may_be_none_says_so() -> None:
    rows = [row("shg2", None, 80.0), row("shg2", FGSM, 99.0, 97.5, 100.4)]
    assert (
        "(relative score 99.0% [97.5, 100.4], n = 50; the interval includes no loss)."
        in conclusion(study(FGSM), rows)[1]
    )


def test_a_model_that_is_wrong_without_an_attack() -> None:
    rows = [row("shg2", None, 0.0), row("shg2", IGSM, NAN, n=0)]
    assert conclusion(study(IGSM), rows) == [
        "shg2 has no correct keypoint on clean images, so attacks cannot lower the score."
    ]
    rows = [row("good", None, 80.0), row("good", IGSM, 40.0, 38, 42), *rows]
    said = conclusion(study(IGSM, models=("good", "shg2")), rows)
    assert said[1].startswith("shg2 has no correct keypoint") and said[2].startswith("good loses 60.0%")


def test_targeted_attacks_are_told_by_the_target_pose() -> None:
    rows = [
        row("a", None, 80.0),
        row("b", None, 80.0),
        row("a", TARGETED, 20.0, 18, 22),
        row("b", TARGETED, 63.9, 60, 67),
        row("b", TARGETED, 90.0, part="head_top"),
        row("b", TARGETED, 40.0, part="wrist"),
    ]
    said = conclusion(study(TARGETED, models=("a", "b")), rows)
    assert said[1:3] == [
        "IGSM-T-20 at 8/255 moves 63.9% [60.0, 67.0] of the keypoints of b to the target pose by PCKh@0.5 "
        "(n = 50), the most of 2 models.",
        "The attacker moves the head top most often (90.0%), the wrist least (40.0%).",
    ]
    assert "--model b --attack autopose --eps 8/255 --targeted" in said[0]
    none = [row("a", None, 80.0), row("a", TARGETED, 0.0, 0, 0)]
    assert conclusion(study(TARGETED, models=("a",)), none)[1] == (
        "IGSM-T-20 at 8/255 moves no keypoint of a to the target pose."
    )


def test_after_autopose_comes_a_smaller_budget_or_the_page() -> None:
    rows = [row("shg2", None, 80.0), row("shg2", AUTOPOSE, 1.5, 0.5, 2.5)]
    assert conclusion(study(AUTOPOSE), rows)[-1].endswith(
        "robustpose attack --model shg2 --attack autopose --eps 2/255 --n 50"
    )
    rows = [row("shg2", None, 80.0), row("shg2", AUTOPOSE, 31.5, 28, 35)]
    assert conclusion(study(AUTOPOSE), rows)[-1] == "The page shows the images and the scores by joint."


def test_the_command_repeats_what_the_study_was_told() -> None:
    told = Study(
        name="attack",
        title="",
        models=("tflite:a b.tflite",),
        data="coco:val.json",
        settings=(Setting("fgsm", 2.0, threat="l2"),),
        n=None,
        seed=3,
        spec="spec.toml",
        images="photos",
        min_keypoints=5,
    )
    line = attack_command(told, told.models[0], told.settings[0], attack="autopose")
    assert line == (
        "robustpose attack --model 'tflite:a b.tflite' --attack autopose --threat l2 --eps 2 --data coco:val.json "
        "--spec spec.toml --images photos --min-keypoints 5 --seed 3"
    )
    assert shlex.split(line)[3] == "tflite:a b.tflite"


@pytest.mark.parametrize("setting", [Setting("spatial", 30.0, threat="spatial")])
def test_motions_have_no_stronger_attack_to_name(setting: Setting) -> None:
    rows = [row("shg2", None, 80.0), row("shg2", setting, 60.0, 55, 65)]
    assert conclusion(study(setting), rows)[-1] == "The page shows the images and the scores by joint."
