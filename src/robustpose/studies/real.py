"""Third-party models on photos, under FGSM, ten-step IGSM and APGD with the margin loss."""

from functools import partial

from robustpose.jobs.setting import Setting
from robustpose.studies.grid import chosen, run_grid, untrained
from robustpose.studies.spec import StudySpec
from robustpose.study.definition import Study
from robustpose.study.options import GridOptions

EPS = tuple(level / 255 for level in (1, 2, 4, 8))

REAL = Study(
    name="real",
    title="Third-party models on photos",
    models=(
        *("movenet-lightning", "movenet-thunder", "posenet"),
        *("blazepose-lite", "blazepose-full", "blazepose-heavy", "efficientpose-ii-lite"),
    ),
    data="",
    settings=tuple(
        setting
        for eps in EPS
        for setting in (
            Setting("fgsm", eps),
            Setting("igsm", eps),
            Setting("apgd", eps, steps=30, objective="margin"),
        )
    ),
    n=None,
)

REAL_SPEC = StudySpec(
    options=GridOptions, make=partial(chosen, REAL), run=run_grid, remarks=partial(untrained, REAL)
)
