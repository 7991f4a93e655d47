"""The paper's experiments in full: all models, all findings and all budgets, on 1,000 rendered people."""

from functools import partial

from robustpose.findings import FINDINGS
from robustpose.jobs.setting import Setting
from robustpose.studies.grid import chosen, run_grid, untrained
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import PAPER_EPS, Study
from robustpose.study.options import GridOptions

PAPER = Study(
    name="paper",
    title="The paper's experiments, on rendered people",
    models=(
        *("deeppose", "shg2", "shg8", "chained", "attention_hg", "dlcm"),
        *("resreg", "resdec", "resdec_pre"),
    ),
    data="synthpose:val",
    settings=(
        *(Setting("fgsm", eps) for eps in PAPER_EPS),
        *(Setting("igsm", eps) for eps in PAPER_EPS),
        *(Setting("igsm", eps, targeted=True) for eps in PAPER_EPS),
    ),
    n=1000,
    findings=tuple(name for name in FINDINGS if name != "adaptive_defences"),
    tasks=("action", "parts"),
    training="synthpose:train",
)

PAPER_SPEC = StudySpec(
    options=GridOptions, make=partial(chosen, PAPER), run=run_grid, remarks=partial(untrained, PAPER)
)
