"""COCO's keypoint scores, equal to pycocotools': OKS, and average precision (AP) and recall (AR).

Lin et al. 2014, "Microsoft COCO: Common Objects in Context", arXiv 1405.0312; cocodataset.org/#keypoints-eval;
Ronchi and Perona 2017, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", arXiv 1707.05388.

**OKS**, object keypoint similarity, measures from 0 to 1 how close a predicted pose is to the true one:

    OKS = mean over the labelled keypoints i of exp(-d_i^2 / (2 * s^2 * k_i^2)),   k_i = 2 * sigma_i

d_i is the distance between prediction and truth. s^2 is the annotation's field `area`: the area of the person's
segmentation, not of the box. The sigmas are COCO's constants (skeletons.COCO_17). The mean OKS is the mean over
people of the OKS of their own predictions, without ranking or matching.

**True boxes** (`oks`). The model predicts one pose per person, in the crop of the true box. Predictions are ranked
by the mean of their keypoints' scores. The ground truth is exactly these people: those with an area and a labelled
keypoint. A prediction that matches a crowd or an unlabelled person is wrong; the official code would ignore it.

**A detector's boxes** (`oks_detected`). The official evaluation on all annotations of the photos. Predictions are
ranked by the detector's score times the mean of their keypoints' scores. There is no OKS-NMS and no flip test. As
in the official code, predictions that match crowds or unlabelled people are ignored, and people whom the detector
missed count as missed. The photos are those with every detection predicted, and those without detections up to the
last of these by name.

**Matching** is pycocotools'. average_precision.py sums precision and recall, so that the bootstrap can redraw
photos; tests require the ten scores to equal COCOeval's. AP is not a mean over people: the predictions in a photo
compete for the same people, and all predictions are ranked together. So the bootstrap redraws photos. The scores
are over the keypoints that the data and every model of a study share; they equal those of COCO's tool only with
all 17.

**A model without scores has no ranking.** Where all scores are equal (DeepPose, which predicts only coordinates),
the official code ranks by the order of the file, and AP depends on it. AR hardly does.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustpose.geometry import uncrop_points
from robustpose.metrics.average_precision import Matches, matched, range_of, summary
from robustpose.metrics.bootstrap import Scores, redraws
from robustpose.metrics.table import Bools, Floats, Table
from robustpose.skeletons import COCO_17, Skeleton

if TYPE_CHECKING:
    from robustpose.data.annotations import Detected

MEAN = "mean"

_PERSON = 1
_UNSURE = "has equal scores for everyone, so OKS AP ranks its predictions by the order of the file"


def sigmas_of(skeleton: Skeleton) -> Floats:
    """Return each keypoint's OKS constant (K,): the skeleton's own, else COCO's by name, else NaN."""
    named = dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))
    return np.array(skeleton.sigmas or [named.get(name, np.nan) for name in skeleton.keypoints])


def oks(predicted: Floats, truth: Floats, visible: Bools, *, area: Floats, sigmas: Floats) -> Floats:
    """Return the OKS (N,) of poses (N, K, 2), over the keypoints labelled `visible` (N, K).

    area (N,) in the square of the points' unit, sigmas (K,). A prediction that is NaN or infinite has similarity
    0. NaN for people without an area or a labelled keypoint. Keypoints without a sigma do not count.
    """
    counts = visible & np.isfinite(sigmas)
    with np.errstate(invalid="ignore", over="ignore"):
        squares = ((predicted - truth) ** 2).sum(axis=2)
    squares = np.where(np.isnan(squares), np.inf, squares)
    # as in the official code, the area is never 0
    exponents = squares / (2 * sigmas) ** 2 / (area + np.spacing(1))[:, None] / 2
    similar = np.where(counts, np.exp(-exponents), 0.0)
    with np.errstate(invalid="ignore"):
        mean: Floats = similar.sum(axis=1) / counts.sum(axis=1)
    return np.where(np.isfinite(area), mean, np.nan)


