"""The words and tables of docs/zoo.md, from rows made by hand."""

from dataclasses import replace

import pytest

from robustpose.data.rendered import SAME_TRAINING_PEOPLE
from robustpose.metrics import ALL, Estimate
from robustpose.models.weights import WeightFacts
from tools.zoo_page import (
    GROUPS,
    Entry,
    Timing,
    all_samples,
    command,
    effort,
    page,
    parent_name,
    samples_seen,
    table,
    watched,
)
from tools.zoo_pictures import label

RECIPE: dict[str, float | int | str] = {"people": 12000, "samples": 160000, "batch": 16, "lr": 0.003}

SHG2 = WeightFacts(
    architecture="shg2",
    size="compact",
    sha256="a" * 64,
    data="synthpose:train",
    data_fingerprint="f",
    recipe={**RECIPE, "warm_start": ""},
    samples=160_000,
    seconds=2415.3,
    device="cpu",
    metric="PCKh@0.5",
    score=78.4,
    low=77.1,
    high=79.6,
    n=1000,
)
ACTION = replace(
    SHG2,
    architecture="action",
    metric="accuracy",
    score=71.0,
    samples=64_000,
    sha256="b" * 64,
    trained_sha256="c" * 64,
)
SHG8 = replace(
    SHG2, architecture="shg8", sha256="d" * 64, samples=100_000, recipe={**RECIPE, "warm_start": "a" * 64}
)
PRE = replace(
    SHG2, architecture="resdec_pre", sha256="e" * 64, samples=90_000, recipe={**RECIPE, "warm_start": "c" * 64}
)
LOST = replace(SHG2, architecture="resdec", sha256="f" * 64, recipe={**RECIPE, "warm_start": "0123456789abcdef"})
ROWS = [SHG2, ACTION, SHG8, PRE, LOST]
TIMING = Timing(batch=25, threads=1, repeats=9, cpu="a CPU")


def entry(facts: WeightFacts, *, value: float) -> Entry:
    scored = Estimate(value=value, low=value - 1, high=value + 1, n=1000)
    groups = {ALL: scored, **dict.fromkeys(GROUPS, scored)} if facts.metric == "PCKh@0.5" else {ALL: scored}
    return Entry(facts=facts, parameters=421_744, million_macs=140.4, images_per_second=134.2, scores=groups)


def test_a_table_by_hand() -> None:
    assert table(("model", "score"), [["a", "1"], ["b", "2"]]) == [
        "| model | score |",
        "|---|---|",
        "| a | 1 |",
        "| b | 2 |",
    ]


@pytest.mark.parametrize(
    ("facts", "name", "seen", "counted"),
    [
        (SHG2, "", "160,000", 160_000),
        (SHG8, "shg2", "100,000 + shg2's 160,000", 260_000),
        (PRE, "action", "90,000 + action's 64,000", 154_000),
        (
            LOST,
            "weights of sha256 0123456789ab",
            "160,000 + those of weights of sha256 0123456789ab",
            160_000,
        ),
    ],
    ids=[
        "anew",
        "from a file of the package",
        "from the file that a shipped one was rounded from",
        "from another",
    ],
)
def test_a_parent_is_named_where_the_package_has_it(
    facts: WeightFacts, name: str, seen: str, counted: int
) -> None:
    assert parent_name(facts, ROWS) == name
    assert samples_seen(facts, ROWS) == seen
    assert all_samples(facts, ROWS) == counted
    assert label(facts, ROWS) == (f"{facts.architecture} (from {name})" if name else facts.architecture)


def test_a_training_is_named_by_its_command() -> None:
    assert command(SHG8, ROWS) == (
        "robustpose train shg8 --people 12000 --samples 160000 --batch 16 --lr 0.003 --warm-start shg2.safetensors"
    )
    changed = replace(SHG2, recipe={**RECIPE, "half_body": 0.3, "size": "published", "seed": 0})
    assert command(changed, ROWS).endswith("--lr 0.003 --size published --half-body 0.3")


