"""Runs studies: opens models and data, renders people, computes jobs, writes results, reports excluded people."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustpose import findings
from robustpose.analysis.factors import factor_rows, write_factors
from robustpose.analysis.scores import Outcome, Row, all_rows, remarks, write_results
from robustpose.data.rendered import RenderedPeople
from robustpose.errors import RobustPoseError, unknown_name
from robustpose.jobs.job import Job
from robustpose.jobs.journal import Journal, read_journal
from robustpose.jobs.ray import RayEngine
from robustpose.jobs.run import Engine, LocalEngine, Shard, run_all
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench, input_size_of, padding_of
from robustpose.report import html, terminal
from robustpose.studies.provenance import about_run, write_provenance
from robustpose.study.definition import Study
from robustpose.study.described import describe_plan
from robustpose.study.options import RunOptions
from robustpose.study.plan import Plan, open_plan, workbench
from robustpose.study.saved import open_store, refuse_other, save_study
from robustpose.types import PoseDataset


@dataclass(frozen=True)
class How:
    """How to compute a study.

    reuse  whether to accept results in the folder that other versions of the code or of torch computed
    force  whether to overwrite the tables and pages of another study in the folder
    """

    engine: Engine = field(default_factory=LocalEngine)
    device: str = "cpu"
    shard: Shard = field(default_factory=Shard)
    reuse: bool = False
    force: bool = False


def how_of(options: RunOptions) -> How:
    """Read engine, device and shard from the options; RobustPoseError for options that conflict."""
    if options.engine not in ("local", "ray"):
        raise unknown_name("engine", options.engine, ("local", "ray"))
    if options.engine == "local":
        if options.address or options.workers or options.gpus:
            raise RobustPoseError("--address, --workers and --gpus need --engine ray")
        local = LocalEngine(threads=options.threads or 0)
        return How(local, options.device, _shard(options.shard), reuse=options.reuse, force=options.force)
    ray = RayEngine(
        address=options.address, workers=options.workers, threads=options.threads or 1, gpus=options.gpus
    )
    return How(ray, "cpu", _shard(options.shard), reuse=options.reuse, force=options.force)


def _shard(text: str) -> Shard:
    if not text:
        return Shard()
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise RobustPoseError(f"--shard must be i/n such as 2/8, got {text!r}")
    return Shard(index=int(match[1]), count=int(match[2]))


@dataclass(frozen=True)
class Ran:
    """A computed study: its scores and findings, both empty for a shard."""

    plan: Plan
    store: Store
    rows: list[Row]
    found: Mapping[str, findings.Found]


def run_study(study: Study, folder: Path, *, how: How | None = None) -> Ran:
    """Open a study's models and data, and run it."""
    return run_plan(open_plan(study), folder, how=how)


def run_plan(plan: Plan, folder: Path, *, how: How | None = None) -> Ran:
    """Compute a study's missing cells and write its outputs; a shard writes no outputs and returns no rows."""
    how = how or How()
    store = open_store(folder) if how.reuse else Store(folder)
    cells = [*plan.all_cells(), *findings.asked(plan)]
    if plan.study.n is not None and plan.study.n > plan.n:
        terminal.say(
            f"--n {plan.study.n}: {plan.dataset.name} has only {plan.n} people, and all of them take part"
        )
    described = describe_plan(plan)  # before models move to a device
    if not how.force:
        refuse_other(plan.study, folder, described=described)
    bench = workbench(plan).on(how.device)
    save_study(plan.study, folder, described=described)  # an interrupted run, too, says whose folder it is
    there = {*store.names()}
    _render_people(plan, [cell for cell in cells if store.name(cell) not in there])
    computed = compute(cells, bench, store, how=how, title=plan.study.name)
    for line in store.taken_over(cells) if how.reuse else ():
        terminal.say(f"reused results from another version: {line}")
    say_where_from(folder, store, cells, how=how, computed=computed)
    if how.shard.count > 1:
        return Ran(plan, store, [], {})
    rows = all_rows(plan, store)
    made = write_outputs(plan, store, rows, folder)
    for line in remarks(plan, store):
        terminal.say(line)
    return Ran(plan, store, rows, made)


