"""The page of a user's photo: clean and adversarial predictions, the perturbation, and each keypoint's shift."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustpose.findings.drawing import OUTLINE, Pixels
from robustpose.jobs.store import write_atomically
from robustpose.ownphoto import Box, PhotoAttacked, Seen, distances
from robustpose.ownphoto.attack import CORRECT
from robustpose.report.html.page import environment
from robustpose.report.html.pictures import amplify, draw_pose, enlargement, png
from robustpose.report.html.words import spoken
from robustpose.threats import norm_of

PAGE, ADVERSARIAL, RESULT = "index.html", "adversarial.png", "result.json"


@dataclass(frozen=True)
class Line:
    """One keypoint of the page: how far it moved in photo pixels and in percent of the box's longer side."""

    keypoint: str
    before: tuple[float, float]
    after: tuple[float, float]
    moved: float
    percent: float
    correct: bool
    counted: bool


def lines(attacked: PhotoAttacked, after: Seen) -> tuple[Line, ...]:
    """Return a line for each keypoint, in the model's order."""
    side = max(attacked.box[2:])
    return tuple(
        Line(
            keypoint=name,
            before=_xy(attacked.before.keypoints[row]),
            after=_xy(after.keypoints[row]),
            moved=float(moved),
            percent=100 * float(moved) / side,
            correct=bool(moved <= CORRECT * side),
            counted=attacked.skeleton.counted[row],
        )
        for row, (name, moved) in enumerate(
            zip(attacked.skeleton.keypoints, distances(attacked.before, after), strict=True)
        )
    )


def write_photo_page(
    photo: Pixels, attacked: PhotoAttacked, after: Seen, *, facts: Mapping[str, Any], folder: Path
) -> Path:
    """Write the images, result.json and the page of an attacked photo; return the page's path.

    after  the prediction on the adversarial photo as read back from its file
    facts  the entries of result.json other than the keypoints
    """
    largest = np.abs(attacked.photo.astype(np.int16) - photo).max() / 255
    added = amplify(photo, attacked.photo, eps=float(largest))
    pictures = {
        "before.png": _framed(photo, attacked.before, attacked),
        "after.png": _framed(attacked.photo, after, attacked),
        "perturbation.png": added.image,
    }
    for name, picture in pictures.items():
        write_atomically(folder / name, png(picture))
    moved = lines(attacked, after)
    result = {**facts, "keypoints": [vars(line) for line in moved]}
    write_atomically(folder / RESULT, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
    page = (
        environment()
        .get_template("ownphoto.html.j2")
        .render(
            facts=facts,
            every_value=norm_of(facts["threat"]) == math.inf,
            lines=moved,
            factor=added.factor,
            correct=100 * CORRECT,
            spoken=spoken,
        )
    )
    write_atomically(folder / PAGE, page.encode())
    return folder / PAGE


def _framed(photo: Pixels, seen: Seen, attacked: PhotoAttacked) -> Pixels:
    """Draw the prediction and the person's box on the photo."""
    drawn = draw_pose(photo, seen.keypoints, attacked.skeleton)
    factor = enlargement(photo.shape[1])
    x, y, w, h = _whole(attacked.box, factor)
    thick = max(1, drawn.shape[1] // 400)
    cv2.rectangle(drawn, (x, y), (x + w, y + h), OUTLINE, 3 * thick, cv2.LINE_AA)
    cv2.rectangle(drawn, (x, y), (x + w, y + h), (255, 255, 255), thick, cv2.LINE_AA)
    return drawn


def _whole(box: Box, factor: int) -> tuple[int, int, int, int]:
    x, y, w, h = np.rint(np.array(box) * factor).astype(int).tolist()
    return x, y, w, h


def _xy(point: Any) -> tuple[float, float]:
    return round(float(point[0]), 2), round(float(point[1]), 2)
