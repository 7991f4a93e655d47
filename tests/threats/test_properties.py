"""Properties of every threat; and projections against a general solver."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.threats import L1, L2, Linf, make_threat, threats_of

SHAPE = (2, 3, 2, 3)
ROUNDING = 2e-6
FEW = settings(max_examples=40, deadline=None, derandomize=True)

pictures = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)).map(torch.from_numpy)
levels = arrays(np.uint8, SHAPE).map(lambda found: torch.from_numpy(found).float() / 255)
anything = arrays(np.float32, SHAPE, elements=st.floats(-3, 3, width=32)).map(torch.from_numpy)
shares = st.sampled_from([0.0, 0.25 / 255, 1 / 255, 8 / 255, 0.1, 0.35, 1.0])
every_threat = pytest.mark.parametrize("name", threats_of("values"))
lengths = pytest.mark.parametrize(("make", "power"), [(Linf, np.inf), (L2, 2), (L1, 1)], ids=["linf", "l2", "l1"])


def budget(name: str, share: float) -> float:
    """A share of the largest change of images of SHAPE; of threats in whole pixels the next lower number."""
    eps = share * float(make_threat(name, 1).size(torch.zeros(SHAPE), torch.ones(SHAPE)).max())
    try:
        return make_threat(name, eps).eps
    except RobustPoseError:
        return float(int(eps))


@every_threat
@FEW
@given(images=pictures, adv=anything, share=shares)
def test_project_ends_in_the_ball_and_the_range(name: str, images: Tensor, adv: Tensor, share: float) -> None:
    threat = make_threat(name, budget(name, share))
    inside = threat.project(images, adv)
    assert inside.min() >= 0
    assert inside.max() <= 1
    assert (threat.size(images, inside) <= threat.eps + ROUNDING).all()
    assert threat.size(images, inside).shape == (len(images),)


@every_threat
@FEW
@given(images=pictures, adv=anything, share=shares)
def test_project_twice_is_project_once(name: str, images: Tensor, adv: Tensor, share: float) -> None:
    threat = make_threat(name, budget(name, share))
    once = threat.project(images, adv)
    torch.testing.assert_close(threat.project(images, once), once, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ["linf", "l2", "l1"])
@FEW
@given(images=pictures, adv=pictures, share=st.floats(0, 0.99))
def test_project_leaves_what_is_inside_alone(name: str, images: Tensor, adv: Tensor, share: float) -> None:
    """Pull each image towards its original until it is inside: nothing may move (adv-lib's l2 bug)."""
    threat = make_threat(name, budget(name, 0.1))
    size = threat.size(images, adv).clamp(min=1e-12)
    pull = (share * threat.eps / size).clamp(max=1.0)[:, None, None, None]
    inside = images + pull * (adv - images)
    torch.testing.assert_close(threat.project(images, inside), inside, rtol=0, atol=ROUNDING)


@every_threat
@FEW
@given(images=pictures, adv=anything, first=shares, second=shares)
def test_each_image_can_have_its_own_budget(
    name: str, images: Tensor, adv: Tensor, first: float, second: float
) -> None:
    budgets = [budget(name, first), budget(name, second)]
    found = make_threat(name, 0.0).project(images, adv, eps=torch.tensor(budgets))
    for row, eps in enumerate(budgets):
        only = slice(row, row + 1)
        expected = make_threat(name, eps).project(images[only], adv[only])
        torch.testing.assert_close(found[only], expected, rtol=0, atol=ROUNDING)


@lengths
@FEW
@given(
    images=arrays(np.float32, (1, 1, 1, 2), elements=st.floats(0, 1, width=32)).map(torch.from_numpy),
    adv=arrays(np.float32, (1, 1, 1, 2), elements=st.floats(-2, 2, width=32)).map(torch.from_numpy),
    eps=st.sampled_from([0.1, 0.4, 0.9]),
)
def test_project_finds_the_nearest_of_a_grid(
    make: Callable[[float], Linf | L2 | L1], power: float, images: Tensor, adv: Tensor, eps: float
) -> None:
    """Of two values every allowed image can be tried: none lies nearer."""
    side = torch.linspace(0, 1, 101, dtype=torch.float64)
    tried = torch.cartesian_prod(side, side)
    allowed = tried[torch.linalg.vector_norm(tried - images.double().flatten(), ord=power, dim=1) <= eps]
    found = make(eps).project(images, adv).double().flatten()
    distance = torch.linalg.vector_norm(found - adv.double().flatten())
    best = torch.linalg.vector_norm(allowed - adv.double().flatten(), dim=1).min() if len(allowed) else torch.inf
    assert float(distance) <= float(best) + 1e-5


@pytest.mark.parametrize("name", ["linf", "l2", "l1", "l0"])
@FEW
@given(grad=anything, share=st.sampled_from([1 / 255, 0.1, 0.35]))
def test_a_step_spends_the_budget_and_ascends(name: str, grad: Tensor, share: float) -> None:
    threat = make_threat(name, max(budget(name, share), 1.0 if name == "l0" else 0.0))
    grad = grad.where(grad.abs() > 1e-6, 0.0)  # beside 1, no float reaches as far as 1e-38 would have to go
    middle = torch.full_like(grad, 0.5)
    step = threat.step(grad, middle)
    sloped = (grad != 0).flatten(1).any(dim=1)
    assert ((grad * step).flatten(1).sum(dim=1)[sloped] > 0).all()
    assert not step[grad == 0].any()
    room = 0.5 * (grad != 0).float()
    most = torch.minimum(threat.size(middle, middle + room), torch.tensor(threat.eps))
    moved = threat.size(middle, middle + threat.eps * step)
    torch.testing.assert_close(moved[sloped], most[sloped], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["l2", "l1", "l0", "patch"])
@FEW
@given(images=pictures, grad=anything, share=st.sampled_from([0.1, 0.35, 0.9]), seed=st.integers(0, 9))
def test_a_step_of_the_budget_is_the_best_move(
    name: str, images: Tensor, grad: Tensor, share: float, seed: int
) -> None:
    """It ends inside [0, 1], and no allowed image gains more by a linear loss."""
    threat = make_threat(name, budget(name, share))
    best = images + threat.eps * threat.step(grad, images)
    assert best.min() >= -ROUNDING
    assert best.max() <= 1 + ROUNDING
    assert (threat.size(images, best) <= threat.eps + 1e-5).all()
    gain = (grad * (best - images)).flatten(1).sum(dim=1)
    generator = torch.Generator().manual_seed(seed)
    for length in (0.3, 3.0, 300.0):
        noise = torch.randn(images.shape, generator=generator)
        other = threat.project(images, images + length * (grad + 0.1 * noise))
        assert ((grad * (other - images)).flatten(1).sum(dim=1) <= gain + 1e-4).all()


@every_threat
@FEW
@given(images=pictures, seed=st.integers(0, 99), share=shares)
def test_sample_is_allowed_and_repeatable(name: str, images: Tensor, seed: int, share: float) -> None:
    threat = make_threat(name, budget(name, share))
    first = threat.sample(images, generator=torch.Generator().manual_seed(seed))
    again = threat.sample(images, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(first, again)
    assert first.min() >= 0
    assert first.max() <= 1
    assert (threat.size(images, first) <= threat.eps + ROUNDING).all()


@every_threat
@FEW
@given(images=levels, adv=anything, share=shares)
def test_rounding_stays_on_levels_and_inside(name: str, images: Tensor, adv: Tensor, share: float) -> None:
    threat = make_threat(name, budget(name, share))
    rounded = threat.round_to_8bit(images, threat.project(images, adv))
    assert ((rounded * 255) - (rounded * 255).round()).abs().max() < 1e-4
    assert rounded.min() >= 0
    assert rounded.max() <= 1
    assert (threat.size(images, rounded) <= threat.eps * (1 + 1e-6) + 1e-7).all()


@pytest.mark.parametrize("name", ["linf", "l2", "l1", "l0", "patch"])
@FEW
@given(images=levels, other=levels)
def test_rounding_leaves_levels_alone(name: str, images: Tensor, other: Tensor) -> None:
    threat = make_threat(name, {"linf": 1.0, "l2": 10.0, "l1": 40.0, "l0": 6.0, "patch": 3.0}[name])
    torch.testing.assert_close(threat.round_to_8bit(images, other), other, rtol=0, atol=1e-7)


def test_no_budget_is_no_change_where_the_room_is_lost_in_rounding() -> None:
    images = torch.full((1, 3, 2, 2), 1e-20)
    assert torch.equal(make_threat("l1", 0.0).project(images, -torch.ones_like(images)), images)


@every_threat
@FEW
@given(images=pictures, adv=anything)
def test_eps_0_is_a_point(name: str, images: Tensor, adv: Tensor) -> None:
    threat = make_threat(name, 0.0)
    assert torch.equal(threat.project(images, adv), images)
    assert torch.equal(threat.sample(images, generator=torch.Generator()), images)
    assert torch.isfinite(threat.step(adv, images)).all()
    assert not threat.holds_8bit


@every_threat
def test_arguments_are_not_written_to(name: str) -> None:
    images, adv = torch.rand(SHAPE), 3 * torch.rand(SHAPE) - 1
    kept = images.clone(), adv.clone()
    threat = make_threat(name, budget(name, 0.34))
    threat.project(images, adv)
    threat.step(adv, images)
    threat.size(images, adv)
    threat.sample(images, generator=torch.Generator())
    threat.round_to_8bit(images, threat.project(images, adv))
    assert torch.equal(images, kept[0])
    assert torch.equal(adv, kept[1])
