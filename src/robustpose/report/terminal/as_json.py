"""An attack's result as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from robustpose.analysis.minimum_norm import smallest_curve
from robustpose.analysis.official import has_detections, official_estimates
from robustpose.analysis.scores import Outcome, estimates
from robustpose.metrics import ALL, Estimate, Table, is_ranked, score
from robustpose.report.terminal.scores import mpii_tables
from robustpose.skeletons import COCO_17
from robustpose.study.plan import Plan, metric_of
from robustpose.threats.motion import PARTS


def attack_json(
    plan: Plan,
    *,
    clean: Outcome,
    attacked: Outcome,
    cells: Sequence[str],
    seconds: float,
    alarms: Sequence[str] = (),
) -> str:
    """Write one attack's result as JSON; NaN is null."""
    setting = attacked.setting
    assert setting is not None
    scores = estimates(plan, clean.table, attacked.table, each_joint=attacked.each_joint)
    before = score(clean.table, metric_of(plan))
    parts = [part for part in before if part != ALL and before[part].n > 0]
    content: dict[str, object] = {
        "model": attacked.model.name,
        "data": plan.dataset.name,
        "n": len(clean.table),
        "metric": metric_of(plan).name,
        "attack": setting.label,
        "threat": setting.threat,
        "eps": setting.budget,
        "steps": setting.gradients,
        "targeted": setting.targeted,
        "objective": None if setting.spec.objective is None else setting.objective,
        "search": setting.search,
        "rounded_to_8bit": setting.round_to_8bit,
        "seed": plan.study.seed,
        "clean": _as_json(before[ALL]),
        **{measure: _as_json(by_part[ALL]) for measure, by_part in scores.items()},
        "per_joint": {
            part: {
                "clean": _as_json(before[part]),
                **{measure: _as_json(by_part[part]) for measure, by_part in scores.items()},
            }
            for part in parts
        },
        **_official_json(plan, clean=clean.table, attacked=attacked.table),
        **_mpii_json(plan, clean=clean.table, attacked=attacked.table),
        **_curve_json(plan, attacked),
        **_motion_json(clean, attacked),
        "forwards": attacked.forwards,
        "backwards": attacked.backwards,
        "alarms": list(alarms),
        "unreadable": list(attacked.unreadable),
        "left_out": list(plan.dataset.left_out),
        "seconds": round(seconds, 3),
        "cells": list(cells),
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _official_json(plan: Plan, *, clean: Table, attacked: Table) -> dict[str, object]:
    """Write COCO's official scores by name; nothing where nobody has an area."""
    scores = official_estimates(plan, clean, attacked)
    if not scores:
        return {}
    by_name = {
        name: {measure: _as_json(by_score[name]) for measure, by_score in scores.items()}
        for name in scores["clean"]
    }
    keypoints = len(plan.joints.intersection(COCO_17.keypoints))
    boxes = "detected" if has_detections(plan) else "true"
    return {"oks": {"keypoints": keypoints, "boxes": boxes, "ranked": is_ranked(clean), **by_name}}


def _mpii_json(plan: Plan, *, clean: Table, attacked: Table) -> dict[str, object]:
    """Write MPII's official table; nothing of other people."""
    tables = mpii_tables(plan, clean=clean, attacked=attacked)
    if not tables:
        return {}
    return {
        "mpii": {when: {name: _as_json(each) for name, each in table.items()} for when, table in tables.items()}
    }


def _curve_json(plan: Plan, attacked: Outcome) -> dict[str, object]:
    """Write the curve of an attack of least size; nothing for other attacks; infinite is null."""
    curve = smallest_curve(plan, attacked)
    if curve is None:
        return {}
    lines = {
        line.part: {
            "left": [round(left, 3) for left in line.left],
            "median": None if math.isinf(line.median) else line.median,
            "n": line.n,
        }
        for line in curve.lines
    }
    return {"smallest": {"eps": list(curve.eps), "by_part": lines}}


def _motion_json(clean: Outcome, attacked: Outcome) -> dict[str, object]:
    """Write how people were moved, and how many keypoints left the picture; nothing for other attacks."""
    motions = attacked.motions
    if motions is None:
        return {}
    left = clean.table.visible & ~attacked.table.visible & np.asarray(clean.table.skeleton.counted)
    return {
        "motion": {
            "moved": int((motions != 0).any(axis=1).sum()),
            "median": {part: round(float(np.median(np.abs(motions[:, i]))), 4) for i, part in enumerate(PARTS)},
            "keypoints_that_left": int(left.sum()),
        }
    }


def _as_json(estimate: Estimate) -> dict[str, float | int | None]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else round(value, 3)
        for name, value in asdict(estimate).items()
    }
