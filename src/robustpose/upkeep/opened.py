"""A study's folder as the commands of upkeep see it: its plan, its store, and the jobs that it asks for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustpose import findings
from robustpose.jobs.job import Job, with_sources
from robustpose.jobs.store import Store
from robustpose.study.plan import Plan
from robustpose.study.saved import reopen


@dataclass(frozen=True)
class OpenedRun:
    """A study's folder, opened for reading; no model is opened.

    jobs  all that the study asks for, with their sources, in an order in which they can be computed
    """

    folder: Path
    plan: Plan
    store: Store
    jobs: tuple[Job[Any], ...]


def open_run(folder: Path) -> OpenedRun:
    """Open a study's folder; RobustPoseError as study.saved.reopen."""
    plan, store = reopen(folder)
    jobs = with_sources([*plan.all_cells(), *findings.asked(plan)])
    return OpenedRun(folder, plan, store, tuple(jobs))
