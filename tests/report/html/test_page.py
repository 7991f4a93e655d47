import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.scores import Row, result_rows
from robustpose.jobs.setting import Setting
from robustpose.jobs.store import Store
from robustpose.report.html import write_report
from robustpose.study.plan import Plan
from tests.report.html.fakes import SETTINGS, FakePeople, fake_study

FGSM = Setting("fgsm", 8 / 255)


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and every title attribute."""

    def __init__(self, page: str, *, table: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.titles: list[str] = []
        self._table, self._inside, self._cell = table, False, False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "table":
            self._inside = named.get("class") == self._table
        if not self._inside:
            return
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True
        if named.get("title"):
            self.titles.append(str(named["title"]))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False
        if tag == "table":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and self._cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store, Path]:
    folder = tmp_path_factory.mktemp("fake")
    plan, store = fake_study(folder)
    with pytest.MonkeyPatch.context() as patched:  # the models are untrained, which would withhold their scores
        patched.setattr("robustpose.report.html.page.doubts_of", lambda plan, store: Doubts())
        return plan, store, write_report(plan, store, folder / "report")


def printed(row: Row) -> str:
    return f"{row.value:.1f} [{row.low:.1f}, {row.high:.1f}]"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_table_holds_the_numbers_of_the_result_rows(fake: tuple[Plan, Store, Path]) -> None:
    plan, store, index = fake
    main = {"clean": "clean", "IGSM-T-3": "target"}
    by_model = {
        model.name: [
            printed(row)
            for row in result_rows(replace(plan, models=(model,)), store)
            if row.part == "all" and row.measure == main.get(row.attack, "relative")
        ]
        for model in plan.models
    }

    cells = Cells(index.read_text(), table="results")
    scores = [row for row in cells.rows[1:] if len(row) == 5]

    assert cells.rows[0] == ["eps", "Steps", "maps", "direct", "n"]
    assert [row[2] for row in scores] == by_model["maps"]
    assert [row[3] for row in scores] == by_model["direct"]
    assert scores[0][:2] == ["–", "–"]
    assert [row[0].removesuffix(" †") for row in scores[1:5]] == ["0.5/255", "2/255", "8/255", "32/255"]
    assert {row[1] for row in scores[5:]} == {"3"}
    assert scores[0][4] == "24"  # of 30 people one has no photo and five no head size


def test_every_number_of_the_table_can_be_read_with_three_decimals(fake: tuple[Plan, Store, Path]) -> None:
    plan, store, index = fake
    titles = Cells(index.read_text(), table="results").titles
    for row in result_rows(plan, store):
        if row.part == "all" and row.measure in ("clean", "target"):
            assert f"{row.value:.3f} % [{row.low:.3f}, {row.high:.3f}], {row.n} people" in titles


def test_rows_that_were_not_rounded_bear_a_dagger(fake: tuple[Plan, Store, Path]) -> None:
    page = fake[2].read_text()
    eps = [row[0] for row in Cells(page, table="results").rows]
    assert [text for text in eps if text.endswith("†")] == ["0.5/255 †", "0.5/255 †"]
    assert 'id="unrounded"' in page


def test_the_headlines_bars_lie_over_their_intervals(fake: tuple[Plan, Store, Path]) -> None:
    _, _, index = fake
    written = r"[\d.]+ % \[([\d.]+), ([\d.]+)\], \d+ people"
    bar = r'<b style="left: ([-\d.]+)%; width: ([-\d.]+)%">'
    found = [
        (re.findall(written, row)[-1], re.findall(bar, row)[0])
        for row in index.read_text().split("<tr>")
        if "<b style=" in row
    ]
    assert len(found) == 2  # a model each
    for (low, high), (left, width) in found:
        assert float(left) == pytest.approx(float(low), abs=1e-3)
        assert float(width) == pytest.approx(float(high) - float(low), abs=1e-2)


def test_the_headline_names_the_strongest_attack_on_each_model(fake: tuple[Plan, Store, Path]) -> None:
    plan, store, index = fake
    rows = Cells(index.read_text(), table="headline").rows[1:]
    for line, model in zip(rows, plan.models, strict=True):
        attacked = [
            row
            for row in result_rows(replace(plan, models=(model,)), store)
            if (row.eps, row.measure, row.part) == ("8/255", "relative", "all") and "-U" in row.attack
        ]
        worst = min(attacked, key=lambda row: row.value)
        assert (line[0], line[2], line[3]) == (model.name, printed(worst), worst.attack)


@pytest.mark.slow
def test_the_same_cells_give_the_same_bytes(fake: tuple[Plan, Store, Path], tmp_path: Path) -> None:
    plan, store, _ = fake
    write_report(plan, store, tmp_path / "once")
    write_report(plan, store, tmp_path / "again")
    first, again = files(tmp_path / "once"), files(tmp_path / "again")
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_the_page_stands_alone(fake: tuple[Plan, Store, Path]) -> None:
    page = fake[2].read_text()
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert "http://" not in without_namespaces
    assert "https://" not in without_namespaces
    assert "<script" not in page
    assert "<link" not in page
    sources = re.findall(r'<img [^>]*src="([^"]{5})', page)
    assert sources
    assert set(sources) == {"data:"}
    for target in re.findall(r'href="([^"]*)"', page):
        if target.startswith("#"):
            assert f'id="{target[1:]}"' in page
        elif target != "../results.csv":
            assert (fake[2].parent / target).is_file()


def test_figures_and_pictures_lie_beside_the_page(fake: tuple[Plan, Store, Path]) -> None:
    names = files(fake[2].parent).keys()
    figures = {name for name in names if name.startswith("figures/")}
    assert figures == {
        "figures/curve-fgsm-u.svg",
        "figures/curve-igsm-u-3.svg",
        "figures/curve-igsm-t-3.svg",
        "figures/parts-model-1.svg",
        "figures/parts-model-2.svg",
    }
    for number in (1, 2, 3):
        assert f"pictures/person-{number}-truth.png" in names
        assert f"pictures/person-{number}-model-2-attacked.png" in names
        assert f"pictures/person-{number}-model-1-perturbation.png" in names
    assert not [name for name in names if ".part" in name]


def test_the_page_says_what_was_measured_and_who_is_missing(fake: tuple[Plan, Store, Path]) -> None:
    page = fake[2].read_text()
    assert "within half a head size" in page
    assert "pelvis and thorax are not counted" in page
    assert "29 people of noise" in page
    assert "noise/0029: no such photo" in page
    assert "2 people without a box" in page
    assert "perturbation × 8" in page


def test_one_model_and_one_setting_make_a_page(tmp_path: Path) -> None:
    plan, store = fake_study(tmp_path, names=["solo"], settings=[FGSM], people=FakePeople(people=3, unreadable=0))
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert [row[0] for row in Cells(page, table="headline").rows] == ["Model", "solo"]
    assert 'id="targeted"' not in page
    assert 'id="unrounded"' not in page


def test_a_targeted_setting_alone_makes_a_page(tmp_path: Path) -> None:
    plan, store = fake_study(tmp_path, settings=[SETTINGS[-1]], people=FakePeople(people=6, unreadable=0))
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert "Target PCKh@0.5" in page
    assert 'id="people"' not in page
    assert 'id="targeted"' in page


def test_undefined_scores_are_dashes_with_their_reason(tmp_path: Path) -> None:
    blind = FakePeople(people=4, unreadable=0, head_size=float("nan"))
    plan, store = fake_study(tmp_path, settings=[FGSM, SETTINGS[-1]], people=blind)
    page = write_report(plan, store, tmp_path / "report").read_text()
    cells = Cells(page, table="results")
    assert [row[2] for row in cells.rows if len(row) == 5][1:] == ["–", "–", "–"]
    assert "no keypoint of these people can be scored" in cells.titles
    assert "nan" not in re.sub(r'src="[^"]*"', "", page).lower()


def test_a_clean_score_of_zero_leaves_nothing_to_compare(tmp_path: Path) -> None:
    plan, store = fake_study(tmp_path, settings=[FGSM], people=FakePeople(people=4, unreadable=0, head_size=1e-6))
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert "no predicted keypoint of 4 people is right on the clean images" in Cells(page, table="results").titles


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>&\"'$"
    plan, store = fake_study(
        tmp_path,
        names=[evil, f"{evil}2"],
        settings=[FGSM],
        people=FakePeople(name=evil, people=4, left_out=(evil,)),
        title=evil,
    )
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert "<script" not in page
    assert Cells(page, table="results").rows[0][2] == evil


def test_a_study_without_settings_shows_the_clean_scores(tmp_path: Path) -> None:
    plan, store = fake_study(tmp_path, settings=[], people=FakePeople(people=4))
    page = write_report(plan, store, tmp_path / "report").read_text()
    assert len(Cells(page, table="results").rows) == 3
