import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from robustpose.analysis.scores import Row
from robustpose.report.html.figures import SERIES, Curve, Part, curves_svg, inline, parts_svg, spread


def row(value: float) -> Row:
    return Row(
        model="net",
        data="data",
        attack="FGSM-U",
        eps="8/255",
        steps=1,
        objective="training_loss",
        rounded=True,
        measure="relative",
        metric="PCKh@0.5",
        part="all",
        value=value,
        low=value - 2,
        high=value + 2,
        n=9,
    )


def curve(model: str, slot: int, *values: float) -> Curve:
    eps = (0.25, 2.0, 8.0, 32.0)[: len(values)]
    return Curve(model=model, slot=slot, eps=eps, rows=tuple(row(value) for value in values))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_each_curve_carries_its_name_in_its_colour() -> None:
    svg = curves_svg([curve("alpha", 0, 90, 50, 20, 5), curve("beta", 1, 80, 40, 10, 5)], ylabel="relative, %")
    assert {"alpha", "beta", "relative, %", "eps, of 255", "0.25", "32"} <= set(texts(svg))
    for slot in (0, 1):
        assert svg.count(SERIES[slot]) >= 3


def test_the_axis_is_that_of_the_threat() -> None:
    curves = [curve("alpha", 0, 90, 50, 20)]
    of_linf, of_l2 = (texts(curves_svg(curves, ylabel="%", threat=threat)) for threat in ("linf", "l2"))
    assert "eps, of 255" in of_linf and "eps, L2" in of_l2
    assert "32" in of_linf and "32" not in of_l2, "the paper's budgets are those of linf"
    assert any("8-bit level" in text for text in of_linf)
    assert not any("8-bit level" in text for text in of_l2)


def test_a_figure_is_the_same_twice_and_refers_to_nothing_outside() -> None:
    curves = [curve("alpha", 0, 90, 50, 20, 5)]
    svg = curves_svg(curves, ylabel="%")
    assert svg == curves_svg(curves, ylabel="%")
    assert set(re.findall(r"https?://[^\"]*", svg)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<style" not in svg
    assert "date" not in svg.lower()


@pytest.mark.parametrize("count", [1, 8])
def test_one_to_eight_models_and_single_points_can_be_drawn(count: int) -> None:
    names = [f"net number {i} with a long name" for i in range(count)]
    svg = curves_svg([curve(name, i, 60.0 + i) for i, name in enumerate(names)], ylabel="%")
    assert sum(text.startswith("net number") for text in texts(svg)) == count


def test_undefined_scores_leave_a_gap_and_names_are_escaped() -> None:
    svg = curves_svg([curve("<b>&$x_", 0, math.nan, 50), curve("gone", 1, math.nan)], ylabel="%")
    assert "<b>&$x_" in texts(svg)
    assert "gone" not in texts(svg)
    assert "nan" not in svg.lower()


def test_body_parts_are_listed_with_their_scores() -> None:
    parts = [Part("ankle", row(80), row(10)), Part("wrist", row(70), None), Part("hip", row(60), row(math.nan))]
    svg = parts_svg(parts, slot=2, xlabel="PCKh@0.5, %")
    assert [text for text in texts(svg) if text in {"ankle", "wrist", "hip"}] == ["ankle", "wrist", "hip"]
    assert {"clean", "attacked"} <= set(texts(svg))


def test_inline_figures_take_the_pages_colours_and_have_no_size_of_their_own() -> None:
    svg = inline(curves_svg([curve("alpha", 0, 90, 50)], ylabel="%"), label='a "label" & <more>')
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'a "label" & <more>'
    assert root.get("width") is None
    assert f"var(--series-0, {SERIES[0]})" in svg


def test_labels_that_touch_are_moved_apart_as_little_as_possible() -> None:
    assert spread([10, 50, 90], gap=6, top=101) == [10, 50, 90]
    assert spread([50, 50], gap=6, top=101) == [47, 53]
    assert spread([0, 0, 1], gap=6, top=101) == [0, 6, 12]
    assert spread([99, 100, 100], gap=6, top=101) == pytest.approx([89, 95, 101])
    assert spread([], gap=6, top=101) == []
    placed = spread([3, 4, 5, 20, 21, 22, 60, 61], gap=6, top=101)
    assert all(b - a >= 6 - 1e-9 for a, b in pairwise(placed))
