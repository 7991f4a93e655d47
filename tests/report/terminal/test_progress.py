"""Progress that somebody can see, and tables of which nothing is cut."""

import builtins
import io
import sys
from types import ModuleType, SimpleNamespace

import pytest
from rich.console import Console
from rich.table import Table

from robustpose.jobs.run import CellProgress
from robustpose.report.terminal import progress


def consoles(monkeypatch: pytest.MonkeyPatch, *, width: int, terminal: bool) -> tuple[io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(progress, "stdout", Console(file=out, width=width, force_terminal=False))
    monkeypatch.setattr(progress, "stderr", Console(file=err, width=width, force_terminal=terminal))
    return out, err


@pytest.mark.parametrize("width", [200, 60, 12])
def test_no_cell_of_a_table_is_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = consoles(monkeypatch, width=width, terminal=False)
    table = Table()
    for column in ("model", "clean", "relative"):
        table.add_column(column, no_wrap=True)
    table.add_row("efficientpose-ii-lite", "83.8 [72.1, 92.6]", "14.0 [7.5, 22.8]")
    progress.show_table(table)
    words = out.getvalue().replace("│", " ").replace("┃", " ").split()
    assert "…" not in out.getvalue()
    assert {"efficientpose-ii-lite", "83.8", "[72.1,", "92.6]", "14.0", "[7.5,", "22.8]"} <= {*words}
    assert ("columns wide" in err.getvalue()) == (width == 12)
    if width == 60:
        assert max(map(len, out.getvalue().splitlines())) <= 60


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_shown_where_somebody_sees_it(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = consoles(monkeypatch, width=80, terminal=terminal)
    with progress.steps_bar("render", total=4) as show:
        show(2, "halfway")
    assert ("render halfway" in err.getvalue()) == terminal
    if not terminal:
        assert err.getvalue() == ""


def test_in_a_notebook_a_bar_is_a_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:
        """As IPython calls the shell of a notebook."""

    lines: list[str] = []
    handle = SimpleNamespace(update=lines.append)
    shown = ModuleType("IPython.display")
    shown.HTML = str  # type: ignore[attr-defined]
    shown.display = lambda text, display_id: lines.append(text) or handle  # type: ignore[attr-defined, func-returns-value]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    assert progress.is_watched()
    with progress.cells_bar("attack <a>") as show:
        show(CellProgress(work=0, total_work=50, cell=None))
    assert lines == [
        '<progress value="0" max="1"></progress> attack &lt;a&gt;: 0 of 1',
        '<progress value="50" max="50"></progress> attack &lt;a&gt;: 50 of 50',
    ]
    with progress.steps_bar("silent", total=1, silent=True):
        assert len(lines) == 2
