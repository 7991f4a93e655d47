"""What the renderer's version renders: where a number differs, change RENDERER_VERSION and write the new numbers.

`python -m tests.data.test_synthpose_golden` writes them. test_synthpose_truth.py compares images without the
camera byte for byte; here are the camera, the truth and what can be left out, within a tolerance.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from robustpose.data import open_dataset
from robustpose.data.synthpose import FACTORS, RENDERER_VERSION, render_person
from robustpose.data.synthpose.ingredients import INGREDIENTS

GOLDEN_VERSION = "b32f2f3aa93f6f5e"

ASKED = [
    *(("val", 0, ""), ("val", 250, ""), ("train", 10, ""), ("test", 500, "")),
    *(("val", 1, ingredient) for ingredient in INGREDIENTS),
    *(("val", 3, f"{name}={level}") for name, spec in FACTORS.items() for level in spec.levels),
    *(("val", 3, f"frame={number}") for number in (0, 15, 29)),
]

FILE = Path(__file__).with_name("synthpose_golden.json")
"""Of a person of 64 pixels, an ingredient left out or a factor changed: mean levels of red, green and blue in each
quarter of the image, the mean keypoint, how many keypoints are visible, the head size and the box."""


def _name(asked: tuple[str, int, str]) -> str:
    return " ".join(map(str, asked)).rstrip()


def measured(split: str, index: int, without: str) -> list[float]:
    change = without if "=" in without else ""
    left_out = (without,) if without and not change else ()
    person = render_person(split, index, size=64, without=left_out, change=change)
    quarters = person.image.reshape(2, 32, 2, 32, 3).mean(axis=(1, 3)).ravel()
    return [
        *quarters,
        *np.nanmean(person.mpii, axis=0),
        float((person.mpii_visibility == 2).sum()),
        float(person.head_size),
        *person.box,
    ]


def test_the_renderer_renders_what_its_version_rendered() -> None:
    assert RENDERER_VERSION == GOLDEN_VERSION, "a new version: write new numbers and GOLDEN_VERSION"
    assert open_dataset("synthpose:val").fingerprint == f"synthpose:val:{GOLDEN_VERSION}"


@pytest.mark.parametrize("asked", ASKED, ids=_name)
def test_a_person_is_rendered_as_this_version_does(asked: tuple[str, int, str]) -> None:
    golden = json.loads(FILE.read_text())[_name(asked)]
    wrong = "the renderer renders something else: change RENDERER_VERSION"
    np.testing.assert_allclose(measured(*asked), golden, rtol=1e-3, atol=0.02, err_msg=wrong)


if __name__ == "__main__":
    lines = [f'"{_name(asked)}": {[round(float(each), 3) for each in measured(*asked)]}' for asked in ASKED]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
