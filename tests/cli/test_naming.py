"""Default result folders: the same command the same folder, another command another."""

from dataclasses import replace
from pathlib import Path

from robustpose.cli.naming import folder_named, study_folder
from robustpose.study.options import GridOptions


def test_a_name_says_what_was_asked_and_fits_a_file_system() -> None:
    name = folder_named("attack", ["onnx:models/pose.onnx", "coco:/d/val 2017.json", "", "n5"], of={"n": 5})
    assert name.parent == Path("runs")
    assert name.name.startswith("attack-onnx-pose.onnx-coco-val-2017.json-n5-")
    long = folder_named("attack", ["m" * 300, "coco:" + "d" * 300, "e" * 300], of={})
    assert len(long.name) < 255


def test_the_hash_is_of_all_that_was_asked() -> None:
    asked = {"n": 5, "metric": ""}
    assert folder_named("attack", ["a"], of=asked) == folder_named("attack", ["a"], of=dict(asked))
    assert folder_named("attack", ["a"], of=asked) != folder_named("attack", ["a"], of={**asked, "metric": "pck"})


def test_a_study_as_it_is_has_its_own_name() -> None:
    own = GridOptions()
    assert study_folder("quick", own) == Path("runs/quick")
    assert study_folder("quick", replace(own, shard="1/2", threads=1, reuse=True)) == Path("runs/quick")
    few = study_folder("quick", replace(own, n=5))
    assert few.name.startswith("quick-n5-")
    assert few != study_folder("quick", replace(own, n=5, seed=1))
    assert study_folder("real", replace(own, models="a,b", data="coco:x/y.json")).name.startswith(
        "real-a-b-coco-y"
    )
