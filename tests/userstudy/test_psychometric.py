"""d', intervals and curves against values known by hand or in closed form."""

import numpy as np
import pytest

from robustpose.userstudy import d_prime, fit_curve, wilson
from robustpose.userstudy.psychometric import Curve
from tests.userstudy.observers import EPS, chance


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 0.0), (0.76, 1.0), (0.92135, 2.0), (0.24, -1.0), (0.8413447, 2**0.5)],
)
def test_d_prime_of_two_alternatives(share: float, expected: float) -> None:
    """Table A5.2 of Macmillan and Creelman gives .76 for d' = 1 and .92 for d' = 2; z(.8413) = 1."""
    assert d_prime(share, trials=1000) == pytest.approx(expected, abs=0.002)


def test_shares_without_a_finite_z_take_the_log_linear_value() -> None:
    assert d_prime(1.0, trials=10) == pytest.approx(2**0.5 * 1.6906, abs=1e-3)  # z(10.5 / 11)
    assert d_prime(0.0, trials=10) == pytest.approx(-d_prime(1.0, trials=10))
    assert d_prime(0.9, trials=10) < d_prime(1.0, trials=10) < d_prime(1.0, trials=40)
    assert np.isnan(d_prime(0.5, trials=0))


def test_wilson_by_hand() -> None:
    assert [*wilson(8, 10)] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert [*wilson(10, 10)] == pytest.approx([0.7225, 1.0], abs=1e-4)
    assert np.isnan(wilson(0, 0)).all()


def test_a_fit_finds_the_curve_that_made_the_shares() -> None:
    eps, trials = np.array(EPS), np.full(len(EPS), 1e6)
    shares = np.array([chance(each, threshold=6 / 255, slope=1.5) for each in EPS])
    found = fit_curve(eps, shares * trials, trials)
    assert found.threshold * 255 == pytest.approx(6, abs=0.02)
    assert found.slope == pytest.approx(1.5, abs=0.02)
    assert found.lapse == pytest.approx(0, abs=1e-3)
    assert found.share(found.threshold) == pytest.approx(0.75)


def test_a_slip_at_the_largest_eps_does_not_move_the_threshold_far() -> None:
    eps, trials = np.array(EPS), np.full(len(EPS), 50.0)
    right = np.array([25, 26, 31, 45, 50, 50.0])
    slipped = np.array([25, 26, 31, 45, 50, 48.0])
    whole, bent = (fit_curve(eps, each, trials).threshold for each in (right, slipped))
    assert bent == pytest.approx(whole, rel=0.1)


def test_the_threshold_is_where_a_curve_with_lapses_passes_three_quarters() -> None:
    curve = Curve(middle=float(np.log(0.02)), slope=3.0, lapse=0.04)
    assert curve.threshold > 0.02
    assert curve.share(curve.threshold) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="needs trials"):
        fit_curve(np.array(EPS), np.zeros(6), np.zeros(6))
