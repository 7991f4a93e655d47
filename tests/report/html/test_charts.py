import math
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from robustpose.findings import Chart, Curve
from robustpose.report.html import figures
from robustpose.report.html.axes import GREY
from robustpose.report.html.charts import COLORS, MARKERS, chart_svg, color_of, inline, marker_of, spoken

SVG = "{http://www.w3.org/2000/svg}"
EPS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
MODELS = ("deeppose", "shg2", "shg8", "chained", "attention_hg", "dlcm", "resreg", "resdec", "resdec_pre")
PAPERS = ("2-SHG", "2-SHG-ALL", "8-SHG", "8-SHG-ALL", "Attn-HG", "Chained", "DLCM", "DeepPose", "ResDec", "Pre")


def curve(name: str, slot: int | None, end: float, *, x: tuple[float, ...] = EPS, dashed: bool = False) -> Curve:
    y = tuple(100.0 - (100.0 - end) * (i + 1) / len(x) for i in range(len(x)))
    spans = () if slot is None else (tuple(v - 2 for v in y), tuple(v + 2 for v in y))
    low, high = spans or ((), ())
    return Curve(name, x, y, slot, low, high, dashed)


def chart(*curves: Curve, diagonal: bool = False) -> Chart:
    made = Chart("it", "One step", "eps, of 255", "relative, %", curves)
    return replace(made, scale="linear", diagonal=True) if diagonal else made


def crowd() -> Chart:
    """Nine models, four of them -ALL, and ten grey curves that all end within two points."""
    papers = [curve(f"{name}, paper", None, 3 + i / 5) for i, name in enumerate(PAPERS)]
    ours = [curve(name, i, 5 + i) for i, name in enumerate(MODELS)]
    return chart(*papers, *ours, *(curve(f"{name}-ALL", i, i, dashed=True) for i, name in enumerate(MODELS[:4])))


def texts(svg: str) -> dict[str, tuple[float, float, float]]:
    """Each text with its left, its baseline and its size, where it starts at its place."""
    found = {}
    for element in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        look = element.get("style", "")
        size = re.search(r"font-size: ([\d.]+)px|font: (?:\w+ )?([\d.]+)px", look)
        if "text-anchor: start" in look and size and element.text:
            found[element.text] = (
                float(element.get("x", "nan")),
                float(element.get("y", "nan")),
                float(size[1] or size[2]),
            )
    return found


