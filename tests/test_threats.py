from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from robustpose.errors import RobustPoseError
from robustpose.threats import THREATS, Linf, format_eps, parse_eps
from robustpose.types import Threat

SHAPE = (2, 3, 2, 3)
ROUNDING = 1e-6
FEW = settings(max_examples=40, deadline=None, derandomize=True)

pictures = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)).map(torch.from_numpy)
anything = arrays(np.float32, SHAPE, elements=st.floats(-3, 3, width=32)).map(torch.from_numpy)
budgets = st.sampled_from([0.0, 0.25 / 255, 1 / 255, 8 / 255, 0.1, 1.0])
every_threat = pytest.mark.parametrize("make", THREATS.values(), ids=THREATS.keys())


@every_threat
@FEW
@given(images=pictures, adv=anything, eps=budgets)
def test_project_ends_in_the_ball_and_the_range(
    make: Callable[[float], Threat], images: Tensor, adv: Tensor, eps: float
) -> None:
    threat = make(eps)
    inside = threat.project(images, adv)
    assert inside.min() >= 0
    assert inside.max() <= 1
    assert (threat.size(images, inside) <= eps + ROUNDING).all()
    assert threat.size(images, inside).shape == (len(images),)


@every_threat
@FEW
@given(images=pictures, adv=anything, eps=budgets)
def test_project_twice_is_project_once(
    make: Callable[[float], Threat], images: Tensor, adv: Tensor, eps: float
) -> None:
    threat = make(eps)
    once = threat.project(images, adv)
    torch.testing.assert_close(threat.project(images, once), once, rtol=0, atol=ROUNDING)


@every_threat
@FEW
@given(images=pictures, adv=pictures, share=st.floats(0, 0.99))
def test_project_leaves_what_is_inside_alone(
    make: Callable[[float], Threat], images: Tensor, adv: Tensor, share: float
) -> None:
    """Pull each picture towards its original until it is inside: nothing may move (adv-lib's l2 bug)."""
    threat = make(0.1)
    size = threat.size(images, adv).clamp(min=1e-12)
    pull = (share * 0.1 / size).clamp(max=1.0)[:, None, None, None]
    inside = images + pull * (adv - images)
    torch.testing.assert_close(threat.project(images, inside), inside, rtol=0, atol=ROUNDING)


@every_threat
@FEW
@given(grad=anything, eps=budgets)
def test_step_has_unit_size_and_ascends(make: Callable[[float], Threat], grad: Tensor, eps: float) -> None:
    threat = make(eps)
    step = threat.step(grad)
    sizes = threat.size(torch.zeros_like(grad), step)
    moved = grad.abs().flatten(1).amax(dim=1) > 0
    torch.testing.assert_close(sizes, moved.float(), rtol=0, atol=1e-5)
    assert ((grad * step).flatten(1).sum(dim=1)[moved] > 0).all()


@every_threat
@FEW
@given(images=pictures, seed=st.integers(0, 99), eps=budgets)
def test_sample_is_allowed_and_repeatable(
    make: Callable[[float], Threat], images: Tensor, seed: int, eps: float
) -> None:
    threat = make(eps)
    first = threat.sample(images, generator=torch.Generator().manual_seed(seed))
    again = threat.sample(images, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(first, again)
    assert first.min() >= 0
    assert first.max() <= 1
    assert (threat.size(images, first) <= eps + ROUNDING).all()


@every_threat
@FEW
@given(images=pictures, adv=anything)
def test_eps_0_is_a_point(make: Callable[[float], Threat], images: Tensor, adv: Tensor) -> None:
    threat = make(0.0)
    assert torch.equal(threat.project(images, adv), images)
    assert torch.equal(threat.sample(images, generator=torch.Generator()), images)


@every_threat
def test_arguments_are_not_written_to(make: Callable[[float], Threat]) -> None:
    images, adv = torch.rand(SHAPE), 3 * torch.rand(SHAPE) - 1
    kept = images.clone(), adv.clone()
    threat = make(0.1)
    threat.project(images, adv)
    threat.step(adv)
    threat.size(images, adv)
    threat.sample(images, generator=torch.Generator())
    assert torch.equal(images, kept[0])
    assert torch.equal(adv, kept[1])


def test_linf_by_hand() -> None:
    images = torch.tensor([0.0, 0.5, 0.98, 0.5]).reshape(1, 1, 2, 2)
    adv = torch.tensor([-0.2, 0.53, 1.5, 0.9]).reshape(1, 1, 2, 2)
    projected = Linf(0.1).project(images, adv)
    torch.testing.assert_close(projected.flatten(), torch.tensor([0.0, 0.53, 1.0, 0.6]))
    assert Linf(0.1).size(images, adv).item() == pytest.approx(0.52)
    assert Linf(0.1).step(torch.tensor([-3.0, 0.0, 1e-20])).tolist() == [-1.0, 0.0, 1.0]


def test_linf_samples_fill_the_ball() -> None:
    images = torch.full((1, 3, 40, 40), 0.5)
    moved = (Linf(0.1).sample(images, generator=torch.Generator().manual_seed(0)) - images) / 0.1
    # Uniform on [-1, 1]: mean 0, variance 1/3; 4800 draws.
    assert abs(float(moved.mean())) < 0.03
    assert float(moved.var()) == pytest.approx(1 / 3, abs=0.02)
    assert float(moved.min()) < -0.99
    assert float(moved.max()) > 0.99


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
    for make in THREATS.values():
        with pytest.raises(RobustPoseError, match="did you mean 16/255"):
            make(16)


@pytest.mark.parametrize("text", ["0/255", "0.25/255", "1/255", "2.5/255", "8/255", "32/255", "255/255"])
def test_format_undoes_parse(text: str) -> None:
    assert format_eps(parse_eps(text)) == text


@pytest.mark.parametrize(("text", "hint"), [("1", "1/255 or 255/255"), ("0.5", "0.5/255 or 127.5/255")])
def test_levels_written_without_their_255_are_asked_about(text: str, hint: str) -> None:
    with pytest.raises(RobustPoseError, match=hint):
        parse_eps(text)
