"""Alarms about the clean predictions: a model that finds nobody has no robustness to measure."""

import math
from dataclasses import replace

import numpy as np

from robustpose.alarms.checks import Alarm
from robustpose.metrics import ALL, KeypointMetric, Table, score
from robustpose.metrics.bootstrap import Estimate, difference

ENOUGH = 10
"""People from which an interval decides; with fewer, only a score that is itself at or below chance."""
SLIGHT = 5.0
"""Points above chance below which a difference whose interval includes 0 is no sign of a working model."""
FAR = 10.0
"""Points below the score of the model spec from which a clean score is far below it."""


def mean_pose(table: Table) -> Table:
    """Predict for each person the mean pose of the others, in input pixels of the crop; the chance level.

    Only labelled keypoints enter the mean. A keypoint that nobody else has is NaN, which counts as wrong.
    """
    seen = table.visible[..., None]
    total = np.where(seen, table.keypoints, 0.0)
    count = seen.sum(axis=0, keepdims=True) - seen
    with np.errstate(invalid="ignore", divide="ignore"):
        others = (total.sum(axis=0, keepdims=True) - total) / np.where(count > 0, count, np.nan)
    return replace(table, predicted=others)


def useless(table: Table, metric: KeypointMetric, *, expected: tuple[str, float] | None = None) -> list[Alarm]:
    """Check the clean predictions of a model: not one keypoint right, chance level, far below its spec.

    expected  the metric and the clean score that the model's spec states

    At most one alarm of the first two. People without a labelled keypoint do not count.
    """
    clean = score(table, metric)[ALL]
    if clean.n == 0:
        return []
    if clean.value == 0:
        people = "1 person" if clean.n == 1 else f"{clean.n} people"
        return [Alarm("no-keypoint-right", f"no predicted keypoint of {people} is right on the clean images")]
    alarms = _at_chance(table, metric, clean)
    if expected is not None and is_far_below(clean, metric, expected):
        alarms.append(
            Alarm(
                "below-spec",
                f"the clean {metric.name} is {_told(clean)}, far below the {expected[1]:g} of the model spec",
            )
        )
    return alarms


def is_far_below(clean: Estimate, metric: KeypointMetric, expected: tuple[str, float]) -> bool:
    """Say whether a clean score is certainly far below the one that a model spec states by the same metric."""
    return expected[0] == metric.name and clean.n >= ENOUGH and clean.high < expected[1] - FAR


def _at_chance(table: Table, metric: KeypointMetric, clean: Estimate) -> list[Alarm]:
    if clean.n < 2:
        return []  # one person has no others
    guess = mean_pose(table)
    change = difference(guess, table, metric)[ALL]
    uncertain = clean.n >= ENOUGH and change.value < SLIGHT and not change.low > 0
    if not (change.value <= 0 or uncertain):
        return []
    chance = score(guess, metric)[ALL]
    return [
        Alarm(
            "chance-level",
            f"the clean {metric.name} is {_told(clean)}, not better than predicting the mean pose of the other "
            f"people ({chance.value:.1f})",
        )
    ]


def _told(estimate: Estimate) -> str:
    span = "" if math.isnan(estimate.low) else f" [{estimate.low:.1f}, {estimate.high:.1f}]"
    return f"{estimate.value:.1f}{span}, n = {estimate.n}"


def nothing_moved(label: str, clean: Table, attacked: Table) -> list[Alarm]:
    """Compare the predictions before and after an attack: an alarm if they are the same for everybody.

    A targeted attack is compared on people with a target pose; without one, nobody was attacked.
    """
    rows = {name: row for row, name in enumerate(clean.ids)}
    shared = [row for row, name in enumerate(attacked.ids) if name in rows]
    asked = attacked.visible if attacked.target_visible is None else attacked.target_visible
    shared = [row for row in shared if asked[row].any()]
    if not shared:
        if attacked.target_visible is None:
            return []
        return [Alarm("no-target", f"{label}: no person has a target pose, so nobody was attacked")]
    before = clean.predicted[[rows[attacked.ids[row]] for row in shared]]
    if not np.array_equal(before, attacked.predicted[shared], equal_nan=True):
        return []
    people = "1 person" if len(shared) == 1 else f"{len(shared)} people"
    return [Alarm("nothing-moved", f"{label}: the attack changed no predicted keypoint of {people}")]
