"""Bounds of median smoothing against closed forms: a linear model, and the binomial distribution."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from robustpose.attacks import ATTACKS, make_perturbing, run
from robustpose.certificates import largest_radius, ranks, sampled_keypoints, worst_case
from robustpose.certificates.bounds import check_radii
from robustpose.errors import RobustPoseError
from robustpose.jobs.workbench import as_table
from robustpose.metrics import Table
from robustpose.objectives import TrainingLoss
from robustpose.threats import L2
from robustpose.types import Batch
from tests.conftest import TINY, LinearPose, tiny_batch

SIGMA, RADIUS, ALPHA = 0.25, 0.2, 0.001


def test_ranks_by_hand() -> None:
    """Two coins: with n = 4 and radius 0 the smallest sample exceeds the median with probability 1/16."""
    assert ranks(4, sigma=1.0, radius=0.0, alpha=0.07, bounds=1) == (1, 4)
    assert ranks(4, sigma=1.0, radius=0.0, alpha=0.06, bounds=1) is None
    # of 6 samples at most one lies below the median with probability 7/64 = 0.109
    assert ranks(6, sigma=1.0, radius=0.0, alpha=0.11, bounds=1) == (2, 5)
    assert ranks(6, sigma=1.0, radius=0.0, alpha=0.22, bounds=2) == (2, 5)
    assert ranks(6, sigma=1.0, radius=0.0, alpha=0.10, bounds=1) == (1, 6)


def test_a_bound_fails_as_often_as_it_may() -> None:
    """A bound exceeds the true quantile as often as the binomial distribution says, which is at most alpha."""
    n, alpha, times = 60, 0.1, 4000
    found = ranks(n, sigma=1.0, radius=0.5, alpha=alpha, bounds=1)
    assert found is not None
    low, high = found
    draws = np.sort(np.random.default_rng(0).normal(size=(times, n)), axis=1)
    p = norm.cdf(-0.5)
    exact = sum(_binomial(n, k, p) for k in range(low))
    slack = 4 * np.sqrt(exact * (1 - exact) / times)
    assert exact <= alpha < exact + _binomial(n, low, p)
    assert abs((draws[:, low - 1] > norm.ppf(p)).mean() - exact) < slack
    assert abs((draws[:, high - 1] < norm.ppf(1 - p)).mean() - exact) < slack


def _binomial(n: int, k: int, p: float) -> float:
    from math import comb

    return comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize("n", [100, 1000])
def test_the_largest_radius_is_the_largest(n: int) -> None:
    most = largest_radius(n, sigma=SIGMA, alpha=ALPHA, bounds=64)
    assert ranks(n, sigma=SIGMA, radius=most, alpha=ALPHA, bounds=64) == (1, n)
    assert ranks(n, sigma=SIGMA, radius=most * 1.001, alpha=ALPHA, bounds=64) is None


def test_largest_radius_as_published() -> None:
    """At confidence 0.99999, 1,000 samples reach 2.28 sigma and 10,000 reach 3.05 (Chiang et al. 2020)."""
    assert largest_radius(1000, sigma=1.0, alpha=1e-5, bounds=1) == pytest.approx(2.28, abs=0.005)
    assert largest_radius(10_000, sigma=1.0, alpha=1e-5, bounds=1) == pytest.approx(3.05, abs=0.005)


def people() -> tuple[LinearPose, Batch, Table]:
    model = LinearPose()
    batch = tiny_batch(3, levels=(100, 155))
    return model, batch, as_table(batch, model(batch.images).keypoints)


def spread(model: LinearPose) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Standard deviation (K, 2) of each coordinate per unit of noise, by hand: the norm of its row of weights."""
    height, width = TINY
    rows = model.W.detach().double().numpy().reshape(-1, 2, model.W.shape[1])
    found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.linalg.norm(rows, axis=2) * [width, height]
    return found


