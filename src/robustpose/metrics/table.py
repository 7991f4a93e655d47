"""The table of predictions: what a model predicted for each person, with the truth.

Every number and figure is a pure function of such tables, so a new metric never needs a GPU.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robustpose.errors import RobustPoseError
from robustpose.skeletons import Skeleton

if TYPE_CHECKING:
    from robustpose.data.annotations import Detected

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """N people, one row each, in input pixels of the model's crop.

    predicted         (N, K, 2)
    keypoints         (N, K, 2) the truth
    visible           (N, K) labelled, so it counts
    head_size         (N,) NaN where the data set gives none
    box_side          (N,) the longer side of the person's box
    target            (N, K, 2) the pose that a targeted attack asked for; None without targets
    target_visible    (N, K)
    score             (N,) the model's confidence: the mean of its keypoints' scores; NaN where unknown
    area              (N,) the person's area in PHOTO pixels squared; NaN where the data set gives none
    crops             (N, 2, 3) the affine map from photo pixels to input pixels
    photo             (N,) name of the person's photo
    joints            names of the keypoints that count; None for all that the skeleton counts
    data              the data set's name; empty where it does not matter
    detected          annotations and detections of the photos, where the boxes are a detector's

    score, area, crops and photo may be None in tables that are not stored.
    """

    ids: tuple[str, ...]
    skeleton: Skeleton
    predicted: Floats
    keypoints: Floats
    visible: Bools
    head_size: Floats
    box_side: Floats
    target: Floats | None = None
    target_visible: Bools | None = None
    score: Floats | None = None
    area: Floats | None = None
    crops: Floats | None = None
    photo: NDArray[np.str_] | None = None
    joints: frozenset[str] | None = None
    data: str = ""
    detected: "Detected | None" = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> "Table":
        """Return the people of `rows`, in that order."""
        index = np.asarray(rows, dtype=np.intp)
        arrays: dict[str, Any] = {
            f.name: getattr(self, f.name)[index]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        return replace(self, ids=tuple(self.ids[i] for i in index), **arrays)

    def over(self, joints: frozenset[str]) -> "Table":
        """Return the table with only these keypoints counted."""
        chosen = np.array([name in joints for name in self.skeleton.keypoints])
        asked = None if self.target_visible is None else self.target_visible & chosen
        kept = joints if self.joints is None else self.joints & joints
        return replace(self, visible=self.visible & chosen, target_visible=asked, joints=kept)


def join(tables: Sequence[Table]) -> Table:
    """Concatenate tables of one skeleton; ValueError where they differ in skeleton or some have no targets."""
    first = tables[0]
    if any(t.skeleton != first.skeleton or (t.target is None) != (first.target is None) for t in tables):
        raise ValueError("tables to join must share their skeleton, and all or none must have targets")
    arrays: dict[str, Any] = {
        f.name: np.concatenate([getattr(t, f.name) for t in tables])
        for f in fields(first)
        if isinstance(getattr(first, f.name), np.ndarray)
    }
    return replace(first, ids=tuple(i for t in tables for i in t.ids), **arrays)


def check_once(ids: Sequence[str]) -> None:
    """RobustPoseError where a person is there twice: results are paired by id."""
    twice = [name for name, number in Counter(ids).items() if number > 1]
    if twice:
        raise RobustPoseError(
            f"person {twice[0]} is there twice; ids must differ, because results are paired by id"
        )


def pair(clean: Table, attacked: Table) -> tuple[Table, Table]:
    """Return both tables cut to the people they share, in the clean table's order.

    RobustPoseError where a person is twice in a table: it would be paired with itself.
    """
    for table in (clean, attacked):
        check_once(table.ids)
    rows = {name: row for row, name in enumerate(attacked.ids)}
    shared = [row for row, name in enumerate(clean.ids) if name in rows]
    return clean.take(shared), attacked.take([rows[clean.ids[row]] for row in shared])
