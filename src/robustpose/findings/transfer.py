"""Transfer: an image-specific perturbation made on one model, evaluated on the others (IGSM-U-10 at 8/255).

Jain et al. (arXiv 1908.06401): other models lose 30 to 40% on average, and DeepPose is the worst source
of perturbations. The paper prints its matrix for universal perturbations only: see table1.
"""

from robustpose.analysis.evidence import Ask, Evidence
from robustpose.findings.finding import Finding, Found
from robustpose.findings.matrix import (
    Source,
    black_box_loss,
    matrix_asks,
    matrix_table,
    misfits,
    read_matrix,
    regression_as_source,
)
from robustpose.findings.sweeps import EPS8
from robustpose.jobs.setting import Setting
from robustpose.study.definition import View
from robustpose.study.plan import Plan

IGSM = Setting("igsm", EPS8)

_KIND = "IGSM-U-10 perturbations at 8/255"


def _view(target: str, source: Source) -> View:
    return View(IGSM) if source.model == target else View(IGSM, source=source.model)


def _asks(plan: Plan) -> list[Ask]:
    if len(plan.models) < 2:
        return []
    return matrix_asks(plan, [Source(model.name) for model in plan.models], _view)


def _find(evidence: Evidence) -> Found:
    if len(evidence.models) < 2:
        return Found(remarks=("Transfer needs two models; the study has one.",))
    metric = evidence.metric.name
    matrix = read_matrix(evidence, [Source(model) for model in evidence.models], _view)
    verdicts = (
        *black_box_loss(matrix, kind=_KIND, metric=metric),
        *regression_as_source(matrix, kind=_KIND, metric=metric),
    )
    return Found(
        exhibits=(
            matrix_table(
                matrix,
                stem="transfer",
                title=f"IGSM-U-10 at 8/255 made on one model, evaluated on another: relative {metric}, %",
                note="Rows: the evaluated model. Columns: the model on which the images were made. "
                "Vulner.: the row's mean without the model itself.",
            ),
        ),
        verdicts=verdicts,
        remarks=(
            *misfits(matrix),
            "Transferred images are rounded to 8 bits. The paper has no matrix for image-specific perturbations.",
        ),
    )


TRANSFER = Finding(title="Transfer of image-specific perturbations", asks=_asks, find=_find)
