"""Studies: models under attacks on data, as cells in a store; killed and run again, a study continues."""

from robustpose.study.cell import Cell, Setting
from robustpose.study.cluster import RayEngine
from robustpose.study.definition import Study
from robustpose.study.derived import AnyCell, Replay, UniversalCell
from robustpose.study.evidence import Ask, Evidence, NetAsk, TaskAsk, UniversalAsk, cells_of
from robustpose.study.factors import factor_rows, write_factors
from robustpose.study.local import LocalEngine
from robustpose.study.official import (
    all_rows,
    has_detections,
    official_estimates,
    official_name,
    official_rows,
    unranked,
)
from robustpose.study.paper import PAPER
from robustpose.study.plan import Plan, make_plan, metric_of, open_plan, workbench
from robustpose.study.quick import QUICK
from robustpose.study.real import REAL
from robustpose.study.realism import Realism, Worth, run_realism
from robustpose.study.results import Outcome, Row, Shown, estimates, outcome, result_rows, write_results
from robustpose.study.run import CellProgress, Engine, Shard, run_all, run_cells
from robustpose.study.saved import load_study, open_store, save_study
from robustpose.study.smallest import smallest_curve
from robustpose.study.store import Store
from robustpose.study.stored import CellResult, Pictures, TaskResult
from robustpose.study.validity import (
    PHOTOS,
    RENDERED,
    Comparison,
    Validity,
    compare,
    open_sides,
    shared_joints,
    studies_of,
    write_comparison,
)
from robustpose.study.view import CLEAN, PAPER_EPS, Grid, Learn, View
from robustpose.study.watching import Watched, watch_study, weaker_than

STUDIES: dict[str, Study | Realism | Validity] = {
    "quick": QUICK,
    "paper": PAPER,
    "real": REAL,
    "realism": Realism(),
    "validity": Validity(),
}

__all__ = [
    "CLEAN",
    "PAPER_EPS",
    "PHOTOS",
    "RENDERED",
    "STUDIES",
    "AnyCell",
    "Ask",
    "Cell",
    "CellProgress",
    "CellResult",
    "Comparison",
    "Engine",
    "Evidence",
    "Grid",
    "Learn",
    "LocalEngine",
    "NetAsk",
    "Outcome",
    "Pictures",
    "Plan",
    "RayEngine",
    "Realism",
    "Replay",
    "Row",
    "Setting",
    "Shard",
    "Shown",
    "Store",
    "Study",
    "TaskAsk",
    "TaskResult",
    "UniversalAsk",
    "UniversalCell",
    "Validity",
    "View",
    "Watched",
    "Worth",
    "all_rows",
    "cells_of",
    "compare",
    "estimates",
    "factor_rows",
    "has_detections",
    "load_study",
    "make_plan",
    "metric_of",
    "official_estimates",
    "official_name",
    "official_rows",
    "open_plan",
    "open_sides",
    "open_store",
    "outcome",
    "result_rows",
    "run_all",
    "run_cells",
    "run_realism",
    "save_study",
    "shared_joints",
    "smallest_curve",
    "studies_of",
    "unranked",
    "watch_study",
    "weaker_than",
    "workbench",
    "write_comparison",
    "write_factors",
    "write_results",
]
