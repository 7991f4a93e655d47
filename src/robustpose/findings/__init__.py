"""The paper's figures, tables and claims, one file each: the jobs that it needs, its exhibits and its verdicts."""

from dataclasses import replace
from typing import Any

from robustpose.analysis.evidence import Evidence, ModelAsk, cells_of
from robustpose.errors import unknown_name
from robustpose.findings.adaptive_defences import ADAPTIVE_DEFENCES
from robustpose.findings.defences import SIMPLE_DEFENCES
from robustpose.findings.detection import DETECTION
from robustpose.findings.fig2 import FIG2A, FIG2B, FIG2C, FIG2D, FIG2EF
from robustpose.findings.finding import Chart, Curve, Exhibit, Finding, Found, Picture, Tabular, Verdict
from robustpose.findings.objective import OBJECTIVE
from robustpose.findings.perceptibility import PERCEPTIBILITY
from robustpose.findings.statistics import scored
from robustpose.findings.steps import STEPS
from robustpose.findings.table1 import TABLE1
from robustpose.findings.table2 import TABLE2
from robustpose.findings.tasks import OTHER_TASKS
from robustpose.findings.transfer import TRANSFER
from robustpose.findings.universal_pictures import UNIVERSAL_PICTURES
from robustpose.jobs.job import Job
from robustpose.jobs.store import Store
from robustpose.study.definition import CLEAN
from robustpose.study.plan import Plan

FINDINGS: dict[str, Finding] = {
    "fig2a": FIG2A,
    "fig2b": FIG2B,
    "fig2c": FIG2C,
    "fig2d": FIG2D,
    "fig2ef": FIG2EF,
    "objective": OBJECTIVE,
    "steps": STEPS,
    "tasks": OTHER_TASKS,
    "table1": TABLE1,
    "transfer": TRANSFER,
    "universal_pictures": UNIVERSAL_PICTURES,
    "table2": TABLE2,
    "detection": DETECTION,
    "defences": SIMPLE_DEFENCES,
    "adaptive_defences": ADAPTIVE_DEFENCES,
    "perceptibility": PERCEPTIBILITY,
}


def chosen(plan: Plan) -> dict[str, Finding]:
    """Return the findings that a plan's study names; RobustPoseError for an unknown name."""
    for name in plan.study.findings:
        if name not in FINDINGS:
            raise unknown_name("finding", name, FINDINGS)
    return {name: FINDINGS[name] for name in plan.study.findings}


def asked(plan: Plan) -> list[Job[Any]]:
    """Return the jobs that a plan's findings need."""
    return cells_of(plan, [ask for finding in chosen(plan).values() for ask in finding.asks(plan)])


def found(plan: Plan, store: Store) -> dict[str, Found]:
    """Make a plan's findings from stored jobs."""
    evidence = Evidence(plan, store)
    return {name: _with_absent_models(finding, evidence) for name, finding in chosen(plan).items()}


def _with_absent_models(finding: Finding, evidence: Evidence) -> Found:
    """Make a finding, with a remark on models without a clean score, which its means exclude."""
    made = finding.find(evidence)
    asks = finding.asks(evidence.plan)
    models = dict.fromkeys(ask.model for ask in asks if isinstance(ask, ModelAsk) and ask.view == CLEAN)
    absent = [model for model in models if not scored(evidence.table(model, CLEAN), evidence.metric).value > 0]
    if not absent:
        return made
    line = f"Excluded from means of relative scores, because the clean score is 0: {', '.join(absent)}."
    return replace(made, remarks=(*made.remarks, line))


__all__ = [
    "FINDINGS",
    "Chart",
    "Curve",
    "Exhibit",
    "Finding",
    "Found",
    "Picture",
    "Tabular",
    "Verdict",
    "asked",
    "chosen",
    "found",
]
