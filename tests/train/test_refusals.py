"""What a training refuses before anything is rendered."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robustpose.errors import RobustPoseError
from robustpose.skeletons import COCO_17
from robustpose.train import Recipe, train
from robustpose.types import Batch
from tests.train.dots import RECIPE, STEPS, Dots, StoppedError, start, stop_at

pytestmark = pytest.mark.usefixtures("tiny_models")


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"lr": 1e-3}, r"lr 0\.01 there, 0\.001 here"),
        ({"seed": 1, "samples": 64}, "samples 32 there, 64 here, seed 0 there, 1 here"),
        ({"people": 4}, "people 8 there, 4 here"),
        ({"architecture": "other"}, "architecture 'tiny' there, 'other' here"),
    ],
)
def test_the_folder_of_another_recipe_says_what_differs(
    tmp_path: Path, undisturbed: Path, other: dict[str, Any], named: str
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes((undisturbed / "checkpoint.pt").read_bytes())
    before = checkpoint.read_bytes()
    with pytest.raises(
        RobustPoseError, match=rf"checkpoint\.pt is of another recipe: {named}; choose another --out$"
    ):
        start(tmp_path, recipe=replace(RECIPE, **other))
    assert checkpoint.read_bytes() == before


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"junk" * 100)
    with pytest.raises(RobustPoseError, match=r"checkpoint\.pt"):
        start(tmp_path)


def test_the_folder_of_other_people(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        start(tmp_path, on_progress=stop_at(5))
    with pytest.raises(RobustPoseError, match=r"checkpoint\.pt is of another data set; choose another --out"):
        start(tmp_path, data="other dots")


@pytest.mark.parametrize(
    ("recipe", "training", "message"),
    [
        (replace(RECIPE, people=9), Dots(8), r"between the batch size \(4\) and the 8 of dots, got 9"),
        (replace(RECIPE, batch=16), Dots(8), r"between the batch size \(16\) and the 8 of dots, got 8"),
        (RECIPE, Dots(8, skeleton=COCO_17), "dots uses skeleton coco_17, the model uses trio"),
        (replace(RECIPE, samples=3), Dots(8), r"samples must be at least one batch \(4\), got 3"),
        (replace(RECIPE, lr=math.nan), Dots(8), "lr must be a number > 0, got nan"),
        (replace(RECIPE, lr=-1e-3), Dots(8), r"lr must be a number > 0, got -0\.001"),
        (replace(RECIPE, lr=0.0), Dots(8), r"lr must be a number > 0, got 0\.0"),
        (replace(RECIPE, half_body=2.0), Dots(8), r"half_body must lie in \[0, 1\], got 2\.0"),
        (replace(RECIPE, half_body=-0.1), Dots(8), r"half_body must lie in \[0, 1\], got -0\.1"),
        (replace(RECIPE, half_body=math.nan), Dots(8), r"half_body must lie in \[0, 1\], got nan"),
    ],
    ids=[
        "more people than there are",
        "a batch larger than the people",
        "another skeleton",
        "not one step",
        "a rate that is no number",
        "a negative rate",
        "no rate",
        "more half bodies than bodies",
        "less than no half bodies",
        "half bodies that are no number",
    ],
)
def test_a_recipe_that_does_not_fit_the_data_is_one_line_before_anyone_is_rendered(
    tmp_path: Path, recipe: Recipe, training: Dots, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "load", never)
    with pytest.raises(RobustPoseError, match=message):
        train(recipe, training=training, validation=Dots(5), out=tmp_path, on_checked=never)


def never(*given: object, **named: object) -> None:
    raise AssertionError("this must not be called")


def test_people_are_rendered_once_all_is_checked_and_before_they_are_loaded(tmp_path: Path) -> None:
    events: list[str] = []

    class Watched(Dots):
        def load(self, rows: Sequence[int], *, input_size: tuple[int, int], padding: float = 1.25) -> Batch:
            events.append("load")
            return super().load(rows, input_size=input_size, padding=padding)

    def go(recipe: Recipe) -> None:
        train(
            recipe,
            training=Watched(8),
            validation=Dots(5),
            out=tmp_path,
            on_checked=lambda: events.append("checked"),
            on_progress=lambda progress: events.append("step"),
        )

    go(RECIPE)
    assert events == ["checked", "load", *["step"] * STEPS]
    events.clear()
    with pytest.raises(RobustPoseError, match="is of another recipe"):
        go(replace(RECIPE, half_body=0.5))
    (tmp_path / "checkpoint.pt").write_bytes(b"junk")
    with pytest.raises(RobustPoseError, match="not a checkpoint"):
        go(RECIPE)
    assert events == []
