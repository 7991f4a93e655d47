"""Writes the verdicts in README.md, results/README.md and docs/findings.md: `python -m tools.write_verdicts`.

The verdicts come from verdicts.csv of the folders in results/, in the order of FOLDERS. In pages that list all
verdicts, the first table of claims is replaced. README lists a selection, whose rows are looked up by claim.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "paper": "",
    "paper-tasks": "",
    "paper-universal": "three ResNets",
    "paper-universal-hourglass": "shg2, dlcm, deeppose",
}
"""Folders of results, and the set of models, for claims that are tested on several sets."""
WHOLE, CHOICE = ("results/README.md", "docs/findings.md"), ("README.md",)
_PEOPLE = "256"

Rows = Sequence[Mapping[str, str]]


def main() -> None:
    """Rewrite the pages."""
    read = {folder: verdicts(ROOT / "results" / folder) for folder in FOLDERS}
    for name in (*WHOLE, *CHOICE):
        path = ROOT / name
        path.write_text(rewritten(path.read_text(), read, whole=name in WHOLE))
    print(totals(read))


def verdicts(folder: Path) -> Rows:
    """Read a folder's verdicts."""
    with (folder / "findings" / "verdicts.csv").open() as file:
        return list(csv.DictReader(file))


def totals(read: Mapping[str, Rows]) -> str:
    """Count the verdicts, in the words of results/README.md."""
    every = [row["holds"] for rows in read.values() for row in rows]
    held, not_held, open_ = (every.count(each) for each in ("holds", "does not hold", "undecided"))
    return f"of {len(every)} verdicts {held} hold, {not_held} do not, {open_} are undecided"


def rewritten(page: str, read: Mapping[str, Rows], *, whole: bool) -> str:
    """Return a page with its table of claims updated; KeyError for a claim that no longer exists."""
    before, table, after = _parted(page)
    if whole:
        body = [line(row, models=FOLDERS[folder]) for folder, rows in read.items() for row in rows]
    else:
        first = {row["claim"]: line(row) for rows in reversed([*read.values()]) for row in rows}
        body = [first[each.split(" | ")[0].removeprefix("| ")] for each in table]
    return "\n".join([*before, *body, *after])


def line(row: Mapping[str, str], *, models: str = "") -> str:
    """Write a verdict as a row of the table."""
    claim = f"{row['claim'][:-1]} ({models})." if models else row["claim"]
    return f"| {claim} | {row['holds']} | {effect(row)} | {row['paper']} |"


def effect(row: Mapping[str, str]) -> str:
    """Write a verdict's effect with its interval, and n if it differs from the study's."""
    if not row["effect"]:
        return "not measured"
    places = 3 if "log-odds" in row["measured"] else 1
    value, low, high = (f"{float(row[key]):.{places}f}" for key in ("effect", "low", "high"))
    people = "" if row["n"] == _PEOPLE else f", n = {row['n']}"
    return f"{value} [{low}, {high}]{people}"


def _parted(page: str) -> tuple[list[str], list[str], list[str]]:
    """Return the lines before the first table of claims, its rows, and the lines after it."""
    lines = page.split("\n")
    begin = next(
        place + 1
        for place, text in enumerate(lines)
        if text.startswith("|---") and place and "claim" in lines[place - 1]
    )
    end = next(place for place in range(begin, len(lines)) if not lines[place].startswith("|"))
    return lines[:begin], lines[begin:end], lines[end:]


if __name__ == "__main__":
    main()