def test_unequal_effort_is_said_in_numbers() -> None:
    said = effort([SHG2, SHG8, PRE], ROWS)
    assert "resdec_pre saw 154,000 samples, shg8 260,000, which is 1.7 times as many." in said
    assert "(shg8 from shg2, resdec_pre from action)" in said
    assert "recipes differ" not in said
    other = replace(SHG2, architecture="deeppose", recipe={**RECIPE, "batch": 32, "lr": 0.002})
    said = effort([SHG2, other, LOST], ROWS)
    assert said.startswith("The models saw about as many samples, 160,000 to 160,000.")
    assert "resdec was initialised from weights outside the package" in said
    assert "The recipes differ in batch (16 to 32), lr (0.002 to 0.003)." in said


def test_the_page_holds_every_model() -> None:
    scores = [78.4, 71.0, 67.9, 69.5, 61.0]
    lines = page([entry(f, value=v) for f, v in zip(ROWS, scores, strict=True)], TIMING).splitlines()
    assert lines[0] == "# Model zoo"
    text = " ".join(lines)
    assert "forward passes of 25 images in float32 on one thread of a CPU, the median of 9 repeats" in text
    header = "| model | parameters | million MACs | images/s | score | samples seen | device, seconds |"
    first = lines.index(header)
    assert lines[first + 2 : first + 7] == [
        "| shg2 | 421,744 | 140 | 134 | 78.4 [77.4, 79.4] | 160,000 | cpu, 2,415 |",
        "| shg8 | 421,744 | 140 | 134 | 67.9 [66.9, 68.9] | 100,000 + shg2's 160,000 | cpu, 2,415 |",
        "| resdec_pre | 421,744 | 140 | 134 | 69.5 [68.5, 70.5] | 90,000 + action's 64,000 | cpu, 2,415 |",
        "| resdec | 421,744 | 140 | 134 | 61.0 [60.0, 62.0] | 160,000 + those of weights of sha256 0123456789ab "
        "| cpu, 2,415 |",
        "| action | 421,744 | 140 | 134 | accuracy 71.0 [70.0, 72.0] | 64,000 | cpu, 2,415 |",
    ]
    judged = lines.index("| model | score | aim | floor | reached |  |")
    assert lines[judged + 2 : judged + 7] == [
        "| shg2 | PCKh@0.5 | 78 | 68 | 78.4 [77.4, 79.4] | aim reached |",
        "| shg8 | PCKh@0.5 | 78 | 68 | 67.9 [66.9, 68.9] | 0.1 below the floor |",
        "| resdec_pre | PCKh@0.5 | 72 | 62 | 69.5 [68.5, 70.5] | 2.5 below the aim |",
        "| resdec | PCKh@0.5 | 72 | 62 | 61.0 [60.0, 62.0] | 1.0 below the floor |",
        "| action | accuracy | 80 | 70 | 71.0 [70.0, 72.0] | 9.0 below the aim |",
    ]
    by_joint = lines.index("| model | " + " | ".join(GROUPS) + " |")
    assert [line.split(" | ")[0] for line in lines[by_joint + 2 : by_joint + 6]] == [
        *("| shg2", "| shg8", "| resdec_pre", "| resdec")
    ]
    assert "without weights in the package" in lines[-1]
    assert "deeppose" in lines[-1]
    assert "shg2" not in lines[-1]


def test_whose_training_curves_have_the_smaller_thresholds() -> None:
    before, after = next(iter(SAME_TRAINING_PEOPLE)), "synthpose:train:0123456789abcdef"
    shg2, action = replace(SHG2, data_fingerprint=before), replace(SHG2, metric="accuracy", data_fingerprint=after)
    later = replace(SHG2, architecture="dlcm", data_fingerprint=after)
    assert "The curves of PCKh@0.5 were drawn before" in watched([shg2, action])
    assert "The curves of PCKh@0.5 (except dlcm) were drawn before" in watched([shg2, later, action])
    assert "drawn before" not in watched([later, action])
