"""The page's own logic, run by node: order, sides, zoom, what is written and what is restored."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import robustpose.userstudy

NODE = shutil.which("node")
SCRIPT = Path(robustpose.userstudy.__file__).parent / "templates" / "trials.js"

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

MATERIAL: dict[str, Any] = {
    "study": "s1",
    "seconds": 0,
    "trials": [
        {
            "trial": f"t00{row}",
            "kind": "attack",
            "eps": "8/255",
            "attack": "IGSM-U-10",
            "person": "p0",
            "tampered": ("left", "right")[row % 2],
            "left": 2 * row,
            "right": 2 * row + 1,
        }
        for row in range(4)
    ],
}


def js(expression: str) -> Any:
    script = (
        f"Object.assign(globalThis, require({json.dumps(str(SCRIPT))}));"
        f"const material = {json.dumps(MATERIAL)};"
        f"console.log(JSON.stringify({expression}))"
    )
    assert NODE is not None
    done = subprocess.run([NODE, "-e", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_order_is_a_shuffle_that_a_participant_keeps() -> None:
    first, again, other = js("[orderFor('ab', 46), orderFor('ab', 46), orderFor('ac', 46)]")
    assert first == again != other
    assert sorted(first) == sorted(other) == list(range(46))
    assert first != list(range(46))


def test_every_trial_comes_at_every_place() -> None:
    """Of 3,000 participants each of three trials is first for a third."""
    firsts = js("Array.from({length: 3000}, (_, i) => orderFor('p' + i, 3)[0])")
    assert all(900 < firsts.count(row) < 1100 for row in range(3))


def test_half_of_the_participants_see_the_sides_exchanged() -> None:
    assert 900 < js("Array.from({length: 2000}, (_, i) => isMirrored('p' + i)).filter(Boolean).length") < 1100
    assert js("[sidesOf(material.trials[1], false), sidesOf(material.trials[1], true)]") == [
        {"left": 2, "right": 3},
        {"left": 3, "right": 2},
    ]


def test_right_is_the_side_where_the_altered_picture_was_shown() -> None:
    for row, altered in ((0, 0), (1, 3)):  # trial 0 is tampered with on the left: picture 0
        shown, chosen = js(
            f"[[false, true].map((mirrored) => sidesOf(material.trials[{row}], mirrored)),"
            f" [false, true].map((mirrored) => ({{left: isCorrect(material.trials[{row}], mirrored, 'left'),"
            f" right: isCorrect(material.trials[{row}], mirrored, 'right')}}))]"
        )
        for sides, right in zip(shown, chosen, strict=True):
            assert right == {side: picture == altered for side, picture in sides.items()}


@pytest.mark.parametrize(
    ("pixels", "scale", "ratio", "room", "zoom"),
    [(128, 3, 1, 600, 3), (128, 3, 2, 600, 6), (128, 3, 1, 300, 2), (128, 3, 1, 100, 1), (128, 3, 1.25, 600, 4)],
)
def test_a_picture_pixel_takes_whole_screen_pixels(
    pixels: int, scale: int, ratio: float, room: int, zoom: int
) -> None:
    assert js(f"zoomFor({pixels}, {scale}, {ratio}, {room})") == zoom


def test_an_answer_says_all_that_the_analysis_needs() -> None:
    assert js("answerOf(material.trials[0], false, 'left', 812.6, 3)") == {
        "trial": "t000",
        "kind": "attack",
        "eps": "8/255",
        "attack": "IGSM-U-10",
        "person": "p0",
        "side": "left",
        "correct": True,
        "reaction_ms": 813,
        "zoom": 3,
    }


def test_the_next_trial_is_the_first_without_an_answer() -> None:
    assert js("nextTrial([2, 0, 3, 1], material.trials, [{trial: 't002'}])") == 0
    assert js("nextTrial([2, 0], material.trials, [{trial: 't002'}, {trial: 't000'}])") == -1


def test_what_was_kept_is_restored_only_where_it_fits() -> None:
    kept = '{study: "s1", participant: "0123456789abcdef", answers: [{trial: "t001"}]}'
    assert js(f"restored(JSON.stringify({kept}), material)")["answers"] == [{"trial": "t001"}]
    for bad in ('"s2"', "null"):
        assert js(f"restored(JSON.stringify({kept.replace(chr(34) + 's1' + chr(34), bad)}), material)") is None
    for text in ("'{'", "null", "'3'", "JSON.stringify({study: 's1', participant: 'x', answers: []})"):
        assert js(f"restored({text}, material)") is None
    assert js(f"restored(JSON.stringify({kept.replace('t001', 't009')}), material)") is None


def test_a_participant_is_a_random_number() -> None:
    assert js("newParticipant(new Uint8Array([0, 1, 171, 255]))") == "0001abff"
