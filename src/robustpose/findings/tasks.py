"""Claim 1, tested: is pose more robust than classification and segmentation?

Jain et al. (arXiv 1908.06401) compare informally with other papers' models, images and attacks. Here the three
tasks have one backbone and the same images, attacks and budgets, each with its own training loss. Scores also
differ in how strict they are, so strictness is varied: PCK at stricter thresholds, the IoU of every part. Each
score is also compared with that of a model that ignores the image, because a guess does not score 0 in every
task.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from robustpose.analysis.evidence import Ask, Evidence, TaskAsk
from robustpose.data.synthpose import PARTS
from robustpose.findings.finding import Chart, Finding, Found, Tabular, Verdict
from robustpose.findings.statistics import Sample, kept, ratio, scored, verdict
from robustpose.findings.sweeps import (
    EPS8,
    asks_of,
    curve,
    design_of,
    heatmap_models,
    levels,
    model_of,
    relative_sample,
)
from robustpose.findings.task_scores import (
    TASK_SCORES,
    classes_of,
    scored_parts,
    slot_of_task,
    task_relative,
    task_score,
    tasks_of,
)
from robustpose.jobs.setting import Setting
from robustpose.metrics import Estimate
from robustpose.study.definition import CLEAN, View
from robustpose.study.plan import Plan

_SAME_BACKBONE = ("resdec", "resdec_pre", "resreg")
_SHORT = 10
_STRICTNESS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the metric's threshold: of PCKh@0.5 they make 0.1 to 0.5."""

Values = tuple[Estimate | float | str | None, ...]


def _attacks(plan: Plan, eps: float) -> dict[str, Setting]:
    """Return the attacks under which tasks are compared, by name."""
    made = (Setting("fgsm", eps), *(Setting("igsm", eps, steps=steps) for steps in (_SHORT, plan.study.grid.long)))
    return {setting.label: setting for setting in made}


def _pose_model(plan: Plan) -> str | None:
    """Choose the pose model: one on the backbone of the other tasks if there is one, else any heatmap model."""
    names = [model.name for model in plan.models]
    on_backbone = [model for design in _SAME_BACKBONE if (model := model_of(names, design)) is not None]
    return next(iter([*on_backbone, *heatmap_models(plan)]), None)


def _asks(plan: Plan) -> list[Ask]:
    pose, tasks = _pose_model(plan), tasks_of(plan)
    if pose is None or not tasks:
        return []
    settings = [setting for eps in _budgets(plan) for setting in _attacks(plan, eps).values()]
    return [
        *asks_of([pose], settings),
        *(TaskAsk(task, setting) for task in tasks.values() for setting in (None, *settings)),
    ]


def _budgets(plan: Plan) -> list[float]:
    return sorted({*plan.study.grid.eps, EPS8})


def _find(evidence: Evidence) -> Found:
    plan = evidence.plan
    pose, tasks = _pose_model(plan), tasks_of(plan)
    if pose is None or not tasks:
        lacking = "a heatmap model" if pose is None else "a model of another task, with its labels in the data"
        return Found(remarks=(f"Pose against other tasks: not judged, it needs {lacking}.",))
    return Found(
        exhibits=(
            *(_chart(evidence, pose, tasks, label) for label in _attacks(plan, EPS8)),
            _guess_table(evidence, pose, tasks),
            _leniency_table(evidence, pose, tasks),
        ),
        verdicts=tuple(
            _verdict(evidence, pose, task, setting)
            for setting in (Setting("fgsm", EPS8), Setting("igsm", EPS8, steps=_SHORT))
            for task in tasks.values()
        ),
        remarks=_remarks(evidence, pose, tasks),
    )


def _chart(evidence: Evidence, pose: str, tasks: Mapping[str, str], label: str) -> Chart:
    settings = [_attacks(evidence.plan, eps)[label] for eps in _budgets(evidence.plan)]
    of_pose = [relative_sample(evidence, pose, View(setting)).estimate for setting in settings]
    return Chart(
        stem="tasks_" + label.lower().replace("-", "_"),
        title=f"{label}: pose, classification and segmentation",
        x_label="eps, of 255",
        y_label="relative score, %",
        curves=(
            curve(f"{pose}, {evidence.metric.name}", of_pose, levels(settings), slot=evidence.models.index(pose)),
            *(
                curve(
                    f"{task}, {TASK_SCORES[design]}",
                    [task_relative(evidence, task, setting).estimate for setting in settings],
                    levels(settings),
                    slot=slot_of_task(evidence, task),
                )
                for design, task in tasks.items()
            ),
        ),
    )


