"""The validity page: every number of the comparison in words, figures and tables, readable and alone."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from robustpose.metrics import ALL
from robustpose.studies.validity.agreement import Agreement, Pair
from robustpose.studies.validity.comparison import Comparison
from robustpose.studies.validity.page import telling, write_validity
from robustpose.studies.validity.sides import PHOTOS, RENDERED, Validity
from robustpose.study.plan import Plan
from tests.report.html.pages import Page
from tests.studies.validity.fakes import FGSM, IGSM, computed, sides
from tests.study.study_fakes import files

STUDY = Validity(photos="coco:people.json")
Written = tuple[dict[str, Plan], Comparison, Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    plans, folder = sides(), tmp_path_factory.mktemp("validity")
    found, _ = computed(plans, folder)
    return plans, found, write_validity(STUDY, plans, found, folder / "report")


@pytest.fixture(scope="module")
def page(written: Written) -> Page:
    return Page(written[2].read_text())


def test_agreement_is_told_score_by_score(written: Written, page: Page) -> None:
    _, found, _ = written
    table = page.tables[0]
    assert table[0] == ["row", "tau", "tau if equal", "rendered", "photos", "both", "same order"]
    assert [line[0] for line in table[1:]] == ["clean", FGSM.title, IGSM.title]
    for line, setting in zip(table[1:], (None, FGSM, IGSM), strict=True):
        each = found.line("clean" if setting is None else "relative", setting).found
        assert line[1] == f"{each.tau.value:.3f} [{each.tau.low:.3f}, {each.tau.high:.3f}]"
        assert line[2].startswith(f"{each.one_order.value:.3f} [")
        assert line[3:] == [str(number) for number in (each.rendered, each.photos, each.both, each.agree)]
    assert "count, of 10 pairs of models" in " ".join(page.data)


def test_models_bear_their_scores_and_places(written: Written, page: Page) -> None:
    _, found, _ = written
    clean = next(table for table in page.tables if table[0] == ["row", "rendered", "photos", "ranks"])
    values = {side: [row.value for row in found.rows[side]["clean", None, ALL]] for side in (RENDERED, PHOTOS)}
    for slot, line in enumerate(clean[1:]):
        assert line[0] == found.models[slot]
        assert line[1].startswith(f"{values[RENDERED][slot]:.1f} [")
        assert line[2].startswith(f"{values[PHOTOS][slot]:.1f} [")
        places = [sum(other > values[side][slot] for other in values[side]) + 1 for side in (RENDERED, PHOTOS)]
        assert line[3] == f"{places[0]}, {places[1]}"


def test_each_figure_is_a_file_and_speaks(written: Written) -> None:
    _, found, path = written
    names = ["scatter-clean.svg", "scatter-fgsm-u.svg", "scatter-igsm-u-2.svg"]
    assert sorted(file.name for file in (path.parent / "figures").iterdir()) == names
    first = found.rows[RENDERED]["clean", None, ALL][0]
    text = path.read_text()
    assert re.search(
        rf'<svg[^>]*role="img"[^>]*aria-label="Clean: [^"]*{first.model}: {first.value:.1f} and ', text
    )


def test_an_attack_is_shown_where_it_spreads_the_models_most(written: Written) -> None:
    _, found, _ = written
    weak = replace(FGSM, eps=1 / 255)
    rows = {
        side: {
            **each,
            ("relative", weak, ALL): tuple(replace(row, value=99.0) for row in each["relative", FGSM, ALL]),
        }
        for side, each in found.rows.items()
    }
    assert telling(replace(found, settings=(weak, FGSM, IGSM), rows=rows)) == (FGSM, IGSM)


def test_pairs_that_mislead_are_told_with_their_scores(written: Written, tmp_path: Path) -> None:
    plans, found, _ = written
    pair = Pair(in_photos="net-1", in_rendered="net-3")
    lines = tuple(
        replace(line, found=replace(line.found, misleading=(pair,)))
        if line.part == ALL and line.measure in ("clean", "relative") and line.setting != IGSM
        else replace(line, found=replace(line.found, misleading=()))
        for line in found.lines
    )
    text = " ".join(Page(write_validity(STUDY, plans, replace(found, lines=lines), tmp_path).read_text()).data)
    said = (
        "net-1 is better than net-3 in photos and worse on rendered people: clean and relative, FGSM-U at 8/255."
    )
    assert said in " ".join(text.split())
    nothing = tuple(replace(line, found=replace(line.found, misleading=())) for line in found.lines)
    text = write_validity(STUDY, plans, replace(found, lines=nothing), tmp_path).read_text()
    assert "No pair of models that both data sets separate is in opposite order." in text


def test_undefined_numbers_are_words_or_empty(written: Written, tmp_path: Path) -> None:
    plans, found, _ = written
    nan = float("nan")

    def undone(each: Agreement) -> Agreement:
        none = replace(each.tau, value=nan, low=nan, high=nan)
        return replace(each, tau=none, one_order=none, both=0, misleading=())

    lines = tuple(replace(line, found=undone(line.found)) for line in found.lines)
    path = write_validity(STUDY, plans, replace(found, lines=lines), tmp_path)
    text = path.read_text()
    assert "Clean: no tau. No pair of models is separated on both data sets." in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_the_page_stands_alone_and_can_be_heard(written: Written, page: Page) -> None:
    _, _, path = written
    text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", path.read_text())
    assert "http://" not in text and "https://" not in text and "<script" not in text and "<link" not in text
    assert len(page.ids) == len(set(page.ids))
    outside = {"../rendered/report/index.html", "../photos/report/index.html"}
    outside |= {"../validity.csv", "../agreement.csv", "../offsets.csv"}
    for target in page.links:
        assert (
            target[1:] in page.ids
            if target.startswith("#")
            else target in outside or (path.parent / target).is_file()
        )
    assert page.headings.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(page.headings))
    assert all(header.get("scope") in ("col", "row") for header in page.headers)


def test_the_same_comparison_gives_the_same_bytes(written: Written, tmp_path: Path) -> None:
    plans, found, path = written
    write_validity(STUDY, plans, found, tmp_path)
    assert files(tmp_path) == files(path.parent)
