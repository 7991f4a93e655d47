"""The pages of a user's photos: clean and adversarial predictions, the perturbation, each keypoint's shift."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from robustpose.findings.drawing import OUTLINE, Pixels
from robustpose.folders import write_atomically
from robustpose.ownphoto import Box, PhotoAttacked, Seen, distances
from robustpose.ownphoto.attack import CORRECT
from robustpose.ownphoto.crops import repeated
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
    photo: Pixels,
    people: Sequence[PhotoAttacked],
    after: Sequence[Seen],
    *,
    facts: Mapping[str, Any],
    folder: Path,
) -> Path:
    """Write the images, result.json and the page of an attacked photo; return the page's path.

    people  the attacked people of the photo
    after   their predictions on the adversarial photo as read back from its file
    facts   the entries of result.json
    """
    adversarial = people[0].photo
    largest = np.abs(adversarial.astype(np.int16) - photo).max() / 255
    added = amplify(photo, adversarial, eps=float(largest))
    pictures = {
        "before.png": _framed(photo, [each.before for each in people], people),
        "after.png": _framed(adversarial, after, people),
        "perturbation.png": added.image,
    }
    for name, picture in pictures.items():
        write_atomically(folder / name, png(picture))
    page = (
        environment()
        .get_template("ownphoto.html.j2")
        .render(
            facts=facts,
            every_value=norm_of(facts["threat"]) == math.inf,
            tables=[lines(each, seen) for each, seen in zip(people, after, strict=True)],
            factor=added.factor,
            correct=100 * CORRECT,
            spoken=spoken,
        )
    )
    write_atomically(folder / PAGE, page.encode())
    write_atomically(folder / RESULT, (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode())
    return folder / PAGE


def write_photos_page(facts: Mapping[str, Any], folder: Path) -> Path:
    """Write the page of a folder of photos: a row per photo, with a link to its own page; return its path."""
    page = (
        environment()
        .get_template("ownphotos.html.j2")
        .render(facts=facts, every_value=norm_of(facts["threat"]) == math.inf)
    )
    write_atomically(folder / PAGE, page.encode())
    write_atomically(folder / RESULT, (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode())
    return folder / PAGE


def _framed(photo: Pixels, seen: Sequence[Seen], people: Sequence[PhotoAttacked]) -> Pixels:
    """Draw the predictions and the people's boxes on the photo."""
    points = np.concatenate([each.keypoints for each in seen])
    drawn = draw_pose(photo, points, repeated(people[0].skeleton, len(people)))
    factor = enlargement(photo.shape[1])
    thick = max(1, drawn.shape[1] // 400)
    for each in people:
        x, y, w, h = _whole(each.box, factor)
        cv2.rectangle(drawn, (x, y), (x + w, y + h), OUTLINE, 3 * thick, cv2.LINE_AA)
        cv2.rectangle(drawn, (x, y), (x + w, y + h), (255, 255, 255), thick, cv2.LINE_AA)
    return drawn


def _whole(box: Box, factor: int) -> tuple[int, int, int, int]:
    x, y, w, h = np.rint(np.array(box) * factor).astype(int).tolist()
    return x, y, w, h


def _xy(point: Any) -> tuple[float, float]:
    return round(float(point[0]), 2), round(float(point[1]), 2)
