"""Robust accuracy over eps from one run of a minimum-norm attack."""

from dataclasses import dataclass

import numpy as np

from robustpose.analysis.scores import Outcome
from robustpose.metrics import ALL
from robustpose.study.plan import Plan

_SHARES = (0.0, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


@dataclass(frozen=True)
class Line:
    """The curve of one body part, or of all.

    left    percent of keypoints that are still correct at each eps of the curve
    median  median of the smallest perturbation that breaks a keypoint; infinite if less than half break
    n       number of keypoints
    """

    part: str
    left: tuple[float, ...]
    median: float
    n: int


@dataclass(frozen=True)
class Curve:
    """Robust accuracy at eps 0 and at 1/32, 1/16, ..., 1 of the attack's eps."""

    eps: tuple[float, ...]
    lines: tuple[Line, ...]


def smallest_curve(plan: Plan, attacked: Outcome) -> Curve | None:
    """Return the curve of a minimum-norm attack; None for other attacks."""
    if attacked.setting is None or any(
        "smallest" not in each.signals for each in attacked.results if each.table.ids
    ):
        return None
    smallest = np.concatenate([each.signals["smallest"] for each in attacked.results if each.table.ids])
    skeleton = attacked.model.module.skeleton
    shared = np.array([name in plan.joints for name in skeleton.keypoints])
    smallest = np.where(shared, smallest, np.nan)
    whole = {ALL: tuple(range(len(skeleton)))}
    eps = tuple(attacked.setting.eps * share for share in _SHARES)
    lines = []
    for part, columns in (whole | skeleton.groups).items():
        sizes = smallest[:, list(columns)]
        sizes = sizes[~np.isnan(sizes)]
        if len(sizes):
            left = tuple(100.0 * float((sizes > each * (1 + 1e-6)).mean()) for each in eps)
            lines.append(
                Line(part=part, left=left, median=float(np.quantile(sizes, 0.5, method="lower")), n=len(sizes))
            )
    return Curve(eps=eps, lines=tuple(lines))
