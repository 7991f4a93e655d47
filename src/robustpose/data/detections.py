"""A detector's boxes, from COCO's official results JSON, instead of the true boxes.

Each detection of a person is a row, and the model sees the detected box. Its truth, for attacks and PCK, is the
annotated person with the largest IoU of at least 0.5. Detections are matched in order of score, each person at
most once. An unmatched detection has no truth, so no attack changes it. OKS AP does not use these matches: it
compares all predictions with all annotations, including crowds and people without labels.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robustpose.data.annotations import (
    Detected,
    Person,
    annotation_file,
    counted,
    finite_numbers,
    read_json,
    shown,
)
from robustpose.data.coco import COCO, open_coco
from robustpose.data.coco_like import person_category_of
from robustpose.data.people import PhotoPeople
from robustpose.errors import RobustPoseError
from robustpose.fields import finite_number, whole_number

OVERLAP = 0.5
Box = tuple[float, float, float, float]


def open_detected(path: str | Path, detections: Path, images: Path | None = None) -> PhotoPeople:
    """Read a COCO person_keypoints JSON and the detections in its photos; rows are sorted by photo.

    RobustPoseError names the file and the fault.
    """
    people = open_coco(path, images)
    content = read_json(Path(path))  # open_coco has checked it
    category = person_category_of(content["categories"], Path(path), COCO)
    names = {image["id"]: image["file_name"] for image in content["images"]}
    if len({*names.values()}) < len(names):
        raise RobustPoseError(f"{path}: two images have one file_name, so detections cannot be told apart")
    annotations: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    for each in content["annotations"]:
        if each.get("category_id") == category and each.get("image_id") in names:
            annotations[names[each["image_id"]]].append(_scorable(each, len(people.skeleton), file=path))
    left_out: Counter[str] = Counter()
    found = _read(detections, names, category, left_out)
    in_photo: dict[str, list[Person]] = {}
    for person in people.people:
        in_photo.setdefault(person.photo, []).append(person)
    k = len(people.skeleton)
    rows = [row for name in sorted(found) for row in _matched(name, found[name], in_photo.get(name, []), k=k)]
    if not rows:
        raise RobustPoseError(f"{detections}: has no detection of a person in the photos of {path}")
    nobody = sum(not person.visible.any() for person, _ in rows)
    left_out["detections of nobody, asked all the same"] = nobody
    return PhotoPeople(
        name="coco-detections",
        skeleton=people.skeleton,
        people=tuple(person for person, _ in rows),
        folder=people.folder,
        left_out=counted(left_out),
        links=people.links,
        detected=Detected(
            annotations={name: tuple(each) for name, each in annotations.items()},
            scores={person.id: score for person, score in rows},
            rows={name: len(each) for name, each in found.items()},
        ),
    )


def _scorable(annotation: dict[str, Any], keypoints: int, *, file: str | Path) -> dict[str, Any]:
    """Return an annotation with every field of the official evaluation; missing keypoints become zeros."""
    of_file = f"{file}: annotation {shown(annotation.get('id'))}"
    for key, count in (("bbox", 4), ("keypoints", 3 * keypoints)):
        held = annotation.get(key, [0] * count if key == "keypoints" else None)
        if not finite_numbers(held, count):
            raise RobustPoseError(
                f"{of_file}: with detections {key} must be {count} numbers, got {shown(annotation.get(key))}"
            )
        annotation = {**annotation, key: held}
    if not finite_number(annotation.get("area")):
        raise RobustPoseError(
            f"{of_file}: with detections area must be a number, got {shown(annotation.get('area'))}"
        )
    return annotation


def _read(
    file: Path, names: Mapping[int, str], category: int, left_out: Counter[str]
) -> dict[str, list[tuple[int, Box, float]]]:
    """Return detections by photo: index in the file, box, score."""
    content = read_json(annotation_file(file, "coco"))
    if not isinstance(content, list):
        raise RobustPoseError(f"{file}: expected a list of detections, got {shown(content)}")
    found: dict[str, list[tuple[int, Box, float]]] = {}
    for place, each in enumerate(content):
        of_file = f"{file}: detection {place}"
        if not isinstance(each, dict):
            raise RobustPoseError(f"{of_file}: expected an object, got {shown(each)}")
        if not finite_numbers(each.get("bbox"), 4):
            raise RobustPoseError(f"{of_file}: bbox must be 4 numbers, got {shown(each.get('bbox'))}")
        if not finite_number(each.get("score")):
            raise RobustPoseError(f"{of_file}: score must be a number, got {shown(each.get('score'))}")
        if not whole_number(each.get("image_id")):
            raise RobustPoseError(f"{of_file}: image_id must be a whole number, got {shown(each.get('image_id'))}")
        x, y, w, h = map(float, each["bbox"])
        if each.get("category_id") != category:
            left_out["detections of something else"] += 1
        elif each.get("image_id") not in names:
            left_out["detections in photos that the annotations lack"] += 1
        elif not (w > 0 and h > 0):
            left_out["detections with an empty box"] += 1
        else:
            found.setdefault(names[each["image_id"]], []).append((place, (x, y, w, h), float(each["score"])))
    return found


def _matched(
    name: str, found: list[tuple[int, Box, float]], people: list[Person], *, k: int
) -> list[tuple[Person, float]]:
    """Return a photo's detections as people, each with its score and the truth of the matched person."""
    open_ = [*people]
    truth: dict[int, Person] = {}
    for place, box, _ in sorted(found, key=lambda each: -each[2]):  # stable: equal scores keep the file's order
        best = max(open_, key=lambda person: overlap(box, person.box), default=None)
        if best is not None and overlap(box, best.box) >= OVERLAP:
            truth[place] = best
            open_.remove(best)
    rows = []
    for place, box, score in found:
        fits = truth.get(place)
        person = Person(
            id=f"coco:{Path(name).stem}:detection{place}",
            photo=name,
            box=box,
            keypoints=np.zeros((k, 2)) if fits is None else fits.keypoints,
            visible=np.zeros(k, dtype=np.bool_) if fits is None else fits.visible,
            area=np.nan if fits is None else fits.area,
        )
        rows.append((person, score))
    return rows


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes (x, y, w, h)."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(across, 0.0) * max(down, 0.0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)
