"""What every threat keeps, by properties; each by hand; and projections against a solver that knows no norm."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.threats import L0, L1, L2, THREATS, Linf, Patch, format_eps, make_threat, parse_eps

SHAPE = (2, 3, 2, 3)
ROUNDING = 2e-6
FEW = settings(max_examples=40, deadline=None, derandomize=True)
SCALES = {"linf": 1.0, "l2": 3.0, "l1": 9.0, "l0": 6.0, "patch": 3.0}
"""The largest size that a change of pictures of SHAPE is asked to have."""

pictures = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)).map(torch.from_numpy)
levels = arrays(np.uint8, SHAPE).map(lambda found: torch.from_numpy(found).float() / 255)
anything = arrays(np.float32, SHAPE, elements=st.floats(-3, 3, width=32)).map(torch.from_numpy)
shares = st.sampled_from([0.0, 0.25 / 255, 1 / 255, 8 / 255, 0.1, 0.35, 1.0])
every_threat = pytest.mark.parametrize("name", THREATS)
lengths = pytest.mark.parametrize(("make", "power"), [(Linf, np.inf), (L2, 2), (L1, 1)], ids=["linf", "l2", "l1"])


def budget(name: str, share: float) -> float:
    eps = share * SCALES[name]
    return float(int(eps)) if name in ("l0", "patch") else eps


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
    """Pull each picture towards its original until it is inside: nothing may move (adv-lib's l2 bug)."""
    threat = make_threat(name, budget(name, 0.1))
    size = threat.size(images, adv).clamp(min=1e-12)
    pull = (share * threat.eps / size).clamp(max=1.0)[:, None, None, None]
    inside = images + pull * (adv - images)
    torch.testing.assert_close(threat.project(images, inside), inside, rtol=0, atol=ROUNDING)


@every_threat
@FEW
@given(images=pictures, adv=anything, first=shares, second=shares)
def test_each_picture_can_have_its_own_budget(
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
    """Of two values every allowed picture can be tried: none lies nearer."""
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
    middle = torch.full_like(grad, 0.5)
    step = threat.step(grad, middle)
    sloped = grad.abs().flatten(1).amax(dim=1) > 1e-6
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
    """It ends inside [0, 1], and no allowed picture gains more by a linear loss."""
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


def row(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def test_linf_by_hand() -> None:
    images, adv = row(0.0, 0.5, 0.98, 0.5), row(-0.2, 0.53, 1.5, 0.9)
    torch.testing.assert_close(Linf(0.1).project(images, adv), row(0.0, 0.53, 1.0, 0.6))
    assert Linf(0.1).size(images, adv).item() == pytest.approx(0.52)
    assert Linf(0.1).step(row(-3.0, 0.0, 1e-20), row(0.5, 0.5, 0.5)).flatten().tolist() == [-1.0, 0.0, 1.0]


def test_l2_by_hand() -> None:
    images = row(0.5, 0.5)
    torch.testing.assert_close(L2(0.2).project(images, row(0.8, 0.9)), row(0.62, 0.66))  # (3, 4) / 5
    # One value is full at 1 - 0.9 = 0.1; what is left of the budget, sqrt(0.2^2 - 0.1^2), is the other's.
    rest = (0.2**2 - 0.1**2) ** 0.5
    torch.testing.assert_close(L2(0.2).project(row(0.9, 0.5), row(1.9, 1.5)), row(1.0, 0.5 + rest))
    torch.testing.assert_close(L2(0.2).step(row(1.0, 1.0), row(0.9, 0.5)), row(0.1, rest) / 0.2)
    torch.testing.assert_close(L2(0.2).step(row(-3e-12, 4e-12), row(0.5, 0.5)), row(-0.6, 0.8))
    assert L2(0.2).size(images, row(0.8, 0.9)).item() == pytest.approx(0.5)


def test_l1_by_hand() -> None:
    images = row(0.5, 0.5, 0.5)
    torch.testing.assert_close(L1(0.5).project(images, row(0.9, 0.2, 0.45)), row(0.8, 0.3, 0.5))  # all 0.1 less
    # The first is full at 0.1 and stays full; the other gives up what is beyond 0.5 - 0.1.
    torch.testing.assert_close(L1(0.5).project(row(0.9, 0.5, 0.5), row(1.9, 1.0, 0.5)), row(1.0, 0.9, 0.5))
    torch.testing.assert_close(
        L1(0.75).step(row(1.0, -3.0, 2.0), images), row(0.0, -0.5, 0.25) / 0.75, rtol=1e-6, atol=1e-7
    )
    assert L1(0.5).size(images, row(0.9, 0.2, 0.45)).item() == pytest.approx(0.75)


def test_l0_by_hand() -> None:
    images = torch.full((1, 3, 1, 3), 0.5)
    adv = images.clone()
    adv[0, :, 0, 0] += 0.1  # three channels by little: one pixel, 0.03 in squares
    adv[0, 0, 0, 1] += 0.2  # one channel by more: 0.04
    adv[0, 2, 0, 2] += 0.1  # 0.01
    kept = images.clone()
    kept[0, 0, 0, 1] = 0.7
    torch.testing.assert_close(L0(1).project(images, adv), kept)
    assert L0(1).size(images, adv).item() == 3
    slope = torch.zeros_like(images)
    slope[0, 1, 0, 0], slope[0, 2, 0, 2] = -2.0, 1.5
    step = torch.zeros_like(images)
    step[0, 1, 0, 0] = -0.5
    torch.testing.assert_close(L0(1).step(slope, images), step)


def test_patch_by_hand() -> None:
    images = torch.full((1, 1, 3, 4), 0.5)
    adv = images.clone()
    adv[0, 0, 0, 0] = 0.9  # alone: 0.16 in squares
    adv[0, 0, 1:, 2:] = 0.75  # four together: 0.25
    kept = images.clone()
    kept[0, 0, 1:, 2:] = 0.75
    torch.testing.assert_close(Patch(2).project(images, adv), kept)
    assert Patch(2).size(images, kept).item() == 2
    assert Patch(2).size(images, adv).item() == 4  # from the first column to the last
    assert Patch(2).size(images, images).item() == 0
    step = torch.zeros_like(images)
    step[0, 0, 1:, 2:] = torch.tensor([[0.25, -0.25], [-0.25, 0.25]])
    slope = torch.zeros_like(images)
    slope[0, 0, 1:, 2:] = torch.tensor([[1.0, -2.0], [-1.0, 1.0]])
    slope[0, 0, 0, 0] = 4.0
    torch.testing.assert_close(Patch(2).step(slope, images), step)
    moved = Patch(2).sample(images, torch.Generator().manual_seed(0))
    assert Patch(2).size(images, moved).item() == 2


def test_rounding_by_hand() -> None:
    images, adv = row(10, 10, 10, 0, 255) / 255, row(12.4, 12.6, 7.5, 0.4, 252.6) / 255
    rounded = Linf(2.5 / 255).round_to_8bit(images, adv) * 255
    torch.testing.assert_close(rounded, row(12, 12, 8, 0, 253))


def test_rounding_in_l2_by_hand() -> None:
    """Changes of 2.6, 0.3 and 0.4 levels: 3, 0 and 0 are the nearest, and 9 in squares is more than 7.01."""
    images, adv = row(10, 10, 10) / 255, row(12.6, 10.3, 10.4) / 255
    torch.testing.assert_close(L2(2.7 / 255).round_to_8bit(images, adv) * 255, row(12, 10, 10))
    torch.testing.assert_close(L2(3.0 / 255).round_to_8bit(images, adv) * 255, row(13, 10, 10))


def test_a_change_of_less_than_half_a_level_everywhere_is_not_rounded_away() -> None:
    """2500 values of 0.4 levels are 20 levels long: 400 whole levels are as long."""
    images = torch.full((1, 1, 50, 50), 100 / 255)
    moved = L2(20 / 255).round_to_8bit(images, images + 0.4 / 255)
    assert L2(1.0).size(images, moved).item() * 255 == pytest.approx(20, abs=0.05)
    summed = L1(1000 / 255).round_to_8bit(images, images + 0.4 / 255)
    assert L1(9.0).size(images, summed).item() * 255 == pytest.approx(1000, abs=1.01)


@pytest.mark.parametrize("eps", [0.0313725, 0.03137254901, 8 / 255])
def test_a_budget_written_in_decimals_is_the_level_it_means(eps: float) -> None:
    """0.0313725 x 255 is 7.99999: eight levels, not seven."""
    images = torch.full((1, 3, 2, 2), 100 / 255)
    assert float((Linf(eps).round_to_8bit(images, images + eps) * 255).max()) == pytest.approx(108, abs=1e-4)


def test_linf_samples_fill_the_ball() -> None:
    images = torch.full((1, 3, 40, 40), 0.5)
    moved = (Linf(0.1).sample(images, generator=torch.Generator().manual_seed(0)) - images) / 0.1
    # Uniform on [-1, 1]: mean 0, variance 1/3; 4800 draws.
    assert abs(float(moved.mean())) < 0.03
    assert float(moved.var()) == pytest.approx(1 / 3, abs=0.02)
    assert float(moved.min()) < -0.99
    assert float(moved.max()) > 0.99


@pytest.mark.parametrize(("make", "power"), [(L2, 2), (L1, 1)], ids=["l2", "l1"])
def test_samples_fill_the_other_balls(make: Callable[[float], L2 | L1], power: int) -> None:
    """In two dimensions a uniform draw lies within r of the centre with probability r squared, in any norm."""
    images = torch.full((4000, 1, 1, 2), 0.5)
    threat = make(0.4)
    moved = threat.sample(images, generator=torch.Generator().manual_seed(1)) - images
    sizes = torch.linalg.vector_norm(moved.flatten(1), ord=power, dim=1) / 0.4
    for within in (0.25, 0.5, 0.75):
        assert float((sizes <= within).float().mean()) == pytest.approx(within**2, abs=0.03)
    assert (moved.flatten(1).mean(dim=0).abs() < 0.01).all()
    assert ((moved > 0).float().mean(dim=0).flatten() - 0.5).abs().max() < 0.03


def test_l0_samples_change_as_many_pixels_as_they_may() -> None:
    images = torch.full((3, 3, 6, 6), 0.5)
    assert L0(7).size(images, L0(7).sample(images, torch.Generator().manual_seed(0))).tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("text", "eps"),
    [
        ("8/255", 8 / 255),
        ("0.25/255", 0.25 / 255),
        ("0.031", 0.031),
        ("0", 0.0),
        ("1.0/1", 1.0),
        ("0.2", 0.2),
        (" 2 / 255 ", 2 / 255),
    ],
)
def test_eps_as_people_write_it(text: str, eps: float) -> None:
    assert parse_eps(text) == eps


@pytest.mark.parametrize(
    ("text", "threat", "eps", "written"),
    [
        ("2.0", "l2", 2.0, "2 in L2"),
        ("128/255", "l2", 128 / 255, "0.501961 in L2"),
        ("12", "l1", 12.0, "12 in L1"),
        ("100", "l0", 100.0, "100 pixels"),
        ("1", "l0", 1.0, "1 pixel"),
        ("32", "patch", 32.0, "32 x 32 pixels"),
    ],
)
def test_eps_of_other_threats(text: str, threat: str, eps: float, written: str) -> None:
    assert parse_eps(text, threat) == eps
    assert format_eps(eps, threat) == written


@pytest.mark.parametrize(
    ("text", "threat", "message"),
    [
        ("-1", "l2", "eps of l2 must be a number from 0, got -1"),
        ("nan", "l1", "eps of l1 must be a number from 0, got nan"),
        ("inf", "l2", "eps of l2 must be a number from 0, got inf"),
        ("1.5", "l0", "eps of l0 is a whole number of pixels, got 1.5"),
        ("ten", "l0", "eps must be a number such as 100, got 'ten'"),
    ],
)
def test_an_eps_that_another_threat_cannot_have(text: str, threat: str, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        parse_eps(text, threat)
    if text != "ten":
        with pytest.raises(RobustPoseError, match=message):
            make_threat(threat, float(text))


@pytest.mark.parametrize(
    "text", ["abc", "", "1/0", "8/", "/255", "8/255/2", "-1", "-1/255", "300", "nan", "inf", "8"]
)
def test_an_eps_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(RobustPoseError, match=r"^eps must be .*got") as caught:
        parse_eps(text)
    assert "\n" not in str(caught.value)


def test_eps_in_levels_is_guessed() -> None:
    with pytest.raises(RobustPoseError, match=r"^eps must be in \[0, 1\], got 8; did you mean 8/255\?$"):
        parse_eps("8")
    with pytest.raises(RobustPoseError, match=r"^eps must be in \[0, 1\], got 300$"):
        parse_eps("300")
    with pytest.raises(RobustPoseError, match="did you mean 16/255"):
        Linf(16)


def test_unknown_threats_are_guessed() -> None:
    with pytest.raises(RobustPoseError, match="unknown threat 'linv'; did you mean 'linf'"):
        make_threat("linv", 0.1)


@pytest.mark.parametrize("text", ["0/255", "0.25/255", "1/255", "2.5/255", "8/255", "32/255", "255/255"])
def test_format_undoes_parse(text: str) -> None:
    assert format_eps(parse_eps(text)) == text


@pytest.mark.parametrize(("text", "hint"), [("1", "1/255 or 255/255"), ("0.5", "0.5/255 or 127.5/255")])
def test_levels_written_without_their_255_are_asked_about(text: str, hint: str) -> None:
    with pytest.raises(RobustPoseError, match=hint):
        parse_eps(text)
