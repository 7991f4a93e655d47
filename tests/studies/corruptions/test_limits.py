"""The search for limits against curves whose crossings are known."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from robustpose.corruptions.axes import AXES
from robustpose.findings.statistics import Sample
from robustpose.studies.corruptions.limits import bracket, crossing, falling, limit, next_places, search

LEVELS = len(AXES["light"].levels)


def sample(value: float, *, spread: float = 0.0) -> Sample:
    """Make a score whose draws lie evenly around it."""
    return Sample(np.asarray(value), value + np.linspace(-spread, spread, 101), n=100)


@pytest.mark.parametrize("at", [-0.5, 0.4, 3.2, 7.9, 14.6, 20.0])
def test_the_search_finds_where_a_falling_curve_crosses(at: float) -> None:
    """A step at a place: both shares are lost there, between the same neighbours, in few probes."""
    probes: list[int] = []

    def measure(wanted: Sequence[tuple[str, str, int]]) -> Mapping[tuple[str, str, int], Sample]:
        probes.extend(place for _, _, place in wanted)
        return {each: sample(100.0 if each[2] < at else 0.0) for each in wanted}

    known = search(measure, ["m"], ["light"])["m", "light"]
    assert len(probes) == len(set(probes)) <= 1 + 4
    found = limit("m", "light", known, 50.0)
    light = AXES["light"].levels
    if at < 0:
        assert found.below and not found.beyond and found.words == "not even at 0.7 of full light"
    elif at >= LEVELS:
        assert found.beyond and found.words == "down to 0.004 of full light or further"
    else:
        assert light[int(at) + 1] <= found.value <= light[int(at)]
        assert not found.beyond and not found.below


def test_models_and_axes_are_searched_together() -> None:
    """In one round every search asks at once, so that an engine is started few times."""
    rounds: list[int] = []

    def measure(wanted: Sequence[tuple[str, str, int]]) -> Mapping[tuple[str, str, int], Sample]:
        rounds.append(len(wanted))
        return {each: sample(100.0 - 7 * each[2]) for each in wanted}

    found = search(measure, ["a", "b"], ["light", "jpeg"])
    assert len(rounds) <= 6 and rounds[0] == 4
    for (model, axis), known in found.items():
        at90, at50 = limit(model, axis, known, 90.0), limit(model, axis, known, 50.0)
        assert at90.value == pytest.approx(AXES[axis].between(10 / 7), rel=0.02)
        assert at50.value == pytest.approx(AXES[axis].between(50 / 7), rel=0.02)


def test_next_places_by_hand() -> None:
    assert next_places({}, 16) == [15]
    assert next_places({15: 95.0}, 16) == [], "within both shares to the end"
    assert next_places({15: 70.0}, 16) == [7], "below 90 only"
    assert next_places({15: 20.0, 7: 80.0}, 16) == [3, 11]
    assert next_places({15: 20.0, 7: 60.0, 3: 92.0, 4: 89.0, 8: 45.0}, 16) == []
    assert bracket({15: float("nan")}, 16, 90.0) == (-1, 15), "a score that is not defined is lost"


def test_falling_by_hand() -> None:
    assert falling(np.array([100.0, 90.0, 95.0, 50.0])) == pytest.approx([100, 92.5, 92.5, 50])
    assert falling(np.array([1.0, 2.0, 6.0])) == pytest.approx([3, 3, 3])
    generator = np.random.default_rng(0)
    for _ in range(20):
        values = generator.normal(size=12)
        fitted = falling(values)
        assert (np.diff(fitted) <= 1e-12).all() and fitted.mean() == pytest.approx(values.mean())


def test_crossing_by_hand() -> None:
    places = np.array([-1.0, 3.0, 15.0])
    curves = np.array([[100.0, 80.0, 20.0], [100.0, 100.0, 95.0], [100.0, 100.0, 100.0], [40.0, 40.0, 40.0]])
    assert crossing(places, curves, 90.0) == pytest.approx([1.0, 15.0, 15.0, -1.0])
    assert crossing(places, curves, 50.0) == pytest.approx([9.0, 15.0, 15.0, -1.0])


def test_the_interval_is_that_of_the_redrawn_people() -> None:
    """Draws 5 points around a line that falls by 10 points a level move the crossing by half a level."""
    known = {4: sample(90.0, spread=5.0), 5: sample(80.0, spread=5.0), 3: sample(100.0, spread=5.0)}
    found = limit("m", "size", known, 85.0)
    assert found.value == pytest.approx(AXES["size"].between(4.5))
    assert found.low == pytest.approx(AXES["size"].between(4.5 - 0.475), rel=0.02)
    assert found.high == pytest.approx(AXES["size"].between(4.5 + 0.475), rel=0.02)
    one = limit("m", "size", {4: Sample(np.asarray(0.0), np.zeros(3), n=1)}, 90.0)
    assert np.isnan(one.low) and np.isnan(one.high)