def test_a_linear_model_is_certified_as_in_closed_form() -> None:
    """Its median moves by at most radius x norm; many samples find this bound and do not fall below it."""
    model, batch, table = people()
    samples = sampled_keypoints(model, batch.images, ids=batch.ids, sigma=SIGMA, n=4000, seed=0)
    worst = worst_case(table, samples, sigma=SIGMA, radius=RADIUS, alpha=ALPHA)
    centre = table.predicted
    exact = np.abs(centre - table.keypoints) + RADIUS * spread(model)
    found = np.abs(worst.predicted - table.keypoints)
    assert (found >= exact * (1 - 1e-6)).all()
    # the rank's confidence costs about 4.2 standard errors of a quantile, 0.09 sigma at n = 4000
    assert (found <= exact + 0.15 * SIGMA * spread(model)).all()


@pytest.mark.parametrize(
    "name", [each for each in ATTACKS if ATTACKS[each].serves("l2") and ATTACKS[each].objective == "training_loss"]
)
def test_no_attack_gets_under_a_certificate(name: str) -> None:
    """A linear model is its own median smoothing, so its attacked keypoints must lie within the bounds."""
    model, batch, table = people()
    samples = sampled_keypoints(model, batch.images, ids=batch.ids, sigma=SIGMA, n=1000, seed=0)
    worst = worst_case(table, samples, sigma=SIGMA, radius=RADIUS, alpha=ALPHA)
    attacked = run(
        make_perturbing(name, targeted=False),
        model,
        batch,
        threat=L2(RADIUS),
        objective=TrainingLoss(),
        round_to_8bit=False,
    )
    moved = np.abs(attacked.output.keypoints.double().numpy() - table.keypoints)
    assert (moved <= np.abs(worst.predicted - table.keypoints)).all()
    assert (moved > np.abs(table.predicted - table.keypoints)).any()


def test_the_worst_corner_by_hand() -> None:
    """Six samples from 3 pixels below the truth to 2 above: the farther end counts, for x and for y."""
    _, _, table = people()
    offsets = np.array([-3.0, -1.0, 0.0, 0.0, 1.0, 2.0])
    samples = (table.keypoints[..., None] + offsets).astype(np.float32)
    bounds = 4 * samples.shape[1]
    worst = worst_case(table, samples, sigma=1.0, radius=0.0, alpha=bounds * 0.02)  # (1/2)^6 = 0.0156: ranks 1, 6
    assert worst.predicted - table.keypoints == pytest.approx(-3.0, abs=1e-4)


def test_too_few_samples_put_everything_at_infinity() -> None:
    _, _, table = people()
    samples = np.repeat(table.keypoints[..., None], 3, axis=-1).astype(np.float32)
    worst = worst_case(table, samples, sigma=1.0, radius=0.0, alpha=0.001)
    assert np.isinf(worst.predicted).all()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"sigma": 0.0}, "sigma must be > 0"),
        ({"sigma": float("nan")}, "sigma must be > 0"),
        ({"n": 0}, "at least one sample, got 0"),
        ({"radius": -1.0}, "a radius must be >= 0, got -1"),
        ({"alpha": 1.0}, r"alpha must lie in \(0, 1\), got 1"),
    ],
)
def test_numbers_out_of_range(numbers: dict[str, float], message: str) -> None:
    given = {"n": 10, "sigma": 1.0, "radius": 0.1, "alpha": 0.1, **numbers}
    with pytest.raises(RobustPoseError, match=message):
        ranks(int(given["n"]), sigma=given["sigma"], radius=given["radius"], alpha=given["alpha"], bounds=4)


def test_a_radius_beyond_the_samples_says_the_largest() -> None:
    with pytest.raises(
        RobustPoseError, match=r"radius 1 needs more than 100 samples: .* certify radii up to 0\.314"
    ):
        check_radii([0.1, 1.0], n=100, sigma=0.25, alpha=0.001, keypoints=16)


def test_sampling_depends_on_nobody_else_and_changes_nothing() -> None:
    model, batch, _ = people()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    together = sampled_keypoints(model, batch.images, ids=batch.ids, sigma=SIGMA, n=120, seed=3)
    alone = sampled_keypoints(model, batch.images[1:2], ids=batch.ids[1:2], sigma=SIGMA, n=120, seed=3)
    assert together[1].tobytes() == alone[0].tobytes()
    assert (
        together.tobytes()
        != sampled_keypoints(model, batch.images, ids=batch.ids, sigma=SIGMA, n=120, seed=4).tobytes()
    )
    assert torch.equal(state, torch.random.get_rng_state())
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert (np.diff(together, axis=-1) >= 0).all()
