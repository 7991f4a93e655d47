"""How the corruptions study is run: corruptions and attacks, then the search for limits, then tables and page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustpose.analysis.scores import outcome
from robustpose.corruptions.axes import AXES
from robustpose.findings.statistics import Sample, kept
from robustpose.jobs.corruption import CorruptedCell
from robustpose.jobs.job import Job
from robustpose.jobs.store import Store
from robustpose.jobs.workbench import Workbench, input_size_of, padding_of
from robustpose.metrics import pair
from robustpose.studies.corruptions.definition import (
    CorruptionOptions,
    CorruptionStudy,
    all_corrupted,
    asked,
    attacked_plan,
    clean_plan,
    corrupted_cells,
)
from robustpose.studies.corruptions.found import find
from robustpose.studies.corruptions.limits import search
from robustpose.studies.corruptions.page import write_page
from robustpose.studies.corruptions.printed import print_found
from robustpose.studies.corruptions.scores import joined
from robustpose.studies.corruptions.written import write_tables
from robustpose.studies.running import How, compute, how_of, render_ahead, report_people_left_out, say_where_from
from robustpose.studies.spec import StudySpec
from robustpose.study.plan import Plan, metric_of, open_plan, workbench
from robustpose.study.saved import open_store

Asked = tuple[str, str, int]
"""A model, an axis, and the place of a level."""


def run_corruptions(study: CorruptionStudy, folder: Path, options: CorruptionOptions) -> None:
    """Compute the missing cells of the study in a folder; write and print its scores, limits and page."""
    how, opened = how_of(options), open_plan(study.base)
    plan, attacked = clean_plan(study, opened), attacked_plan(study, opened)
    store = open_store(folder) if how.reuse else Store(folder)
    _render(plan)
    bench = workbench(plan).on(how.device)
    jobs: list[Job[Any]] = [*plan.all_cells(), *all_corrupted(study, plan), *attacked.all_cells()]
    computed = _compute(jobs, bench, store, how)
    if how.shard.count > 1:
        say_where_from(folder, store, jobs, how=how, computed=computed)
        print(f"this shard is done; after all shards, run the same command without --shard to finish {folder}")
        return
    measured: dict[Asked, Sequence[CorruptedCell]] = {}

    def measure(wanted: Sequence[Asked]) -> Mapping[Asked, Sample]:
        nonlocal computed
        cells = {
            each: corrupted_cells(plan, each[0], study.at_level(each[1], AXES[each[1]].levels[each[2]]))
            for each in wanted
        }
        measured.update(cells)
        blockwise = [cell for block in zip(*cells.values(), strict=True) for cell in block]
        computed += _compute(blockwise, bench, store, how)
        return {each: _relative(plan, store, each[0], held) for each, held in cells.items()}

    levels = search(measure, [model.name for model in plan.models], study.axes)
    everything = [*jobs, *(cell for cells in measured.values() for cell in cells)]
    say_where_from(folder, store, everything, how=how, computed=computed)
    report_people_left_out(plan, [outcome(plan, store, model, None) for model in plan.models])
    found = find(study, plan, attacked, store, levels)
    write_tables(found, folder)
    page = write_page(found, bench, folder / "report")
    print_found(found)
    print(
        f"results: {folder / 'corruptions.csv'}, summary.csv, limits.csv, beside.csv, pairs.csv\npage:    {page}"
    )


def _compute(jobs: Sequence[Job[Any]], bench: Workbench, store: Store, how: How) -> int:
    return compute(jobs, bench, store, how=how, title="corruptions")


def _relative(plan: Plan, store: Store, model: str, cells: Sequence[CorruptedCell]) -> Sample:
    clean = outcome(plan, store, plan.named(model), None).table
    before, after = pair(clean, joined(plan, store, cells, clean))
    return kept(before, after, metric_of(plan))


def _render(plan: Plan) -> None:
    """Render people in advance at the crop sizes of the models."""
    for size, padding in sorted({(input_size_of(each.module), padding_of(each.module)) for each in plan.models}):
        render_ahead(plan.dataset, plan.n, input_size=size, padding=padding)


CORRUPTIONS_SPEC = StudySpec(options=CorruptionOptions, make=asked, run=run_corruptions)
