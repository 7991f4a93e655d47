"""COCO's keypoint scores: average precision and recall over OKS thresholds, as pycocotools' COCOeval gives them.

Lin et al. 2014, "Microsoft COCO: Common Objects in Context", arXiv 1405.0312; cocodataset.org/#keypoints-eval.

AP, AR          the mean over OKS thresholds 0.50, 0.55, ..., 0.95
AP50 and so on  at one threshold; (M), (L): of people of 32^2 to 96^2, and of more than 96^2 photo pixels of area
mean OKS        the mean over people of the OKS of the answer asked for them; no ranking and no matching

**Protocol: true boxes.** A net is asked once for each person that takes part, in the crop of that person's true
box, and the answer is ranked by the mean of its keypoints' scores. The truth is exactly these people. Crowds and
people without a labelled keypoint are not asked for, so they are no truth; an answer that fits one of them is
wrong, where the official code would ignore it. People without an area do not take part.

**Matching is the official code's.** Precision and recall are summed here, so that photos can be redrawn; tests
hold the ten scores to be equal to COCOeval's own.

**Intervals** are percentile bootstrap intervals over photos: AP is no mean over people, since the answers of one
photo compete for the same people, and all answers are ranked together. Each draw takes as many photos as there
are, with replacement, each with all its people; the relative score redraws the same photos clean and attacked.

**A net without scores has no ranking.** AP depends on which answer is trusted more; where all scores are equal
(DeepPose, which gives coordinates only) the official code ranks by the order of the file. AR hardly depends on it.
"""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from robustpose.geometry import uncrop_points
from robustpose.metrics.coco_form import as_coco, extent_of
from robustpose.metrics.estimate import Estimate, from_draws, redraws
from robustpose.metrics.oks import oks, sigmas_of
from robustpose.metrics.table import Bools, Floats, Table

AP = ("AP", "AP50", "AP75", "AP(M)", "AP(L)")
AR = ("AR", "AR50", "AR75", "AR(M)", "AR(L)")
MEAN = "mean"

_RANGES = {"all": 0, "medium": 1, "large": 2}
_RANGE_OF = {"AP(M)": "medium", "AP(L)": "large", "AR(M)": "medium", "AR(L)": "large"}
_THRESHOLD_OF = {"AP50": 0, "AP75": 5, "AR50": 0, "AR75": 5}
_RECALLS = np.linspace(0.0, 1.0, 101)
_PERSON = 1


@dataclass(frozen=True)
class CocoScores:
    """A table's scores by name (AP, ..., AR(L), mean), in percent, NaN where undefined.

    draws   (D,) of each score, photos redrawn
    people  how many people each score counts
    photos  in how many photos they are
    """

    values: Mapping[str, float]
    draws: Mapping[str, Floats]
    people: Mapping[str, int]
    photos: Mapping[str, int]


@dataclass(frozen=True)
class Matches:
    """Answers matched with people of one range of areas, by falling score.

    right, wrong  (T, M) whether each of M answers is right, or wrong, at each of T thresholds; or neither: ignored
    photo         (M,) the row of its photo
    people        (P,) how many people each photo counts
    """

    right: Bools
    wrong: Bools
    photo: NDArray[np.intp]
    people: Floats


def coco_scores(table: Table, *, seed: int = 0) -> CocoScores:
    """Score a table; ValueError where it has not kept areas, crops, scores and photos."""
    people = counted(table)
    _, photo = photos_of(people)
    found = matched(evaluated(people))
    each = similarities(people)
    photos = len(found["all"].people)
    once, weights = np.ones((1, photos)), redraws(photos, seed=seed)
    values = summary(found, once) | {MEAN: _mean(each, once[:, photo])}
    draws = summary(found, weights) | {MEAN: _mean(each, weights[:, photo])}
    counts = {name: found[range_of(name)].people for name in values}
    return CocoScores(
        values={name: float(value[0]) for name, value in values.items()},
        draws=draws,
        people={name: int(number.sum()) for name, number in counts.items()},
        photos={name: int((number > 0).sum()) for name, number in counts.items()},
    )


def range_of(score: str) -> str:
    """Return the range of areas of the people whom a score counts: all, medium or large."""
    return _RANGE_OF.get(score, "all")


def with_intervals(scores: CocoScores) -> dict[str, Estimate]:
    """Return each score with its interval; n is the number of people that it counts."""
    return {name: _estimate(scores, name, scores.values[name], scores.draws[name]) for name in scores.values}


def relative_scores(clean: CocoScores, attacked: CocoScores) -> dict[str, Estimate]:
    """Score an attack: 100 x attacked / clean, of two tables of the same people redrawn with the same seed."""
    return {
        name: _estimate(
            clean,
            name,
            float(_ratio(np.array(attacked.values[name]), np.array(value))),
            _ratio(attacked.draws[name], clean.draws[name]),
        )
        for name, value in clean.values.items()
    }


def has_areas(table: Table) -> bool:
    """Say whether COCO's scores are defined: anyone who counts has an area."""
    kept = (table.area, table.crops, table.score, table.photo)
    return all(array is not None for array in kept) and len(counted(table)) > 0


