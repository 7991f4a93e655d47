"""The scatter figure: one range that hides nothing, a marker and a name a model, names that do not touch."""

import math
from itertools import combinations

import numpy as np
import pytest

from robustpose.report.html.scatter import Cross, Point, limits, place_names, scatter_svg

SIDE = 316.0
NAN = (math.nan, math.nan, math.nan)


def point(name: str, slot: int, x: float, y: float, wide: float = 2.0) -> Point:
    return Point(name, slot, (x, x - wide, x + wide), (y, y - wide, y + wide))


def test_both_axes_have_one_range_that_hides_no_interval() -> None:
    low, high = limits([point("a", 0, 10, 60, wide=5), point("b", 1, 30, 20)])
    assert (low, high) == pytest.approx((5 - 2.4, 65 + 2.4))
    assert limits([]) == pytest.approx((-4, 104))
    low, high = limits([point("a", 0, 0, 0, wide=0)])  # every model has lost everything
    assert low < 0 < high


def test_every_model_is_marked_and_named_once() -> None:
    points = [point(f"net_{slot}", slot, 5.0 * slot, 80 - 4.0 * slot) for slot in range(14)]
    svg = scatter_svg(points, x_label="rendered", y_label="photos")
    for each in points:
        assert svg.count(f">{each.name}</text>") == 1
        assert svg.count(f"<title>{each.name}</title>") == 1
    assert ">rendered</text>" in svg
    assert scatter_svg(points, x_label="rendered", y_label="photos") == svg


def test_models_without_one_of_the_scores_are_left_out() -> None:
    points = [
        point("here", 0, 50, 50),
        Point("gone", 1, NAN, (1.0, 0.0, 2.0)),
        Point("lost", 2, (1.0, 0.0, 2.0), NAN),
    ]
    svg = scatter_svg(points, x_label="x", y_label="y")
    assert "here" in svg
    assert "gone" not in svg and "lost" not in svg
    assert "nothing to draw" in scatter_svg(points[1:], x_label="x", y_label="y")


def test_a_score_without_an_interval_is_drawn() -> None:
    alone = Point("alone", 0, (50.0, math.nan, math.nan), (40.0, math.nan, math.nan))
    assert ">alone</text>" in scatter_svg([alone], x_label="x", y_label="y")


def test_hostile_names_are_text() -> None:
    svg = scatter_svg([point("<script>&\"'$", 0, 1, 2), point("b", 1, 3, 4)], x_label="x", y_label="y")
    assert "<script" not in svg


@pytest.mark.parametrize("seed", range(5))
def test_names_stay_in_the_plot_and_do_not_touch(seed: int) -> None:
    generator = np.random.default_rng(seed)
    places = generator.uniform(20, SIDE - 20, (14, 2))
    crosses = [Cross((x, x - 9, x + 9), (y, y - 9, y + 9)) for x, y in places]
    placed = place_names([f"blazepose-full-{i}" for i in range(14)], crosses)
    for name in placed:
        left, bottom, right, top = name.box
        assert left > -1 and bottom > -1 and right < SIDE + 1 and top < SIDE + 1
    for a, b in combinations(placed, 2):
        across = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
        up = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
        assert min(across, up) < 1


def test_names_of_equal_points_stand_apart() -> None:
    crosses = [Cross((2.0, 2.0, 2.0), (2.0, 2.0, 2.0))] * 8  # all models lost everything: the corner
    placed = place_names(["efficientpose"] * 8, crosses)
    assert len({name.box for name in placed}) == 8