@dataclass(frozen=True)
class Oks:
    """COCO's AP, AR and mean OKS with true boxes; reported beside the main metric where people have areas."""

    name: str = "OKS"
    redraws: Literal["photos"] = "photos"

    def defined(self, table: Table) -> bool:
        """Say whether the boxes are true ones and anyone has an area and a labelled keypoint."""
        needed = (table.area, table.crops, table.score, table.photo)
        known = all(array is not None for array in needed)
        return table.detected is None and known and len(counted(table)) > 0

    def __call__(self, table: Table) -> Mapping[str, float]:
        """Return AP, ..., AR(L), mean in percent."""
        return self.scores(table).values

    def scores(self, table: Table, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples; ValueError without areas, crops, scores or photos."""
        people = counted(table)
        names, photo = photos_of(people)
        found = _scores(matched(evaluated(people)), seed=seed)
        each, weights = similarities(people), redraws(len(names), seed=seed)
        return Scores(
            values={**found.values, MEAN: float(_mean(each, np.ones((1, len(each))))[0])},
            draws={**found.draws, MEAN: _mean(each, weights[:, photo])},
            people={**found.people, MEAN: found.people["AP"]},
            units={**found.units, MEAN: found.units["AP"]},
        )

    def facts(self, table: Table) -> dict[str, object]:
        """Return the facts that --json shows beside the scores."""
        return _facts(table, "true")

    def remarks(self, table: Table) -> tuple[str, ...]:
        """Return caveats about the scores of a table."""
        return () if is_ranked(table) else (_UNSURE,)


@dataclass(frozen=True)
class DetectedOks:
    """COCO's AP and AR with a detector's boxes; reported beside the main metric with --detections."""

    name: str = "OKS"
    redraws: Literal["photos"] = "photos"

    def defined(self, table: Table) -> bool:
        """Say whether the boxes are a detector's."""
        return table.detected is not None

    def __call__(self, table: Table) -> Mapping[str, float]:
        """Return AP, ..., AR(L) in percent."""
        return self.scores(table).values

    def scores(self, table: Table, *, seed: int = 0) -> Scores:
        """Score a table and its bootstrap samples; ValueError without detections, crops, scores or photos."""
        return _scores(matched(evaluated_detections(table)), seed=seed)

    def facts(self, table: Table) -> dict[str, object]:
        """Return the facts that --json shows beside the scores."""
        return _facts(table, "detected")

    def remarks(self, table: Table) -> tuple[str, ...]:
        """Return caveats about the scores of a table."""
        return () if is_ranked(table) else (_UNSURE,)


def is_ranked(table: Table) -> bool:
    """Say whether the model's scores rank its predictions, that is, are not all equal."""
    return len(np.unique(_known(counted(table).score))) > 1


def counted(table: Table) -> Table:
    """Return the people who count: those with an area and a labelled keypoint with an OKS constant."""
    labelled = (table.visible & np.isfinite(sigmas_of(table.skeleton))).any(axis=1)
    return table.take(np.flatnonzero(labelled & np.isfinite(_known(table.area))).tolist())


def similarities(table: Table) -> Floats:
    """Return the OKS (N,) of each person's own prediction, in photo pixels."""
    return oks(
        in_photo(table.predicted, table),
        in_photo(table.keypoints, table),
        table.visible,
        area=_known(table.area),
        sigmas=sigmas_of(table.skeleton),
    )


def in_photo(points: Floats, table: Table) -> Floats:
    """Map points (N, K, 2) of a table back to photo pixels."""
    with np.errstate(invalid="ignore"):  # predictions and unlabelled truth may be NaN
        return uncrop_points(points, _known(table.crops))


def photos_of(table: Table) -> tuple[list[str], NDArray[np.intp]]:
    """Return the photos in the table's order, and the index (N,) of each person's photo."""
    names = _known(table.photo).tolist()
    rows = {name: row for row, name in enumerate(dict.fromkeys(names))}
    return list(rows), np.array([rows[name] for name in names], dtype=np.intp)


def evaluated(table: Table) -> Any:
    """Match a table's people with the model's predictions by the official code, in photo pixels."""
    sigmas = sigmas_of(table.skeleton)
    constant = np.isfinite(sigmas)
    area, score = _known(table.area), _known(table.score)
    truth, predicted = (in_photo(points, table)[:, constant] for points in (table.keypoints, table.predicted))
    visible = table.visible[:, constant]
    names, photo = photos_of(table)
    people = [
        {
            "id": row + 1,
            "image_id": int(photo[row]),
            "category_id": _PERSON,
            "iscrowd": 0,
            "keypoints": _flat(np.where(visible[row, :, None], truth[row], 0.0), 2 * visible[row]),
            "num_keypoints": int(visible[row].sum()),
            "area": float(area[row]),
            "bbox": [0.0, 0.0, 0.0, 0.0],  # read, but used only for people without a labelled keypoint
        }
        for row in range(len(table))
    ]
    answers = [_answer(row, int(photo[row]), predicted[row], float(score[row])) for row in range(len(table))]
    return _evaluator(people, answers, photos=len(names), sigmas=sigmas[constant])


def photos_asked(table: Table, detected: "Detected") -> list[str]:
    """Return the names of the photos that are scored with a detector's boxes: see the module."""
    names, numbers = np.unique(_known(table.photo), return_counts=True)
    whole = {str(name) for name, number in zip(names, numbers, strict=True) if detected.rows[str(name)] == number}
    last = max(whole, default="")
    return sorted(whole | {name for name in detected.annotations if name not in detected.rows and name < last})


def evaluated_detections(table: Table) -> Any:
    """Match all people of the photos with the predictions for detections by the official code, in photo pixels."""
    detected = table.detected
    if detected is None:
        raise ValueError("scores with a detector's boxes need detections; this table has none")
    kept = [
        name
        for name in COCO_17.keypoints
        if name in table.skeleton.keypoints and (table.joints is None or name in table.joints)
    ]
    chosen = [COCO_17.index(name) for name in kept]
    photos = {name: number for number, name in enumerate(photos_asked(table, detected))}
    named = [(photo, each) for name, photo in photos.items() for each in detected.annotations[name]]
    people = [_annotation(each, photo, chosen, number) for number, (photo, each) in enumerate(named, start=1)]
    predicted = in_photo(table.predicted, table)[:, [table.skeleton.index(name) for name in kept]]
    score = _known(table.score)
    answers = [
        _answer(row, photos[name], predicted[row], detected.scores[person] * float(score[row]))
        for row, (person, name) in enumerate(zip(table.ids, _known(table.photo).tolist(), strict=True))
        if name in photos
    ]
    return _evaluator(people, answers, photos=len(photos), sigmas=np.array(COCO_17.sigmas)[chosen])


def _scores(found: Mapping[str, Matches], *, seed: int) -> Scores:
    """Return the ten official scores and their bootstrap samples over photos."""
    photos = len(found["all"].people)
    values = summary(found, np.ones((1, photos)))
    counts = {name: found[range_of(name)].people for name in values}
    return Scores(
        values={name: float(value[0]) for name, value in values.items()},
        draws=summary(found, redraws(photos, seed=seed)),
        people={name: int(number.sum()) for name, number in counts.items()},
        units={name: int((number > 0).sum()) for name, number in counts.items()},
    )


def _mean(each: Floats, weights: Floats) -> Floats:
    """Return the mean (D,) in percent of values (N,) with weights (D, N)."""
    with np.errstate(invalid="ignore"):
        mean: Floats = 100.0 * (weights @ each) / weights.sum(axis=1)
    return mean


def _facts(table: Table, boxes: str) -> dict[str, object]:
    joints = table.joints or frozenset(table.skeleton.keypoints)
    return {
        "keypoints": len(joints.intersection(COCO_17.keypoints)),
        "boxes": boxes,
        "ranked": is_ranked(table),
    }


def _evaluator(
    people: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], *, photos: int, sigmas: Floats
) -> Any:
    """Return pycocotools' COCOeval, evaluated on annotations and predictions of photos 0 to `photos` - 1."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def as_coco(annotations: Sequence[Mapping[str, Any]]) -> Any:
        made = COCO()
        made.dataset = {
            "images": [{"id": photo} for photo in range(photos)],
            "annotations": list(annotations),
            "categories": [{"id": _PERSON}],
        }
        made.createIndex()
        return made

    with contextlib.redirect_stdout(io.StringIO()):  # the official code prints
        evaluator = COCOeval(as_coco(people), as_coco(answers), iouType="keypoints")
        evaluator.params.kpt_oks_sigmas = sigmas
        evaluator.evaluate()
    return evaluator


def _answer(row: int, photo: int, points: Floats, score: float) -> dict[str, Any]:
    """Return a prediction in photo pixels in the official format; its area is that of the keypoints' box."""
    there = points[np.isfinite(points).all(axis=1)]
    return {
        "id": row + 1,
        "image_id": photo,
        "category_id": _PERSON,
        "iscrowd": 0,
        "keypoints": _flat(np.where(np.isnan(points), np.inf, points), np.ones(len(points))),
        "score": score,
        "area": float(np.prod(np.ptp(there, axis=0))) if len(there) else 0.0,
    }


def _annotation(given: Mapping[str, Any], photo: int, chosen: list[int], number: int) -> dict[str, Any]:
    """Return an annotation of a file in the official format, with the chosen keypoints."""
    keypoints = np.array(given["keypoints"], dtype=np.float64).reshape(-1, 3)[chosen]
    return {
        "id": number,
        "image_id": photo,
        "category_id": _PERSON,
        "iscrowd": int(given.get("iscrowd", 0)),
        "bbox": given["bbox"],
        "area": float(given["area"]),
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
    }


def _known(array: NDArray[Any] | None) -> NDArray[Any]:
    if array is None:
        raise ValueError("COCO's scores need areas, crops, scores and photos; the table lacks one of them")
    return array


def _flat(points: Floats, flags: NDArray[Any]) -> list[float]:
    flat: list[float] = np.column_stack([points, flags]).ravel().tolist()
    return flat