def compute(cells: Sequence[Job[Any]], bench: Workbench, store: Store, *, how: How, title: str) -> int:
    """Compute the missing cells, and note the run in the store's journal; return how many were computed."""
    journal = Journal(store.place, about_run(how.engine, how.device, how.shard))
    damaged: list[str] = []
    with terminal.cells_bar(title) as show:
        computed = run_all(
            cells,
            bench,
            store,
            engine=how.engine,
            shard=how.shard,
            on_progress=show,
            on_done=journal.note,
            on_damaged=damaged.append,
        )
    for line in damaged:
        terminal.say(f"set aside in {store.place.path('damaged')}, and computed again: {line}")
    return computed


def say_where_from(folder: Path, store: Store, cells: Sequence[Job[Any]], *, how: How, computed: int) -> None:
    """Write the provenance of cells: see studies/provenance.py."""
    names = [store.name(cell) for cell in cells]
    write_provenance(folder, names, journaled=read_journal(store.place), shard=how.shard, computed=computed)


def _render_people(plan: Plan, cells: list[Job[Any]]) -> None:
    """Render the validation and training people of jobs, at the input sizes of the models."""
    for size, padding in sorted(
        {(input_size_of(model.module), padding_of(model.module)) for model in plan.models}
    ):
        render_ahead(plan.dataset, plan.n, input_size=size, padding=padding)
        for dataset in (plan.training, plan.other):
            if dataset is not None and (people := _people_of(dataset, cells)):
                render_ahead(dataset, people, input_size=size, padding=padding)


def _people_of(dataset: PoseDataset, cells: list[Job[Any]]) -> int:
    """Return how many people, from the start of a data set, the jobs use."""
    return max((cell.stop for cell in cells if cell.data_fingerprint == dataset.fingerprint), default=0)


def render_ahead(
    dataset: PoseDataset, n: int, *, input_size: tuple[int, int], padding: float = 1.25, in_photos: bool = False
) -> None:
    """Render people in advance, on all processors, with a progress bar; does nothing for photos.

    in_photos  render the photos that crops are cut from, instead of the crops
    """
    if not isinstance(dataset, RenderedPeople):
        return
    height, width = input_size
    what = "photos for " if in_photos else ""
    with terminal.steps_bar(f"render {dataset.name} at {what}{height}x{width}", total=n) as show:
        prepare = dataset.prepare_photos if in_photos else dataset.prepare
        prepare(n, input_size=input_size, padding=padding, on_progress=lambda done, total: show(done, ""))


def write_outputs(plan: Plan, store: Store, rows: list[Row], folder: Path) -> dict[str, findings.Found]:
    """Write results.csv, factors.csv if the data have factors, and the pages; return the findings."""
    write_results(rows, folder / "results.csv")
    write_factors(factor_rows(plan, store), folder / "factors.csv")
    html.write_report(plan, store, folder / "report")
    found = findings.found(plan, store)
    if found:
        html.write_findings(plan, found, folder / "report")
    return found


def report_people_left_out(plan: Plan, found: list[Outcome]) -> None:
    """Print who was left out, and why."""
    for line in plan.dataset.left_out:
        terminal.say(f"excluded: {line}")
    report_unreadable(tuple(dict.fromkeys(line for each in found for line in each.unreadable)), plan.n)


def report_unreadable(unreadable: tuple[str, ...], people: int) -> None:
    """Print how many people's photos could not be read, and the first of them."""
    if unreadable:
        terminal.say(
            f"the photos of {len(unreadable)} of {people} people could not be read; the first: {unreadable[0]}"
        )


def say_where(folder: Path) -> None:
    """Print the paths of a study's results and page."""
    print(f"results: {folder / 'results.csv'}\npage:    {folder / 'report' / 'index.html'}")
