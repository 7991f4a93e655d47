"""COCO's keypoint scores with a detector's boxes: the official evaluation, of all annotations of the photos.

The answer of a detection is ranked by the detector's score times the mean of its keypoints' scores. Nothing is
suppressed after the net (no OKS-NMS), and no answer is averaged with that of the mirrored crop. Crowds and people
without a labelled keypoint are ignored as officially: an answer that fits one is neither right nor wrong. People
whom no detection found are missed.

The photos are those of which every detection was asked, and, up to the last of them by name, those without any.
"""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from robustpose.data.annotations import Detected
from robustpose.metrics.ap import CocoScores, in_photo, matched, range_of, summary
from robustpose.metrics.coco_form import as_coco, extent_of
from robustpose.metrics.estimate import redraws
from robustpose.metrics.table import Table
from robustpose.skeletons import COCO_17


def detected_scores(table: Table, detected: Detected, *, joints: frozenset[str], seed: int = 0) -> CocoScores:
    """Score the answers of detections over the keypoints `joints`; ValueError as coco_scores."""
    found = matched(evaluated(table, detected, joints=joints))
    photos = len(found["all"].people)
    values = summary(found, np.ones((1, photos)))
    counts = {name: found[range_of(name)].people for name in values}
    return CocoScores(
        values={name: float(value[0]) for name, value in values.items()},
        draws=summary(found, redraws(photos, seed=seed)),
        people={name: int(number.sum()) for name, number in counts.items()},
        photos={name: int((number > 0).sum()) for name, number in counts.items()},
    )


def photos_of(table: Table, detected: Detected) -> list[str]:
    """Return the photos that are scored, by name: see the module."""
    assert table.photo is not None
    names, numbers = np.unique(table.photo, return_counts=True)
    whole = {str(name) for name, number in zip(names, numbers, strict=True) if detected.rows[str(name)] == number}
    last = max(whole, default="")
    return sorted(whole | {name for name in detected.annotations if name not in detected.rows and name < last})


def evaluated(table: Table, detected: Detected, *, joints: frozenset[str]) -> COCOeval:
    """Let the official code match all people of the photos with the net's answers, in photo pixels."""
    assert table.photo is not None
    assert table.score is not None
    kept = [name for name in COCO_17.keypoints if name in joints and name in table.skeleton.keypoints]
    rows = [table.skeleton.index(name) for name in kept]
    chosen = [COCO_17.index(name) for name in kept]
    photos = {name: number for number, name in enumerate(photos_of(table, detected))}
    people = [
        _annotation(each, photo, chosen, number)
        for number, (photo, each) in enumerate(
            ((photo, each) for name, photo in photos.items() for each in detected.annotations[name]), start=1
        )
    ]
    predicted = in_photo(table.predicted, table)[:, rows]
    answers = []
    for row, (person, name) in enumerate(zip(table.ids, table.photo.tolist(), strict=True)):
        if name in photos:
            points = np.where(np.isnan(predicted[row]), np.inf, predicted[row])
            answers.append(
                {
                    "id": row + 1,
                    "image_id": photos[name],
                    "category_id": 1,
                    "keypoints": np.column_stack([points, np.ones(len(rows))]).ravel().tolist(),
                    "score": detected.scores[person] * float(table.score[row]),
                    "area": extent_of(points),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):  # the official code prints
        evaluator = COCOeval(as_coco(people, len(photos)), as_coco(answers, len(photos)), iouType="keypoints")
        evaluator.params.kpt_oks_sigmas = np.array(COCO_17.sigmas)[chosen]
        evaluator.evaluate()
    return evaluator


def _annotation(given: dict[str, Any], photo: int, chosen: list[int], number: int) -> dict[str, Any]:
    """Return an annotation as the official code takes it, with the chosen keypoints."""
    keypoints = np.array(given["keypoints"], dtype=np.float64).reshape(-1, 3)[chosen]
    return {
        "id": number,
        "image_id": photo,
        "category_id": 1,
        "iscrowd": int(given.get("iscrowd", 0)),
        "bbox": given["bbox"],
        "area": float(given["area"]),
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
    }
