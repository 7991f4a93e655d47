"""Committed verdicts have the texts that this version writes."""

import ast
import csv
import re
from functools import cache
from pathlib import Path

import pytest

import robustpose.findings

ROOT = Path(__file__).parents[2]
FEWEST = 12
"""Letters that a text must have of its own: one that is all placeholders matches everything."""


@cache
def texts() -> list[re.Pattern[str]]:
    """Return the texts in the code of findings, with any words in place of what is filled in."""
    folder = Path(robustpose.findings.__file__).parent
    nodes = [node for path in folder.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    parts = [_parts(node) for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant)]
    return [re.compile(".+".join(map(re.escape, each))) for each in parts if len("".join(each)) >= FEWEST]


def _parts(node: ast.JoinedStr | ast.Constant) -> list[str]:
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    known = [each.value if isinstance(each, ast.Constant) else "{}" for each in values]
    return re.split(r"\{\w*\}", "".join(each for each in known if isinstance(each, str)))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results").glob("*/findings/verdicts.csv")), ids=lambda path: path.parts[-3]
)
@pytest.mark.parametrize("column", ["claim", "paper"])
def test_code_can_write_the_published_texts(path: Path, column: str) -> None:
    with path.open() as file:
        published = [row[column] for row in csv.DictReader(file)]
    assert [each for each in published if not any(text.fullmatch(each) for text in texts())] == []