def _guess_table(evidence: Evidence, pose: str, tasks: Mapping[str, str]) -> Tabular:
    attacks = _attacks(evidence.plan, EPS8)
    lines = [
        (
            f"{pose}: {evidence.metric.name}",
            scored(evidence.table(pose, CLEAN), evidence.metric),
            _blind_pose(evidence, pose),
            [scored(evidence.table(pose, View(setting)), evidence.metric) for setting in attacks.values()],
        )
    ]
    for design, task in tasks.items():
        clean = task_score(evidence, task, None)
        guess = _constant(100.0 / classes_of(evidence, task), clean)
        after = [task_score(evidence, task, setting) for setting in attacks.values()]
        lines.append((f"{task}: {TASK_SCORES[design]}", clean, guess, after))
    rows: list[tuple[str, Values]] = []
    for name, clean, guess, after in lines:
        raw = [ratio(each, clean).estimate for each in after]
        above = [ratio(each - guess, clean - guess).estimate for each in after]
        rows.append(
            (
                name,
                (
                    clean.estimate,
                    float(guess.value),
                    *(each for pair in zip(raw, above, strict=True) for each in pair),
                ),
            )
        )
    return Tabular(
        stem="tasks_guess",
        title="Relative score at 8/255, raw and above a guess, %",
        columns=(
            "clean",
            "a guess",
            *(column for label in attacks for column in (f"{label}: left", f"{label}: left above a guess")),
        ),
        rows=tuple(rows),
        note="A guess ignores the image. Pose: the median pose of these people. Classes: one of them at random. "
        "Parts: background everywhere; it scores at most 100 / classes, and this bound is used. Left: relative "
        "score. Above a guess: 100 x (attacked - guess) / (clean - guess); below 0 the model is worse than a "
        "guess. Attacks aim at wrong predictions, not at random ones, so they can lower every score to 0.",
    )


def _blind_pose(evidence: Evidence, model: str) -> Sample:
    """Score a constant model that predicts the median pose for everyone."""
    table = evidence.table(model, CLEAN)
    known = np.where(table.visible[:, :, None], table.keypoints, np.nan)
    somewhere = table.visible.any(axis=0)
    pose = np.zeros(table.keypoints.shape[1:])
    pose[somewhere] = np.nanmedian(known[:, somewhere], axis=0)
    return scored(replace(table, predicted=np.broadcast_to(pose, table.keypoints.shape)), evidence.metric)


def _constant(value: float, like: Sample) -> Sample:
    return Sample(np.asarray(value), np.full_like(like.draws, value), like.n)


def _leniency_table(evidence: Evidence, pose: str, tasks: Mapping[str, str]) -> Tabular:
    settings = _attacks(evidence.plan, EPS8)
    rows: list[tuple[str, Values]] = []
    clean = evidence.table(pose, CLEAN)
    for share in _STRICTNESS:
        metric = evidence.metric.within(share)
        left = [kept(clean, evidence.table(pose, View(each)), metric).estimate for each in settings.values()]
        rows.append((f"{pose}: {metric.name}", (scored(clean, metric).estimate, *left)))
    for design, task in tasks.items():
        left = [task_relative(evidence, task, each).estimate for each in settings.values()]
        name = TASK_SCORES[design]
        rows.append((f"{task}: {name}", (task_score(evidence, task, None).estimate, *left)))
    if "parts" in tasks:
        rows += _per_part(evidence, tasks["parts"], list(settings.values()))
    return Tabular(
        stem="tasks_leniency",
        title="Relative score at 8/255, by strictness of the score, %",
        columns=("clean score", *settings),
        rows=tuple(rows),
        shade=True,
        note="Clean score in %, then relative scores. A part that the model never finds has no relative score.",
    )


def _per_part(evidence: Evidence, task: str, settings: list[Setting]) -> list[tuple[str, Values]]:
    clean = scored_parts(evidence.task(task, None))
    attacked = [scored_parts(evidence.task(task, setting)) for setting in settings]
    names = PARTS if len(PARTS) == len(clean) else tuple(f"class {number}" for number in range(len(clean)))
    return [
        (
            f"{task}: IoU of {name.replace('_', ' ')}",
            (clean[part].estimate, *(ratio(each[part], clean[part]).estimate for each in attacked)),
        )
        for part, name in enumerate(names)
    ]


def _verdict(evidence: Evidence, pose: str, task: str, setting: Setting) -> Verdict:
    other = "classification" if design_of(task) == "action" else "segmentation"
    return verdict(
        f"Pose is more robust than {other} under {setting.title}.",
        relative_sample(evidence, pose, View(setting)) - task_relative(evidence, task, setting),
        above=0.0,
        paper="claimed by comparison with other papers' models; relative score of heatmap models 58 to 77% under "
        "FGSM-U, 7.6 to 20.4% under IGSM-U-10",
        measured=f"relative {evidence.metric.name} of {pose} minus relative "
        f"{TASK_SCORES[design_of(task)]} of {task}, in points",
    )


def _remarks(evidence: Evidence, pose: str, tasks: Mapping[str, str]) -> tuple[str, ...]:
    remarks = []
    if design_of(pose) not in _SAME_BACKBONE[:2]:
        remarks.append(f"No resdec takes part: {pose} represents pose; its backbone or head differs.")
    remarks += [f"No model of '{design}' takes part." for design in TASK_SCORES if design not in tasks]
    if "action" in tasks:
        classes = classes_of(evidence, tasks["action"])
        remarks.append(
            f"A random guess is right for 1 of {classes} classes, {100 / classes:.2f}%; always naming the "
            "commonest class is right more often where classes are uneven."
        )
    remarks.append("Verdicts use relative scores. The tables show how they depend on the strictness of the score.")
    return tuple(remarks)


OTHER_TASKS = Finding(title="Claim 1: pose against classification and segmentation", asks=_asks, find=_find)
