"""An attack's result as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from robustpose.analysis.doubts import Doubts
from robustpose.analysis.minimum_norm import smallest_curve
from robustpose.analysis.scores import Outcome, beside_estimates, estimates
from robustpose.metrics import ALL, Estimate, HasRemarks, Table, TableOf, metrics_beside, score
from robustpose.report.stronger import weakness
from robustpose.study.plan import Plan, metric_of
from robustpose.threats.motion import PARTS

_NONE = Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)


def attack_json(
    plan: Plan,
    *,
    clean: Outcome,
    attacked: Outcome,
    cells: Sequence[str],
    seconds: float,
    doubts: Doubts | None = None,
    alarms: Sequence[str] = (),
) -> str:
    """Write one attack's result as JSON; NaN is null, and so are scores that `doubts` withholds."""
    setting = attacked.setting
    assert setting is not None
    scores = estimates(plan, clean.table, attacked.table, each_joint=attacked.each_joint)
    withheld = bool((doubts or Doubts()).about(attacked.model.name, setting))
    if withheld:
        scores = {
            name: each if name == "attacked" else dict.fromkeys(each, _NONE) for name, each in scores.items()
        }
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
        "weakness": weakness(plan.study, plan.study.models[0]) or None,
        "withheld": withheld,
        "clean": _as_json(before[ALL]),
        **{measure: _as_json(by_part[ALL]) for measure, by_part in scores.items()},
        "per_joint": {
            part: {
                "clean": _as_json(before[part]),
                **{measure: _as_json(by_part[part]) for measure, by_part in scores.items()},
            }
            for part in parts
        },
        **_beside_json(plan, clean=clean.table, attacked=attacked.table, withheld=withheld),
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


def _beside_json(plan: Plan, *, clean: Table, attacked: Table, withheld: bool) -> dict[str, object]:
    """Write the metrics beside the main one: by number; a benchmark's table clean and attacked."""
    sections: dict[str, object] = {}
    for metric in metrics_beside(plan.metric, clean).values():
        scores = beside_estimates(metric, clean, attacked)
        if withheld:
            scores["relative"] = dict.fromkeys(scores["relative"], _NONE)
        by_measure = {
            measure: {number: _as_json(each) for number, each in by_number.items()}
            for measure, by_number in scores.items()
        }
        by_number = {
            number: {measure: found[number] for measure, found in by_measure.items()} for number in scores["clean"]
        }
        facts = metric.facts(clean) if isinstance(metric, HasRemarks) else {}
        is_table = isinstance(metric, TableOf)
        table = {when: by_measure[when] for when in ("clean", "attacked")}
        sections[metric.name.lower()] = table if is_table else facts | by_number
    return sections


def _curve_json(plan: Plan, attacked: Outcome) -> dict[str, object]:
    """Write the curve of a minimum-norm attack, infinity as null; nothing for other attacks."""
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
    """Write the motions, and how many keypoints left the image; nothing for other attacks."""
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
