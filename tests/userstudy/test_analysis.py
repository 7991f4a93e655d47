"""The analysis: simulated observers' thresholds are found again, and small tables worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.report.terminal.userstudy import reading, rows_as_csv
from robustpose.userstudy import Analysis, Answer, Answers, Participant, analyse, read_answers
from robustpose.userstudy.analysis import _ends
from robustpose.userstudy.trials import Kind
from tests.userstudy.observers import EPS, answers, made_up_trials, write


def simulated(
    tmp_path: Path,
    *,
    people: int,
    each: int = 4,
    attack: float = 6,
    noise: float = 16,
    first: int = 0,
    draws: int = 200,
) -> Analysis:
    """Simulate people who are right 75% of the time at these levels of 255."""
    thresholds = {"attack": attack / 255, "noise": noise / 255}
    trials = made_up_trials(each=each)
    files = [answers(trials, number, thresholds=thresholds) for number in range(first, first + people)]
    return analyse(read_answers([write(tmp_path, file) for file in files]), draws=draws)


def by_hand(right: dict[tuple[Kind, float], tuple[int, int]], *, people: int = 1) -> Answers:
    """People who all gave the same answers: (right, trials) by kind and level of 255."""
    rows: list[tuple[Kind, float, bool]] = [("catch", 64, True)] * 3
    rows += [(kind, eps, row < k) for (kind, eps), (k, n) in right.items() for row in range(n)]
    given = tuple(
        Answer(f"t{row:03d}", kind, eps / 255, "", "p0", "left", correct, 500.0)
        for row, (kind, eps, correct) in enumerate(rows, start=1)
    )
    return Answers("s1", tuple(Participant(f"{row}", False, given) for row in range(people)))


@pytest.mark.parametrize("first", [0, 100, 200])
def test_the_threshold_of_simulated_observers_lies_in_the_interval(tmp_path: Path, first: int) -> None:
    found = simulated(tmp_path, people=20, first=first)
    attack, noise = found.thresholds
    assert (attack.kind, attack.over, attack.participants, attack.trials) == ("attack", "participants", 20, 480)
    for each, truth in ((attack, 6 / 255), (noise, 16 / 255)):
        assert each.low < truth < each.high
        assert each.value == pytest.approx(truth, rel=0.35)
        assert each.high < 2.5 * each.low
    assert found.comparison is not None
    assert found.comparison.low > 0  # the attack of lower threshold is seen more often
    assert "75% correct at" in reading(found)[0]


def test_intervals_hold_what_they_promise(tmp_path: Path) -> None:
    """Of 20 simulated studies, the 95% interval of the threshold misses the truth in few."""
    hits = 0
    for study in range(20):
        attack = simulated(tmp_path, people=8, first=1000 + 10 * study).thresholds[0]
        hits += attack.low <= 6 / 255 <= attack.high
    assert 17 <= hits <= 20


def test_a_threshold_beyond_what_was_shown_is_said_not_guessed(tmp_path: Path) -> None:
    found = simulated(tmp_path, people=10, attack=200, noise=0.2)
    attack, noise = found.thresholds
    assert math.isinf(attack.value)
    assert math.isinf(attack.high)
    assert noise.value == 0
    unseen, seen, _ = reading(found)
    assert "attack: 75% correct is not reached up to 32/255" in unseen
    assert "above 32/255]" in unseen
    assert "noise: 75% correct is exceeded already at 1/255 [under 1/255" in seen


def test_one_lucky_budget_is_no_threshold() -> None:
    found = analyse(by_hand({("attack", 1): (8, 10), ("attack", 4): (4, 10), ("attack", 16): (5, 10)}), draws=50)
    assert math.isinf(found.thresholds[0].value)


def test_few_people_have_wilsons_interval_over_trials() -> None:
    found = analyse(by_hand({("attack", 8): (8, 10)}), draws=50)
    [rate] = found.rates
    assert (rate.trials, rate.participants, rate.correct, rate.right, rate.over) == (10, 1, 8, 80, "trials")
    assert [rate.low, rate.high] == pytest.approx([49.02, 94.33], abs=0.01)
    assert rate.d_prime == pytest.approx(1.190, abs=0.001)  # sqrt(2) z(.8)
    assert rate.d_low == pytest.approx(-0.035, abs=0.002)
    assert found.thresholds[0].over == "trials"


def test_five_people_are_redrawn(tmp_path: Path) -> None:
    four, five = simulated(tmp_path, people=4), simulated(tmp_path, people=5)
    assert {rate.over for rate in four.rates} == {"trials"}
    assert {rate.over for rate in five.rates if 0 < rate.right < 100} == {"participants"}


def test_all_right_has_an_interval_still() -> None:
    found = analyse(by_hand({("attack", 32): (4, 4)}, people=5), draws=50)
    [rate] = found.rates
    assert (rate.right, rate.high, rate.over) == (100, 100, "trials")
    assert 80 < rate.low < 100
    assert math.isfinite(rate.d_prime)
    assert rate.d_prime == rate.d_high > rate.d_low


def test_people_who_agree_have_no_width_and_noise_is_taken_off() -> None:
    found = analyse(
        by_hand({("attack", 8): (9, 10), ("noise", 8): (6, 10), ("noise", 16): (10, 10)}, people=6), draws=50
    )
    assert found.comparison is not None
    assert found.comparison.value == pytest.approx(30)
    assert [found.comparison.low, found.comparison.high] == pytest.approx([30, 30])
    assert (found.comparison.trials, found.comparison.participants) == (120, 6)


def test_people_differ_more_than_trials_do() -> None:
    """Half of the people see everything, half guess: redrawing people is wider than Wilson's interval."""
    sharp, blind = (by_hand({("attack", 8): (k, 20)}).participants[0].answers for k in (20, 10))
    people = tuple(Participant(str(row), False, sharp if row % 2 else blind) for row in range(8))
    [rate] = analyse(Answers("s1", people), draws=500).rates
    assert rate.right == 75
    assert rate.high - rate.low > 25  # Wilson's over 160 trials is 13 wide


