"""Threats that move the image: their ranges, their grids, and how budgets are written."""

import pytest
import torch

from robustpose.errors import RobustPoseError
from robustpose.threats import format_eps, make_motion, parse_eps, threats_of


def test_what_a_budget_reaches() -> None:
    assert make_motion("spatial", 30.0).reach.tolist() == pytest.approx([30.0, 0.1, 0.1, 0.0])
    assert make_motion("rotation", 15.0).reach.tolist() == [15.0, 0.0, 0.0, 0.0]
    assert make_motion("translation", 0.2).reach.tolist() == [0.0, 0.2, 0.2, 0.0]
    assert make_motion("scaling", 0.25).reach.exp().tolist() == pytest.approx([1.0, 1.0, 1.0, 1.25])


@pytest.mark.parametrize(
    ("name", "count", "places"),
    [
        ("spatial", 775, (31, 5, 5, 1)),  # the paper's
        ("spatial", 99, (11, 3, 3, 1)),
        ("spatial", 27, (3, 3, 3, 1)),
        ("spatial", 26, (25, 1, 1, 1)),
        ("spatial", 2, (1, 1, 1, 1)),
        ("rotation", 20, (19, 1, 1, 1)),
        ("translation", 24, (1, 3, 3, 1)),
        ("translation", 25, (1, 5, 5, 1)),
        ("scaling", 6, (1, 1, 1, 5)),
    ],
)
def test_a_lattice_is_the_finest_that_fits(name: str, count: int, places: tuple[int, ...]) -> None:
    threat = make_motion(name, 0.5)
    motions = threat.lattice(count)
    assert tuple(len(torch.unique(motions[:, part])) for part in range(4)) == places
    assert len(motions) == len(torch.unique(motions, dim=0)) == torch.tensor(places).prod() <= count
    assert (motions[0] == 0).all()
    sizes = threat.size(motions)
    assert (sizes[1:] >= sizes[:-1]).all()
    assert float(sizes.max()) == (1.0 if len(motions) > 1 else 0.0)
    assert torch.equal(motions.flip(0).sort(dim=0).values, (-motions).sort(dim=0).values)


@pytest.mark.parametrize("name", threats_of("motion"))
def test_draws_lie_within_reach_and_projection_is_the_identity_there(name: str) -> None:
    threat = make_motion(name, 0.7)
    drawn = threat.sample(200, generator=torch.Generator().manual_seed(0))
    assert float(threat.size(drawn).max()) <= 1
    assert torch.equal(threat.project(drawn), drawn)
    outside = threat.project(3 * drawn + 0.1)
    assert float(threat.size(outside).max()) <= 1 + 1e-12
    nothing = make_motion(name, 0.0)
    assert (nothing.sample(5, generator=torch.Generator()) == 0).all()
    assert len(nothing.lattice(99)) == 1
    assert threat.size(torch.tensor([[200.0, 0.0, 0.0, 0.0]], dtype=torch.float64)) > 1


@pytest.mark.parametrize(
    ("threat", "text", "eps", "written"),
    [
        ("spatial", "30", 30.0, "30 degrees and 0.1 of the side"),
        ("spatial", "5", 5.0, "5 degrees and 0.0167 of the side"),
        ("rotation", "1", 1.0, "1 degree"),
        ("rotation", "22.5", 22.5, "22.5 degrees"),
        ("translation", "1/10", 0.1, "0.1 of the side"),
        ("scaling", "0.2", 0.2, "0.2 of the size"),
    ],
)
def test_budgets_are_read_and_written(threat: str, text: str, eps: float, written: str) -> None:
    assert parse_eps(text, threat) == eps
    assert format_eps(eps, threat) == written


@pytest.mark.parametrize(
    ("threat", "text", "message"),
    [
        ("spatial", "181", "eps of spatial must be at most 180, got 181"),
        ("rotation", "-1", "eps of rotation must be a number >= 0, got -1"),
        ("translation", "12", "eps of translation must be at most 1, got 12"),
        ("scaling", "nan", "must be a number >= 0"),
        ("rotation", "wide", r"a number such as 30 \(degrees\)"),
    ],
)
def test_budgets_that_cannot_be_are_refused(threat: str, text: str, message: str) -> None:
    with pytest.raises(RobustPoseError, match=message):
        parse_eps(text, threat)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(RobustPoseError, match="unknown threat 'spatiel'; did you mean 'spatial'"):
        make_motion("spatiel", 30.0)
