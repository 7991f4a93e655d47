"""Budgets as people write and read them."""

import math

import pytest

from robustpose.errors import RobustPoseError
from robustpose.threats import THREATS, Linf, balls_of, format_eps, make_threat, norm_of, parse_eps, write_eps


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
        ("-1", "l2", "eps of l2 must be a number >= 0, got -1"),
        ("nan", "l1", "eps of l1 must be a number >= 0, got nan"),
        ("inf", "l2", "eps of l2 must be a number >= 0, got inf"),
        ("1.5", "l0", "eps of l0 must be a whole number of pixels, got 1.5"),
        ("ten", "l0", r"eps must be a number such as 100 \(pixels\), got 'ten'"),
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


@pytest.mark.parametrize("threat", THREATS)
def test_what_is_written_for_a_command_is_read_back(threat: str) -> None:
    for eps in THREATS[threat].budgets or (0.1,):
        assert parse_eps(write_eps(eps, threat), threat) == pytest.approx(eps, rel=1e-5)


def test_balls_are_known_by_their_norm() -> None:
    assert balls_of((math.inf, 2.0)) == ("linf", "l2")
    assert [norm_of(threat) for threat in ("linf", "l2", "l1", "l0", "patch", "rotation", "another")] == [
        *(math.inf, 2, 1, 0),
        *(None, None, None),
    ]
