"""The notebook of first steps runs from top to bottom, and its last cells say what its text promises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import robustpose

NOTEBOOK = Path(robustpose.__file__).parents[2] / "examples" / "first_steps.ipynb"

RUN = """
import ast, json, sys

def display(value):
    html = getattr(value, "_repr_html_", None)
    return html() if html else repr(value)

space, shown = {"__name__": "__main__"}, []
for number, source in enumerate(json.load(sys.stdin)):
    tree = ast.parse(source, f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), space)
    value = None if last is None else eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), space)
    shown.append("" if value is None else display(value))
before, after = space["before"], space["after"]
print(json.dumps({
    "shown": [each[:400] for each in shown],
    "drawn": "data:image/png;base64," in shown[5],
    "scores": [[one.score(name).value for name in ("clean", "attacked", "relative")] for one in (before, after)],
    "attacks": [one.plan.study.settings[0].label for one in (before, after)],
    "fingerprints": [one.plan.models[0].fingerprint for one in (before, after)],
    "steps": space["steps"],
    "training": space["model"].training,
}))
"""


def cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_it_has_ten_short_cells_and_no_stored_output() -> None:
    assert len(cells()) == 10
    assert all(len(source.splitlines()) <= 22 for source in cells())
    notebook = json.loads(NOTEBOOK.read_text())
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert all(not cell.get("outputs") for cell in notebook["cells"])


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """In a process of its own whose main module has no file, as in a notebook."""
    here = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input=json.dumps(cells()),
        cwd=tmp_path,
        env=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *printed, last = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(last)
    assert found["shown"][4] == "tensor(8.0000)"
    assert found["shown"][5].startswith("<table><caption>Sequential on DataLoader")
    assert found["drawn"]
    assert found["steps"] >= 20
    assert found["attacks"] == ["AUTOPOSE-U", "AUTOPOSE-U"]
    assert len(set(found["fingerprints"])) == 2
    assert found["training"], "a model in training mode comes back in training mode"
    (clean, attacked, relative), (clean_after, attacked_after, relative_after) = found["scores"]
    assert clean > 85
    assert attacked < 70
    assert attacked_after > attacked + 15, "adversarial training helps"
    assert relative_after > relative + 15
    assert clean_after > 80
    assert printed[-1].startswith(f"and 20 steps on attacked images: clean {clean_after:.1f}, attacked")
    assert not list(tmp_path.iterdir())
