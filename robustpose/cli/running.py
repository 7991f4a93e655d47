"""What the commands share: running a study, rendering ahead, saying what was left out and where results lie."""

from pathlib import Path

from robustpose import console, report
from robustpose.data.rendered import RenderedPeople
from robustpose.study import (
    Outcome,
    Plan,
    Row,
    Store,
    Study,
    factor_rows,
    open_plan,
    result_rows,
    run_cells,
    save_study,
    write_factors,
    write_results,
)
from robustpose.types import PoseDataset


def run_study(study: Study, folder: Path) -> tuple[Plan, Store, list[Row]]:
    """Compute what is missing of a study and write its outputs."""
    plan = open_plan(study)
    store = Store(folder)
    for height, width in sorted({tuple(model.net.input_size) for model in plan.models}):
        render_ahead(plan.dataset, plan.n, input_size=(height, width))
    with console.cells_bar(study.name) as show:
        run_cells(plan, store, on_progress=show)
    rows = result_rows(plan, store)
    save_study(study, folder)
    write_outputs(plan, store, rows, folder)
    return plan, store, rows


def render_ahead(dataset: PoseDataset, n: int, *, input_size: tuple[int, int], padding: float = 1.25) -> None:
    """Render people ahead, on all processors, with a progress bar; photos need no such thing."""
    if not isinstance(dataset, RenderedPeople):
        return
    height, width = input_size
    with console.steps_bar(f"render {dataset.name} at {height}x{width}", total=n) as show:
        dataset.prepare(n, input_size=input_size, padding=padding, on_progress=lambda done, total: show(done, ""))


def write_outputs(plan: Plan, store: Store, rows: list[Row], folder: Path) -> None:
    """Write results.csv, factors.csv where the data know of factors, and the page."""
    write_results(rows, folder / "results.csv")
    write_factors(factor_rows(plan, store), folder / "factors.csv")
    report.write_report(plan, store, folder / "report")


def report_people_left_out(plan: Plan, found: list[Outcome]) -> None:
    """Say who takes no part, and why."""
    for line in plan.dataset.left_out:
        console.say(f"left out: {line}")
    report_unreadable(tuple(dict.fromkeys(line for each in found for line in each.unreadable)), plan.n)


def report_unreadable(unreadable: tuple[str, ...], people: int) -> None:
    """Say whose photos could not be read."""
    if unreadable:
        console.say(
            f"the photos of {len(unreadable)} of {people} people could not be read; the first: {unreadable[0]}"
        )


def say_where(folder: Path) -> None:
    """Print where a study's results lie."""
    print(f"results: {folder / 'results.csv'}\npage:    {folder / 'report' / 'index.html'}")
