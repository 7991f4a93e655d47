"""A small version of the paper study: enough models, people and budgets to test the paper's main claims.

`make study` runs it. Four models, two of which compare heatmaps and regression on the same backbone, and a
classifier and a segmentation model on that backbone. Universal perturbations and attacks of a hundred steps are
only in the paper study, because they cost more than the whole quick study.
"""

from functools import partial

from robustpose.jobs.setting import Setting
from robustpose.studies.grid import chosen, run_grid, untrained
from robustpose.studies.paper import PAPER
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import Grid, Study
from robustpose.study.options import GridOptions

EPS = tuple(level / 255 for level in (1, 2, 8, 32))
TARGETED_EPS = tuple(level / 255 for level in (2, 8, 32))
_LEFT_OUT = ("fig2ef", "table1", "universal_pictures")

QUICK = Study(
    name="quick",
    title="Four models, rendered people, the paper's attacks",
    models=("shg2", "deeppose", "resdec", "resreg"),
    data="synthpose:val",
    settings=(
        *(Setting("fgsm", eps) for eps in EPS),
        *(Setting("igsm", eps) for eps in EPS),
        Setting("igsm", 8 / 255, objective="training_loss_all"),
        *(Setting("igsm", eps, targeted=True) for eps in TARGETED_EPS),
    ),
    n=50,
    findings=tuple(name for name in PAPER.findings if name not in _LEFT_OUT),
    grid=Grid(eps=EPS, targeted_eps=TARGETED_EPS, walk=(1, 2, 5, 10, 20), long=20),
    tasks=("action", "parts"),
)

QUICK_SPEC = StudySpec(
    options=GridOptions, make=partial(chosen, QUICK), run=run_grid, remarks=partial(untrained, QUICK)
)
