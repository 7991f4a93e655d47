"""Studies: models under attacks on data, as cells in a store; killed and run again, a study continues."""

from robustpose.study.cell import Cell, Setting
from robustpose.study.factors import factor_rows, write_factors
from robustpose.study.local import CellProgress, run_cells
from robustpose.study.plan import Plan, Study, make_plan, metric_of, open_plan
from robustpose.study.quick import QUICK
from robustpose.study.realism import Realism, Worth, run_realism
from robustpose.study.results import Outcome, Row, estimates, outcome, result_rows, write_results
from robustpose.study.saved import load_study, save_study
from robustpose.study.store import CellResult, Store

STUDIES: dict[str, Study | Realism] = {
    "quick": QUICK,
    "realism": Realism(),
}

__all__ = [
    "STUDIES",
    "Cell",
    "CellProgress",
    "CellResult",
    "Outcome",
    "Plan",
    "Realism",
    "Row",
    "Setting",
    "Store",
    "Study",
    "Worth",
    "estimates",
    "factor_rows",
    "load_study",
    "make_plan",
    "metric_of",
    "open_plan",
    "outcome",
    "result_rows",
    "run_cells",
    "run_realism",
    "save_study",
    "write_factors",
    "write_results",
]