def test_few_people_take_percentiles_further_out() -> None:
    """Of five: Student's t of 4 degrees, 2.776, times sqrt(5/4) is 3.104 normal deviations, a tail of 0.00095."""
    draws = np.arange(100_000.0)
    assert _ends(draws, people=5, over="participants")[0] == pytest.approx(95, abs=2)
    assert _ends(draws, people=5, over="trials") == (2499, 97499)
    low, high = _ends(np.array([1.0, np.nan, math.inf]), people=5, over="participants")
    assert (low, high) == (1, math.inf)


def test_who_does_not_look_is_left_out_and_counted(tmp_path: Path) -> None:
    trials, sees = made_up_trials(each=1), {"attack": 4 / 255, "noise": 4 / 255}
    files = [write(tmp_path, answers(trials, number, thresholds=sees, looks=number > 0)) for number in range(3)]
    found = analyse(read_answers(files), draws=20)
    assert found.participants == 2
    assert found.left_out == ("participant 0000000000000000: 0 of 6 catch trials correct",)
    assert {rate.participants for rate in found.rates} == {2}
    with pytest.raises(
        RobustPoseError, match="no participant of 1 passes the catch trials; the first: participant 0"
    ):
        analyse(read_answers(files[:1]))
    with pytest.raises(RobustPoseError, match="catch trials only"):
        analyse(by_hand({}))


def test_the_table_as_csv(tmp_path: Path) -> None:
    lines = rows_as_csv(simulated(tmp_path, people=5, each=1).rates).decode().splitlines()
    assert lines[0] == "kind,eps,trials,participants,correct,right,low,high,d_prime,d_low,d_high,over"
    assert [line.split(",")[:2] for line in lines[1:7]] == [["attack", f"{round(eps * 255)}/255"] for eps in EPS]
    assert len(lines) == 13


def test_the_same_answers_give_the_same_numbers(tmp_path: Path) -> None:
    assert simulated(tmp_path, people=6) == simulated(tmp_path, people=6)


def test_where_everybody_is_right_intervals_are_over_trials_and_have_a_width() -> None:
    """Redrawing six people who all gave the same answers changes nothing, which is no certainty."""
    found = analyse(by_hand({("attack", 8): (4, 4), ("noise", 8): (4, 4)}, people=6))
    assert found.comparison is not None
    assert found.comparison.value == 0
    assert found.comparison.low < 0 < found.comparison.high
    assert found.comparison.over == "trials"
    assert {each.over for each in found.thresholds} == {"trials"}
    mixed = analyse(by_hand({("attack", 8): (4, 4), ("noise", 8): (2, 4)}, people=6))
    assert [each.over for each in mixed.thresholds] == ["trials", "participants"]


def test_a_step_that_all_share_has_no_certain_threshold() -> None:
    """All wrong at 2 and right at 8 of 255: the threshold is between, not at one point."""
    found = analyse(by_hand({("attack", 2): (0, 3), ("attack", 8): (3, 3)}, people=6))
    (threshold,) = found.thresholds
    assert threshold.over == "trials"
    assert threshold.low < threshold.high