def is_ranked(table: Table) -> bool:
    """Say whether the net's scores put its answers in an order: not where all are equal."""
    return len(np.unique(_kept(counted(table).score))) > 1


def counted(table: Table) -> Table:
    """Return who takes part: people with an area and a labelled keypoint that COCO has a constant for."""
    labelled = (table.visible & np.isfinite(sigmas_of(table.skeleton))).any(axis=1)
    return table.take(np.flatnonzero(labelled & np.isfinite(_kept(table.area))).tolist())


def similarities(table: Table) -> Floats:
    """Return the OKS (N,) of each person's own answer, in photo pixels."""
    return oks(
        in_photo(table.predicted, table),
        in_photo(table.keypoints, table),
        table.visible,
        area=_kept(table.area),
        sigmas=sigmas_of(table.skeleton),
    )


def photos_of(table: Table) -> tuple[list[str], NDArray[np.intp]]:
    """Return the photos in the table's order, and the row (N,) of each person's."""
    if table.photo is None:
        raise ValueError("COCO's scores need to know the photos that people are in")
    names = table.photo.tolist()
    rows = {name: row for row, name in enumerate(dict.fromkeys(names))}
    return list(rows), np.array([rows[name] for name in names], dtype=np.intp)


def evaluated(table: Table) -> COCOeval:
    """Let the official code match a table's people with the net's answers, in photo pixels."""
    sigmas = sigmas_of(table.skeleton)
    constant = np.isfinite(sigmas)
    area, score = _kept(table.area), _kept(table.score)
    truth, predicted = (in_photo(points, table)[:, constant] for points in (table.keypoints, table.predicted))
    visible = table.visible[:, constant]
    names, photo = photos_of(table)
    people, answers = [], []
    for row in range(len(table)):
        about = {"id": row + 1, "image_id": int(photo[row]), "category_id": _PERSON, "iscrowd": 0}
        labelled = np.where(visible[row, :, None], truth[row], 0.0)
        people.append(
            about
            | {
                "keypoints": _with_flags(labelled, 2 * visible[row]),
                "num_keypoints": int(visible[row].sum()),
                "area": float(area[row]),
                "bbox": [0.0, 0.0, 0.0, 0.0],  # read, but used only for people without a labelled keypoint
            }
        )
        points = predicted[row]
        answers.append(
            about
            | {
                "keypoints": _with_flags(np.where(np.isnan(points), np.inf, points), np.ones(len(points))),
                "score": float(score[row]),
                "area": extent_of(points),
            }
        )
    with contextlib.redirect_stdout(io.StringIO()):  # the official code prints
        evaluator = COCOeval(as_coco(people, len(names)), as_coco(answers, len(names)), iouType="keypoints")
        evaluator.params.kpt_oks_sigmas = sigmas[constant]
        evaluator.evaluate()
    return evaluator


def matched(evaluator: COCOeval) -> dict[str, Matches]:
    """Read who was matched with whom, by range of areas, from an evaluator that has evaluated one category.

    Any that has pycocotools' names will do: photos are found by their id and range, wherever they lie.
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
        order = np.argsort(-scores, kind="mergesort")  # as officially: equal scores stay in the order of the file
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
    """Return the ten official scores (D,) in percent, each photo taken weights (D, P) times; NaN: undefined."""
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
    """Return precision (D, T, 101) at recalls 0, 0.01, ..., 1, and the recall reached (D, T); NaN without people.

    COCOeval.accumulate's arithmetic, with each photo taken weights (D, P) times.
    """
    thresholds, answers = matches.right.shape
    precision = np.full((len(weights), thresholds, len(_RECALLS)), np.nan)
    recall = np.full((len(weights), thresholds), np.nan)
    best = np.zeros((thresholds, answers + 1))  # beyond the recall that is reached, precision is 0
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


def _mean(each: Floats, weights: Floats) -> Floats:
    """Return the mean (D,) in percent of values (N,) taken weights (D, N) times."""
    with np.errstate(invalid="ignore"):
        mean: Floats = 100.0 * (weights @ each) / weights.sum(axis=1)
    return mean


def _ratio(after: Floats, before: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.asarray(100.0 * after / before)
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _estimate(scores: CocoScores, name: str, value: float, draws: Floats) -> Estimate:
    enough = scores.photos[name] > 1  # redrawing one photo says nothing of others
    return from_draws(np.asarray(value), draws if enough else draws[:0], scores.people[name])


def in_photo(points: Floats, table: Table) -> Floats:
    """Map points (N, K, 2) of a table back to photo pixels."""
    with np.errstate(invalid="ignore"):  # broken answers and unlabelled truth may be NaN
        return uncrop_points(points, _kept(table.crops))


def _kept(array: Floats | None) -> Floats:
    if array is None:
        raise ValueError("COCO's scores need areas, crops and scores; this table has not kept them")
    return array


def _with_flags(points: Floats, flags: NDArray[Any]) -> list[float]:
    flat: list[float] = np.column_stack([points, flags]).ravel().tolist()
    return flat