def names(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_ten_models_have_colours_and_markers_of_their_own_and_none_is_the_papers_grey() -> None:
    assert len({color_of(slot) for slot in range(10)}) == 10
    assert len({marker_of(slot) for slot in range(10)}) == 10
    assert len({(color_of(slot), marker_of(slot)) for slot in range(30)}) == 30
    assert tuple(color_of(slot) for slot in range(7)) == figures.SERIES[:7]
    assert color_of(None) == GREY
    assert GREY not in COLORS
    for color in COLORS[:9]:
        red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
        assert max(red, green, blue) - min(red, green, blue) > 15  # no grey
    assert len(MARKERS) == len(set(MARKERS))


def test_few_curves_bear_their_names_in_their_colours() -> None:
    svg = chart_svg(chart(curve("shg2", 1, 5), curve("deeppose", 0, 40), curve("2-SHG, paper", None, 30)))
    ends = texts(svg)
    assert {"shg2", "deeppose", "2-SHG"} == set(ends)
    assert ends["deeppose"][1] < ends["2-SHG"][1] < ends["shg2"][1]
    assert len({x for x, _, _ in ends.values()}) == 1
    assert 'height="282' in svg  # no legend


def test_six_curves_share_a_legend_and_the_papers_keep_their_names_at_their_ends() -> None:
    models = [curve(name, i, 10 * i) for i, name in enumerate(MODELS[:5])]
    svg = chart_svg(chart(*models, curve("2-SHG, paper", None, 30)))
    placed = texts(svg)
    assert {"grey: the paper (MPII)", "2-SHG", *MODELS[:5]} == set(placed)
    plot = 10 + 230
    assert placed["2-SHG"][1] < plot
    assert all(placed[name][1] > plot for name in (*MODELS[:5], "grey: the paper (MPII)"))


def test_no_two_names_touch_however_many_curves_end_together() -> None:
    svg = chart_svg(crowd())
    placed = texts(svg)
    assert {*MODELS, *PAPERS} <= set(placed)
    ends = sorted(placed[name][1] for name in PAPERS)
    assert all(below - above >= 9 for above, below in pairwise(ends))
    assert min(ends) > 10
    assert max(ends) < 10 + 230 + 9
    legend = [(text, *place) for text, place in placed.items() if text not in PAPERS]
    for text, x, y, size in legend:
        right = x + 0.6 * size * len(text)
        assert right <= 380
        for other, there, level, _ in legend:
            assert other == text or abs(level - y) >= size or there >= right or there < x


def test_everything_lies_within_the_figure() -> None:
    for each in (crowd(), chart(curve("a model with a name as long as anybody's, and longer", 3, 5))):
        svg = chart_svg(each)
        view = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
        assert view is not None
        for text, (x, y, size) in texts(svg).items():
            assert x >= 0
            assert x + 0.6 * size * len(text) <= float(view[1]) + 1
            assert 0 < y < float(view[2])


def test_roc_curves_have_a_diagonal_and_a_legend_since_they_end_at_one_point() -> None:
    x = tuple(range(0, 101, 2))
    svg = chart_svg(chart(curve("shg2", 1, 100, x=x), curve("shg8", 2, 100, x=x), diagonal=True))
    placed = texts(svg)
    assert all(placed[name][1] > 240 for name in ("shg2", "shg8"))
    assert "stroke-dasharray: 1,1.65" in svg
    assert {"0", "25", "50", "75", "100"} <= set(names(svg))


def test_each_curve_says_its_name_to_who_points_at_it() -> None:
    svg = chart_svg(crowd())
    titles = [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert set(titles) == {each.name for each in crowd().curves}
    assert "<a " not in svg
    assert "</a>" not in svg


def test_undefined_numbers_leave_gaps() -> None:
    nan = math.nan
    gaps = Curve("shg2", EPS, (nan, 90.0, nan, 50.0, 40.0, math.inf, nan, nan), 1, (nan,) * 8, (nan,) * 8)
    svg = chart_svg(chart(gaps, Curve("gone", EPS, (nan,) * 8, 2), Curve("zero", (0.0, 8.0), (90.0, 30.0), 3)))
    assert "shg2" in texts(svg)
    assert "zero" in texts(svg)
    assert "gone" not in names(svg)
    assert "nan" not in svg.lower()
    assert "inf" not in svg.lower()


@pytest.mark.parametrize("curves", [(), (Curve("gone", (1.0, 2.0), (math.nan, math.nan), 0),)])
def test_a_chart_of_nothing_says_so(curves: tuple[Curve, ...]) -> None:
    assert "nothing to draw" in names(chart_svg(chart(*curves)))
    assert "nothing to draw" in names(chart_svg(replace(chart(*curves), y_range=None, scale="linear")))
    assert "Nothing to draw" in spoken(chart(*curves))


def test_no_interval_is_cut_off_by_the_axis() -> None:
    """What lies beyond the range asked for makes the axis longer: 100 moves down."""

    def level(svg: str) -> float:
        [at] = [
            float(element.get("y", "nan"))
            for element in ElementTree.fromstring(svg).iter(f"{SVG}text")
            if element.text == "100"
        ]
        return at

    usual = curve("shg2", 1, 5)
    beyond = replace(usual, high=(180.0, *usual.high[1:]))
    assert level(chart_svg(chart(beyond))) > level(chart_svg(chart(usual))) + 50


def test_levels_whose_labels_would_touch_are_left_out_the_papers_first() -> None:
    ours = curve("shg2", 1, 5, x=(200.0, 2000.0))
    shown = names(
        chart_svg(replace(chart(curve("2-SHG, paper", None, 5, x=(2100.0, 25925.0)), ours), x_label="n"))
    )
    assert {"200", "2,000", "25,925"} <= set(shown)
    assert "2,100" not in shown


def test_charts_are_the_same_twice_and_refer_to_nothing_outside() -> None:
    svg = chart_svg(crowd())
    assert svg == chart_svg(crowd())
    assert set(re.findall(r"https?://[^\"]*", svg)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "date" not in svg.lower()


def test_hostile_names_are_text() -> None:
    evil = "<script>&\"'$_x\x07"
    svg = chart_svg(chart(*(curve(f"{evil}{i}", i, 5 * i) for i in range(7)), curve(f"{evil}, paper", None, 9)))
    shown = names(svg)
    assert f"{evil[:-1]} 3" in shown
    assert "<script" not in svg
    page = inline(svg, label=f"{evil}", stem="it")
    assert "<script" not in page
    assert ElementTree.fromstring(page.replace("\x07", "")).get("aria-label") == evil[:-1]


def test_inline_charts_take_the_pages_colours_and_their_ids_are_their_own() -> None:
    svg = chart_svg(crowd())
    page = inline(svg, label="One step", stem="fig2a")
    root = ElementTree.fromstring(page)
    assert root.get("role") == "img"
    for name in ("series-0", "series-7", "series-8", "paper", "ink"):
        assert f"var(--{name}, #" in page
    ids = {str(element.get("id")) for element in root.iter() if element.get("id")}
    assert ids
    assert all(each.startswith("fig2a-") for each in ids)
    used = set(re.findall(r'xlink:href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page))
    assert used == ids


def test_a_chart_is_told_in_words() -> None:
    said = spoken(chart(curve("2-SHG, paper", None, 30), curve("shg2", 1, 5)))
    assert said == ("One step. relative, % over eps, of 255. shg2: 88.1 at 0.25, 5 at 32; 1 more curve.")


def test_long_names_stay_apart() -> None:
    first, second = (f"onnx:{'a-long-folder/' * 6}{name}.onnx" for name in ("small", "large"))
    keys = set(texts(chart_svg(chart(curve(first, 0, 5), curve(second, 1, 9)))))
    assert len(keys) == 2
    assert {key[-10:] for key in keys} == {"small.onnx", "large.onnx"}
    assert all(key.startswith("onnx:") and len(key) <= 48 for key in keys)
