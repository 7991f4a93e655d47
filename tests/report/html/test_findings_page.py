import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from robustpose.errors import RobustPoseError
from robustpose.findings import FINDINGS, Chart, Curve, Found, Picture, Tabular, Verdict
from robustpose.findings.finding import Holds
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate
from robustpose.metrics.table import Floats
from robustpose.report.html import exhibits, write_findings, write_report
from robustpose.study.definition import Study
from robustpose.study.plan import Plan, make_plan
from tests.report.html.fakes import FakePeople, fake_models, fake_study
from tests.report.html.pages import Page

MODELS = ("maps", "direct")
NAN = Estimate(math.nan, math.nan, math.nan, 3)
TEMPLATES = Path(exhibits.__file__).parent / "templates"


def estimate(value: float, n: int = 25) -> Estimate:
    return Estimate(value, value - 2.25, value + 3.5, n)


def verdict(claim: str, holds: Holds, effect: Estimate | None) -> Verdict:
    return Verdict(claim, f"paper of {claim}", holds, effect, f"decision of {claim}")


CHART = Chart(
    "fig2a",
    "One step",
    "eps, of 255",
    "relative, %",
    (
        Curve("2-SHG, paper", (1.0, 8.0), (79.4, 15.1)),
        Curve("maps", (1.0, 8.0), (90.0, math.nan), 0, (88.0, math.nan), (91.5, math.nan)),
    ),
)
SHADED = Tabular(
    "matrix",
    "Across models",
    ("maps", "direct", "new_model"),
    (
        ("maps", (estimate(12.0), NAN, None)),
        ("2-SHG, paper", (150.0, math.nan, 0.0)),
    ),
    shade=True,
    note="Rows attack.",
)
MIXED = Tabular(
    "mixed",
    "Mixed",
    ("output", "left", "SSIM"),
    (("direct", ("coordinates", estimate(50.0), 0.97)), ("other", (None, estimate(3.0), 1.0))),
)
NOISE = np.random.default_rng(0).integers(0, 256, (400, 900, 3), dtype=np.uint8)
FOUND = {
    "fig2a": Found((CHART,), (verdict("One step is weak.", "holds", estimate(61.04)),)),
    "table1": Found(
        (Picture("small", "Small", NOISE[:24, :32]), Picture("large", "Large", NOISE), SHADED, MIXED),
        (
            verdict("Universal is strong.", "does not hold", estimate(-3.0, 7)),
            verdict("Models differ.", "undecided", None),
        ),
        ("Learned on 10 people.",),
    ),
    "transfer": Found(remarks=("One model only, so nothing is carried over.",)),
}


