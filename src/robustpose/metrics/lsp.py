"""LSP's scores: PCK@0.2 by body part, and strict PCP by limb.

PCK@0.2  a joint is correct within 0.2 of the torso diagonal, the distance from left shoulder to right hip. Head
         pools head top and neck, other parts left and right; plain PCK@0.2 pools all labelled joints
PCP      a limb is correct if both ends are within half of its true length (Ferrari et al. 2008; strict as defined
         by Pishchulin et al. 2012). The torso goes from the centre of the shoulders to the centre of the hips

Unlabelled joints and people with a torso of length 0 do not count. Published tables average left and right; on
LSP, where every joint is labelled, this equals pooling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustpose.metrics.bootstrap import Scores, redraws
from robustpose.metrics.table import Bools, Floats, Table

_BOTH = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LIMBS = {
    "Upper arms": ("shoulder", "elbow"),
    "Forearms": ("elbow", "wrist"),
    "Upper legs": ("hip", "knee"),
    "Lower legs": ("knee", "ankle"),
}
_JOINTS = frozenset(
    {"head_top", "upper_neck", *(f"{side}_{part}" for side in ("left", "right") for part in _BOTH)}
)


@dataclass(frozen=True)
class LspScores:
    """PCK@0.2 and strict PCP in percent, for LSP and LSP Extended."""

    name: str = "LSP"
    redraws: Literal["people"] = "people"

    def defined(self, table: Table) -> bool:
        """Say whether the data are LSP or LSP Extended and the skeleton has all of its joints."""
        return table.data.partition("[")[0] in ("lsp", "lspet") and {*table.skeleton.keypoints} >= _JOINTS

    def __call__(self, table: Table) -> Mapping[str, float]:
        """Return PCK@0.2 and PCP with their parts; NaN where nothing is labelled."""
        return self.scores(table).values

    def scores(self, table: Table, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples."""
        weights = redraws(len(table), seed=seed)
        found = {**_pck(table), **_pcp(table)}
        people = {name: int(np.isfinite(hits).any(axis=1).sum()) for name, hits in found.items()}
        return Scores(
            values={name: float(_share(hits, np.ones((1, len(table))))[0]) for name, hits in found.items()},
            draws={name: _share(hits, weights) for name, hits in found.items()},
            people=people,
            units=people,
        )


def _pck(table: Table) -> dict[str, Floats]:
    """Return for each part the hits of its joints (N, J): 1, 0, or NaN where they do not count."""
    (left, _), (right, _) = _truth(table, "left_shoulder"), _truth(table, "right_hip")
    radius = 0.2 * np.linalg.norm(left - right, axis=1)
    known = _labelled(table, "left_shoulder") & _labelled(table, "right_hip") & (radius > 0)
    parts = {"Head": ("head_top", "upper_neck")}
    parts |= {part.capitalize(): (f"left_{part}", f"right_{part}") for part in _BOTH}
    hits = {
        part: np.column_stack([_hit(table, joint, radius, known & _labelled(table, joint)) for joint in joints])
        for part, joints in parts.items()
    }
    every = np.column_stack(list(hits.values()))
    return {"PCK@0.2": every, **{f"PCK@0.2 {part}": each for part, each in hits.items()}}


def _pcp(table: Table) -> dict[str, Floats]:
    """Return for each kind of limb its hits (N, L): 1, 0, or NaN where an end is not labelled."""
    limbs = {"Torso": [("shoulders", "hips")], "Head": [("upper_neck", "head_top")]}
    limbs |= {
        name: [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")] for name, (a, b) in _LIMBS.items()
    }
    hits = {name: np.column_stack([_limb(table, *ends) for ends in each]) for name, each in limbs.items()}
    every = np.column_stack(list(hits.values()))
    return {"PCP": every, **{f"PCP {name}": each for name, each in hits.items()}}


def _limb(table: Table, a: str, b: str) -> Floats:
    """Return the hits (N,) of a limb: whether both ends are within half of its length."""
    length = np.linalg.norm(_truth(table, a)[0] - _truth(table, b)[0], axis=1)
    known = _labelled(table, a) & _labelled(table, b) & (length > 0)
    first, second = (_hit(table, end, length / 2, known) for end in (a, b))
    return np.minimum(first, second)


def _hit(table: Table, place: str, radius: Floats, counts: Bools) -> Floats:
    """Return the hits (N,) of a place: 1 within the radius (N,), else 0; NaN where it does not count."""
    truth, predicted = _truth(table, place)
    return np.where(counts, (np.linalg.norm(predicted - truth, axis=1) <= radius).astype(float), np.nan)


def _rows(table: Table, place: str) -> list[int]:
    """Return the index of a joint, or both indices for 'shoulders' and 'hips', which are centres of two joints."""
    names = [f"left_{place[:-1]}", f"right_{place[:-1]}"] if place in ("shoulders", "hips") else [place]
    return [table.skeleton.index(name) for name in names]


def _truth(table: Table, place: str) -> tuple[Floats, Floats]:
    """Return the true and the predicted position of a place, (N, 2) each."""
    rows = _rows(table, place)
    return table.keypoints[:, rows].mean(axis=1), table.predicted[:, rows].mean(axis=1)


def _labelled(table: Table, place: str) -> Bools:
    return np.asarray(table.visible[:, _rows(table, place)].all(axis=1))


def _share(hits: Floats, weights: Floats) -> Floats:
    """Return the percentage of hits (D,), with people weighted by (D, N); NaN where there are none."""
    known = np.isfinite(hits)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Floats = (
            100.0
            * (weights @ np.where(known, hits, 0.0).sum(axis=1))
            / (weights @ known.sum(axis=1).astype(float))
        )
    return share
