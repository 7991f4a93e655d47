"""COCO's ten keypoint scores from its matching, equal to COCOeval's, with weights for a bootstrap over photos.

AP, AR          mean over the OKS thresholds 0.50, 0.55, ..., 0.95
AP50, AP75, ..  at one threshold
(M), (L)        people with an area of 32^2 to 96^2, and of more than 96^2 photo pixels
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustpose.metrics.table import Bools, Floats

AP = ("AP", "AP50", "AP75", "AP(M)", "AP(L)")
AR = ("AR", "AR50", "AR75", "AR(M)", "AR(L)")

_RANGES = {"all": 0, "medium": 1, "large": 2}
_RANGE_OF = {"AP(M)": "medium", "AP(L)": "large", "AR(M)": "medium", "AR(L)": "large"}
_THRESHOLD_OF = {"AP50": 0, "AP75": 5, "AR50": 0, "AR75": 5}
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Matches:
    """Predictions matched with people of one range of areas, in order of falling score.

    right, wrong  (T, M) whether each of M predictions is right or wrong at each of T thresholds; ignored if
                  neither
    photo         (M,) index of the prediction's photo
    people        (P,) number of counted people in each photo
    """

    right: Bools
    wrong: Bools
    photo: NDArray[np.intp]
    people: Floats


def range_of(score: str) -> str:
    """Return the range of areas that a score covers: all, medium or large."""
    return _RANGE_OF.get(score, "all")


def matched(evaluator: Any) -> dict[str, Matches]:
    """Read the matches for each range of areas from an evaluator that has evaluated one category.

    It may be any object with the attributes of pycocotools' COCOeval; its photos may be in any order.
    """
    photos, thresholds = evaluator.params.imgIds, len(evaluator.params.iouThrs)
    evaluated = {(each["image_id"], *each["aRng"]): each for each in evaluator.evalImgs if each is not None}
    areas = evaluator.params.areaRng
    found: dict[str, Matches] = {}
    for name, place in _RANGES.items():
        there = {row: evaluated.get((image, *areas[place])) for row, image in enumerate(photos)}
        seen = {row: each for row, each in there.items() if each is not None}
        people = np.zeros(len(photos))
        for row, each in seen.items():
            people[row] = np.count_nonzero(np.asarray(each["gtIgnore"]) == 0)
        scores = np.concatenate([np.zeros(0), *(each["dtScores"] for each in seen.values())])
        order = np.argsort(-scores, kind="mergesort")  # as in COCOeval: equal scores keep the order of the file
        none = np.zeros((thresholds, 0))
        match = np.concatenate([none, *(each["dtMatches"] for each in seen.values())], axis=1)[:, order] > 0
        ignored = np.concatenate([none, *(each["dtIgnore"] for each in seen.values())], axis=1)[:, order] > 0
        photo = [row for row, each in seen.items() for _ in each["dtScores"]]
        found[name] = Matches(
            right=match & ~ignored,
            wrong=~match & ~ignored,
            photo=np.array(photo, dtype=np.intp)[order],
            people=people,
        )
    return found


def summary(found: Mapping[str, Matches], weights: Floats) -> dict[str, Floats]:
    """Return the ten official scores (D,) in percent, with photos weighted by (D, P); NaN where undefined."""
    by_range = {name: accumulate(matches, weights) for name, matches in found.items()}
    scores: dict[str, Floats] = {}
    for name in (*AP, *AR):
        precision, recall = by_range[_RANGE_OF.get(name, "all")]
        taken = precision if name in AP else recall[:, :, None]
        if name in _THRESHOLD_OF:
            taken = taken[:, _THRESHOLD_OF[name] :][:, :1]
        scores[name] = 100.0 * taken.reshape(len(weights), -1).mean(axis=1)
    return scores


def accumulate(matches: Matches, weights: Floats) -> tuple[Floats, Floats]:
    """Return precision (D, T, 101) at recalls 0, 0.01, ..., 1, and the final recall (D, T); NaN without people.

    The arithmetic of COCOeval.accumulate, with photos weighted by (D, P).
    """
    thresholds, answers = matches.right.shape
    precision = np.full((len(weights), thresholds, len(_RECALLS)), np.nan)
    recall = np.full((len(weights), thresholds), np.nan)
    best = np.zeros((thresholds, answers + 1))  # beyond the final recall, precision is 0
    for draw, weight in enumerate(weights):
        people = weight @ matches.people
        if people == 0:
            continue
        times = weight[matches.photo]
        right = np.cumsum(times * matches.right, axis=1)
        wrong = np.cumsum(times * matches.wrong, axis=1)
        reached = right / people
        recall[draw] = reached[:, -1] if answers else 0.0
        exact = right / (wrong + right + np.spacing(1))
        best[:, :answers] = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
        for threshold in range(thresholds):
            places = np.searchsorted(reached[threshold], _RECALLS, side="left")
            precision[draw, threshold] = best[threshold, places]
    return precision, recall