def plan(*, names: Sequence[str] = MODELS, title: str = "Two models", people: str = "noise") -> Plan:
    study = Study(name="s", title=title, models=tuple(names), data="x", settings=(), n=25, findings=tuple(FOUND))
    return make_plan(study, models=fake_models(*names), dataset=FakePeople(name=people), metric="pckh")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_findings(plan(), FOUND, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_every_exhibit_lies_beside_the_page(written: Path) -> None:
    assert set(files(written.parent)) == {
        "findings.html",
        "findings/verdicts.csv",
        *(f"findings/fig2a.{suffix}" for suffix in ("csv", "svg")),
        *("findings/matrix.csv", "findings/mixed.csv", "findings/small.png", "findings/large.png"),
    }


def test_the_verdicts_come_first_with_their_numbers(page: Page) -> None:
    assert page.tables[0] == [
        ["Claim", "Verdict", "Effect, 95 % interval, people", "The paper"],
        [
            f"One step is weak. {FINDINGS['fig2a'].title}: how it was decided decision of One step is weak.",
            "holds",
            "61.0 [58.8, 64.5] n 25",
            "paper of One step is weak.",
        ],
        [
            f"Universal is strong. {FINDINGS['table1'].title}: how it was decided "
            "decision of Universal is strong.",
            "does not hold",
            "-3.0 [-5.2, 0.5] n 7",
            "paper of Universal is strong.",
        ],
        [
            f"Models differ. {FINDINGS['table1'].title}: how it was decided decision of Models differ.",
            "undecided",
            "not measured",
            "paper of Models differ.",
        ],
    ]
    assert {"#finding-fig2a", "#finding-table1", "#finding-transfer", "index.html"} <= set(page.links)


@pytest.mark.parametrize(
    ("holds", "line"),
    [
        (("holds", "holds", "does not hold", "undecided"), "4 claims: 2 hold, 1 does not, 1 undecided"),
        (("does not hold", "does not hold"), "2 claims: 0 hold, 2 do not, 0 undecided"),
        (("holds",), "1 claim: 1 holds, 0 do not, 0 undecided"),
        ((), "No claim is judged in this study."),
    ],
)
def test_the_verdicts_are_counted(holds: tuple[Holds, ...], line: str, tmp_path: Path) -> None:
    found = {"fig2a": Found(verdicts=tuple(verdict(f"claim {i}", each, None) for i, each in enumerate(holds)))}
    assert line in Page(write_findings(plan(), found, tmp_path).read_text()).data


def test_the_lede_says_what_was_attacked(page: Page) -> None:
    [said] = [text for text in page.data if "Jain et al." in text]
    assert "on maps and direct, with 25 people of noise, scored by PCKh@0.5." in said


def test_tables_show_values_with_their_intervals(page: Page) -> None:
    numbers, matrix, mixed = page.tables[1:]
    assert numbers == [
        ["eps, of 255", "1", "8"],
        ["2-SHG, paper", "79.4", "15.1"],
        ["maps", "90.0 [88.0, 91.5]", ""],
    ]
    assert matrix == [
        ["row", "maps", "direct", "new_ model"],
        ["maps", "12.0 [9.8, 15.5] n 25", "undefined for these 3 people n 3", ""],
        ["2-SHG, paper", "150.0", "", "0.0"],
    ]
    assert mixed == [
        ["row", "output", "left", "SSIM"],
        ["direct", "coordinates", "50.0 [47.8, 53.5]", "0.970"],
        ["other", "", "3.0 [0.8, 6.5]", "1.000"],
    ]
    assert any("Brackets: 95 % intervals over 25 people." in text for text in page.data)  # mixed: the same n


def test_small_numbers_keep_their_digits() -> None:
    low = Tabular(
        "s", "S", ("a", "b"), (("SSIM", (0.9734, 1.0)), ("GMSD", (0.01234, 0.0)), ("PSNR", (34.56, 9.0)))
    )
    laid = exhibits.sheet(low, {})
    assert [[cell.text for cell in line.cells] for line in laid.lines] == [
        ["0.973", "1.000"],
        ["0.0123", "0.0000"],
        ["34.6", "9.0"],
    ]


def test_cells_are_shaded_by_their_value(written: Path) -> None:
    assert re.findall(r'style="--v: ([\d.]+)"', written.read_text()) == ["0.12", "1.0", "0.0"]


def test_a_row_must_have_a_cell_a_column() -> None:
    with pytest.raises(RobustPoseError, match="table t: row 'a' has 1 cells for 2 columns"):
        exhibits.sheet(Tabular("t", "T", ("x", "y"), (("a", (1.0,)),)), {})


def test_downloads_hold_every_number(written: Path) -> None:
    folder = written.parent / "findings"
    assert rows(folder / "fig2a.csv") == [
        ["curve", "x", "y", "low", "high"],
        ["2-SHG, paper", "1", "79.4", "", ""],
        ["2-SHG, paper", "8", "15.1", "", ""],
        ["maps", "1", "90", "88", "91.5"],
        ["maps", "8", "", "", ""],
    ]
    assert rows(folder / "matrix.csv") == [
        [
            *("row", "maps", "maps: low", "maps: high", "maps: n"),
            *("direct", "direct: low", "direct: high", "direct: n", "new_model"),
        ],
        ["maps", "12", "9.75", "15.5", "25", "", "", "", "3", ""],
        ["2-SHG, paper", "150", "", "", "", "", "", "", "", "0"],
    ]
    assert rows(folder / "mixed.csv")[1] == ["direct", "coordinates", "50", "47.75", "53.5", "25", "0.97"]
    assert rows(folder / "verdicts.csv")[2:] == [
        [
            *("table1", "Universal is strong.", "does not hold", "-3", "-5.25", "0.5", "7"),
            *("paper of Universal is strong.", "decision of Universal is strong."),
        ],
        [
            *("table1", "Models differ.", "undecided", "", "", "", ""),
            *("paper of Models differ.", "decision of Models differ."),
        ],
    ]


def test_pictures_are_files_without_loss_and_small_ones_are_enlarged(written: Path, page: Page) -> None:
    for stem, image in (("small", NOISE[:24, :32]), ("large", NOISE)):
        read = cv2.imread(str(written.parent / "findings" / f"{stem}.png"))
        assert read is not None
        np.testing.assert_array_equal(read[..., ::-1], image)
    small, large = page.images
    assert (small["class"], small["width"], small["height"]) == ("exact", "320", "240")
    assert small["src"].startswith("data:image/png")
    assert (large["class"], large["width"], large["height"]) == ("wide", "900", "400")
    assert large["src"].startswith("data:image/jpeg")  # the file is too big for the page
    assert (small["alt"], large["alt"]) == ("Small", "Large")


def test_the_page_stands_alone(written: Path, page: Page) -> None:
    text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", written.read_text())
    assert "http://" not in text
    assert "https://" not in text
    assert "<script" not in text
    assert "<link" not in text
    assert all(image["src"].startswith("data:") for image in page.images)
    assert len(page.ids) == len(set(page.ids))
    for target in page.links:
        if target.startswith("#"):
            assert target[1:] in page.ids
        elif target not in ("../results.csv", "index.html"):
            assert (written.parent / target).is_file()


def test_the_page_can_be_read_by_those_who_do_not_see_it(written: Path, page: Page) -> None:
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(page.headings))
    assert all(header.get("scope") in ("col", "row") for header in page.headers)
    text = written.read_text()
    assert len(re.findall(r"<svg[^>]*role=\"img\"[^>]*aria-label=\"One step\. [^\"]*maps: 90 at 1", text)) == 1
    assert text.count("<caption") == 3


