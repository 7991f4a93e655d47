"""The tables of verdicts: rows by hand, and that the pages say what the results do."""

import pytest

from tools.write_verdicts import CHOICE, FOLDERS, ROOT, WHOLE, effect, line, rewritten, totals, verdicts

ROW = {
    "claim": "A is above B.",
    "holds": "holds",
    "effect": "2.34",
    "low": "-0.06",
    "high": "4.5",
    "n": "256",
    "paper": "about 3",
    "measured": "A - B",
}


def test_a_row_by_hand() -> None:
    assert line(ROW) == "| A is above B. | holds | 2.3 [-0.1, 4.5] | about 3 |"
    assert line(ROW, models="two models").startswith("| A is above B (two models). |")
    assert effect({**ROW, "n": "20"}) == "2.3 [-0.1, 4.5], n = 20"
    assert effect({**ROW, "measured": "in log-odds"}) == "2.340 [-0.060, 4.500]"
    assert effect({**ROW, "effect": ""}) == "not measured"


def test_tables_are_rewritten_and_the_rest_stays() -> None:
    page = "words\n\n| claim | here |\n|---|---|\n| A is above B. | old |\n\n| other |\n|---|\n| kept |\n"
    read = {"paper": [ROW], "paper-universal": [{**ROW, "holds": "undecided"}]}
    chosen = rewritten(page, read, whole=False)
    assert chosen == page.replace("| A is above B. | old |", line(ROW)), "the first folder's is taken"
    whole = rewritten(page, read, whole=True)
    assert whole.count("A is above B") == 2 and "(three ResNets)" in whole and whole.endswith("| kept |\n")
    with pytest.raises(KeyError):
        rewritten(page.replace("above B.", "above C."), read, whole=False)
    assert totals(read) == "of 2 verdicts 1 hold, 0 do not, 1 are undecided"


@pytest.mark.parametrize("name", [*WHOLE, *CHOICE])
def test_the_pages_say_what_the_results_do(name: str) -> None:
    read = {folder: verdicts(ROOT / "results" / folder) for folder in FOLDERS}
    page = (ROOT / name).read_text()
    assert rewritten(page, read, whole=name in WHOLE) == page, "python -m tools.write_verdicts writes it anew"
    if name == "results/README.md":
        assert totals(read) in page
    if name == "README.md":
        assert f"[all {sum(map(len, read.values()))} verdicts]" in page