def test_the_same_findings_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_findings(plan(), FOUND, tmp_path)
    assert files(tmp_path) == files(written.parent)


def test_a_finding_may_have_nothing_but_a_remark(tmp_path: Path) -> None:
    path = write_findings(plan(), {"transfer": FOUND["transfer"]}, tmp_path)
    page = Page(path.read_text())
    assert "One model only, so nothing is carried over." in page.data
    assert page.tables == []
    assert set(files(tmp_path)) == {"findings.html", "findings/verdicts.csv"}


def test_empty_exhibits_do_no_harm(tmp_path: Path) -> None:
    nothing = (
        replace(CHART, stem="none", curves=()),
        Tabular("empty", "Empty", ("a",), ()),
        Picture("blank", "Blank", np.zeros((0, 0, 3), np.uint8)),
    )
    path = write_findings(plan(), {"fig2a": Found(nothing)}, tmp_path)
    assert "nothing to draw" in path.read_text()
    assert "No rows." in path.read_text()
    assert rows(tmp_path / "findings" / "empty.csv") == [["row", "a"]]
    assert not (tmp_path / "findings" / "blank.png").exists()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"fig2a": Found((CHART,)), "table1": Found((replace(CHART, stem="FIG2A"),))}, "also named 'FIG2A'"),
        ({"fig2a": Found((replace(CHART, stem="verdicts"),))}, "also named 'verdicts'"),
        ({"fig2a": Found((replace(CHART, stem="../up"),))}, "'../up' is not a valid file name"),
        ({"fig2a": Found((replace(CHART, stem=""),))}, "'' is not a valid file name"),
        ({"fig2b4": Found()}, "unknown finding 'fig2b4'"),
    ],
)
def test_exhibits_need_names_of_their_own(found: Mapping[str, Found], message: str, tmp_path: Path) -> None:
    with pytest.raises(RobustPoseError, match=re.escape(message)):
        write_findings(plan(), found, tmp_path)
    assert files(tmp_path) == {}


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>&\"'$"
    exhibits = (
        Chart("c", evil, evil, evil, tuple(Curve(evil, (1.0, 2.0), (1.0, 2.0), slot) for slot in range(7))),
        Tabular("t", evil, (evil,), ((evil, (evil,)),), note=evil),
        Picture("p", evil, NOISE[:4, :4]),
    )
    found = {"fig2a": Found(exhibits, (Verdict(evil, evil, "holds", estimate(1.0), evil),), (evil,))}
    path = write_findings(plan(names=(evil, f"{evil}2"), title=evil, people=evil), found, tmp_path)
    text = path.read_text()
    assert "<script" not in text
    assert "alert(1)</script>" not in text
    page = Page(text)
    assert page.data.count(evil) >= 8
    assert page.images[0]["alt"] == evil
    assert page.tables[-1] == [["row", evil], [evil, evil]]
    assert "<script" not in (tmp_path / "findings" / "c.svg").read_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_on_shades_and_chips(theme: str) -> None:
    sheets = [(TEMPLATES / name).read_text() for name in ("style.css", "findings.css")]
    colors = dict(re.findall(r"--([\w-]+): (#\w{6})", "".join(sheet.split("@media", 1)[0] for sheet in sheets)))
    if theme == "dark":
        blocks = [re.findall(r"color-scheme: dark\) \{\n(.*?)\n\}", sheet, re.DOTALL) for sheet in sheets]
        changed = dict(re.findall(r"--([\w-]+): (#\w{6})", "".join(each for found in blocks for each in found)))
        assert {"ink", "card", "yes", "yes-wash", "series-9"} <= set(changed) <= set(colors)
        colors |= changed
    [shade] = re.findall(r"--shade: (\d+) (\d+) (\d+)", sheets[1])
    over, card, ink = np.array(shade, float), rgb(colors["card"]), rgb(colors["ink"])
    for value in np.linspace(0, exhibits.SHADE, 12):
        assert contrast(ink, card + value * (over - card)) >= 4.5
    for name in ("yes", "no", "open"):
        assert contrast(rgb(colors[name]), rgb(colors[f"{name}-wash"])) >= 4.5


def rgb(color: str) -> Floats:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], float)


def contrast(a: Floats, b: Floats) -> float:
    """WCAG 2.2: relative luminance of sRGB, lighter plus 0.05 over darker plus 0.05."""

    def luminance(color: Floats) -> float:
        part = color / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    darker, lighter = sorted((luminance(a), luminance(b)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_scores_lead_to_the_findings_where_there_are_any(tmp_path: Path) -> None:
    made, store = fake_study(
        tmp_path, names=["solo"], settings=[Setting("fgsm", 8 / 255)], people=FakePeople(people=4)
    )
    without = write_report(made, store, tmp_path / "without").read_text()
    assert "findings.html" not in without
    with_some = replace(made, study=replace(made.study, findings=("fig2a",)))
    assert 'href="findings.html"' in write_report(with_some, store, tmp_path / "with").read_text()
